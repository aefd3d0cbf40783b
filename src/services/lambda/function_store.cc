#include "services/lambda/function_store.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
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

awaitable<> FunctionStore::each(aws::Scope scope, std::function<void(const FunctionRecord&)> visit) {
  for (std::string after;;) {
    const Page page = co_await list(scope, after, 1000);
    for (const FunctionRecord& record : page.records) visit(record);
    if (!page.more || page.records.empty()) co_return;
    after = page.records.back().name;
  }
}

awaitable<bool> FunctionStore::write(FunctionRecord record, std::optional<storage::Version> expected, storage::Commit with) {
  const std::string key = function_key(record.scope.account, record.scope.region, record.name);
  with.check(key, expected).put(key, to_json(record));
  co_return co_await commit(std::move(with));
}

awaitable<bool> FunctionStore::erase(FunctionRef ref, storage::Version expected, storage::Commit with) {
  const std::string key = function_key(ref.scope.account, ref.scope.region, ref.name);
  with.check(key, expected).erase(key);
  co_return co_await commit(std::move(with));
}

// One record of the commit is checked and written: by it the commit is known again.
awaitable<bool> FunctionStore::commit(storage::Commit commit) {
  const auto check_of = [&](const std::string& key) { return std::ranges::find(commit.checks, key, &storage::Check::key); };
  storage::Replacement record;
  auto put = std::ranges::find_if(commit.puts, [&](const storage::Put& each) { return check_of(each.key) != commit.checks.end(); });
  if (put != commit.puts.end()) {
    record.key = put->key;
    record.bytes = std::move(put->value);
    commit.puts.erase(put);
  } else {
    const auto gone = std::ranges::find_if(commit.deletes, [&](const std::string& key) { return check_of(key) != commit.checks.end(); });
    if (gone == commit.deletes.end()) throw std::logic_error("a commit that checks none of its writes");
    record.key = *gone;
    commit.deletes.erase(gone);
  }
  const auto check = check_of(record.key);
  record.version = check->version;
  commit.checks.erase(check);
  record.with = std::move(commit);
  const auto done = co_await storage::replace(store_, std::move(record));
  if (!done && done.error().code != storage::StoreErrc::kConflict) throw to_api_error(done.error());
  co_return done.has_value();
}

std::string FunctionStore::key_of(const FunctionRecord& owner, const PartId& id) {
  const std::string qualifier = id.kind == kVersionPart ? fmt::format("{:0>10}", id.qualifier) : id.qualifier;
  return part_key(owner.scope.account, owner.scope.region, owner.id, id.kind, qualifier);
}

awaitable<std::optional<Part>> FunctionStore::part(const FunctionRecord& owner, PartId id) {
  const std::string key = key_of(owner, id);
  auto value = co_await store_.snapshot()->get(key);
  if (!value) co_return std::nullopt;
  co_return Part{std::move(id.qualifier), std::move(value->bytes), value->version};
}

awaitable<FunctionStore::PartPage> FunctionStore::parts(const FunctionRecord& owner, std::string_view kind, std::string after,
                                                        std::size_t limit) {
  const std::string prefix = part_prefix(owner.scope.account, owner.scope.region, owner.id, kind);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = limit};
  if (!after.empty()) range.begin = key_of(owner, {kind, after}) + '\0';
  storage::ScanPage page = co_await store_.snapshot()->scan(range);
  PartPage out{.parts = {}, .more = page.more};
  for (storage::Entry& entry : page.entries) {
    std::string qualifier = storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string().value_or("");
    if (kind == kVersionPart) qualifier.erase(0, qualifier.find_first_not_of('0'));
    out.parts.push_back({std::move(qualifier), std::move(entry.value), entry.version});
  }
  co_return out;
}

awaitable<bool> FunctionStore::write_part(const StoredFunction& owner, PartId id, std::string bytes,
                                          std::optional<storage::Version> expected, storage::Commit with) {
  const std::string key = key_of(owner.record, id);
  with.check(function_key(owner.record.scope.account, owner.record.scope.region, owner.record.name), owner.version);
  with.check(key, expected).put(key, std::move(bytes));
  co_return co_await commit(std::move(with));
}

awaitable<bool> FunctionStore::erase_part(const StoredFunction& owner, PartId id, storage::Version expected, storage::Commit with) {
  const std::string key = key_of(owner.record, id);
  with.check(function_key(owner.record.scope.account, owner.record.scope.region, owner.record.name), owner.version);
  with.check(key, expected).erase(key);
  co_return co_await commit(std::move(with));
}

awaitable<std::optional<FunctionRecord>> FunctionStore::published(const FunctionRecord& owner, std::string number) {
  if (number.size() > 10 || number.starts_with('0')) co_return std::nullopt;
  const std::optional<Part> found = co_await part(owner, {kVersionPart, number});
  if (!found) co_return std::nullopt;
  co_return decode(found->bytes, owner.name);
}

}  // namespace parvis::lambda
