#include "services/lambda/function_store.h"

#include <spdlog/spdlog.h>

#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"
#include "storage/retry.h"

namespace parvis::lambda {
namespace {

FunctionRecord decode(std::string_view bytes, std::string_view name) {
  std::optional<FunctionRecord> record = parse_record(bytes);
  if (!record) {
    spdlog::error("lambda: the stored record of function {} cannot be read", name);
    throw error(kService, "The function's configuration could not be read.");
  }
  return std::move(*record);
}

}  // namespace

aws::ApiError to_api_error(const storage::StoreError& failed) {
  switch (failed.code) {
    case storage::StoreErrc::kBusy: return error(kTooManyRequests, "Rate exceeded");
    case storage::StoreErrc::kConflict:
      return error(kResourceConflict, "The operation cannot be performed at this time. An update is in progress for the resource.");
    case storage::StoreErrc::kStopping: return error(kService, "The service is stopping.");
    case storage::StoreErrc::kUnknownOutcome:
    case storage::StoreErrc::kTooLarge:
    case storage::StoreErrc::kCorruption:
      spdlog::error("lambda: commit failed: {}: {}", storage::to_string(failed.code), failed.detail);
      return error(kService, "An internal error occurred.");
  }
  std::abort();
}

awaitable<> commit_plain(storage::Store& store, storage::Commit commit) {
  const auto done = co_await storage::commit_repeatable(store, std::move(commit));
  if (!done) throw to_api_error(done.error());
}

awaitable<std::vector<aws::Scope>> stored_scopes(storage::Store& store) {
  // Keys begin with account and Region, so the scopes are found by jumping from one to the next.
  std::vector<aws::Scope> scopes;
  std::string cursor;
  do {
    const storage::ScanPage page = co_await store.snapshot()->scan({.begin = cursor, .end = {}, .limit = 1});
    if (page.entries.empty()) break;
    storage::TupleReader reader(page.entries[0].key);
    const auto account = reader.string();
    const auto region = account ? reader.string() : account;
    if (!region) {  // a key of another shape
      cursor = page.entries[0].key + '\0';
      continue;
    }
    cursor = storage::prefix_end(scope_prefix(*account, *region));
    scopes.push_back({*account, *region});
  } while (!cursor.empty());
  co_return scopes;
}

awaitable<std::optional<StoredFunction>> FunctionStore::find(FunctionRef ref) {
  const std::string key = function_key(ref.scope.account, ref.scope.region, ref.name);
  auto value = co_await store_.snapshot()->get(key);
  if (!value) co_return std::nullopt;
  co_return StoredFunction{decode(value->bytes, ref.name), value->version};
}

awaitable<StoredFunction> FunctionStore::get(FunctionRef ref) {
  auto found = co_await find(ref);
  if (!found) throw not_found(ref);
  co_return std::move(*found);
}

awaitable<FunctionStore::Page> FunctionStore::list(aws::Scope scope, std::string after, std::size_t limit) {
  const std::string prefix = function_prefix(scope.account, scope.region);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = limit};
  if (!after.empty()) range.begin = function_key(scope.account, scope.region, after) + '\0';
  storage::ScanPage page = co_await store_.snapshot()->scan(range);
  Page out{.records = {}, .more = page.more};
  for (const storage::Entry& entry : page.entries) out.records.push_back(decode(entry.value, entry.key));
  co_return out;
}

awaitable<bool> FunctionStore::write(FunctionRecord record, std::optional<storage::Version> expected, storage::Commit with) {
  // Its ids are unique, so equal bytes mean that the record is this one.
  const auto done = co_await storage::replace(store_, {function_key(record.scope.account, record.scope.region, record.name), expected,
                                                       to_json(record), std::move(with)});
  if (!done && done.error().code != storage::StoreErrc::kConflict) throw to_api_error(done.error());
  co_return done.has_value();
}

awaitable<bool> FunctionStore::erase(FunctionRef ref, storage::Version expected, storage::Commit with) {
  const auto done = co_await storage::replace(store_, {function_key(ref.scope.account, ref.scope.region, ref.name), expected,
                                                       std::nullopt, std::move(with)});
  if (!done && done.error().code != storage::StoreErrc::kConflict) throw to_api_error(done.error());
  co_return done.has_value();
}

}  // namespace parvis::lambda
