#include "services/dynamodb/catalog.h"

#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include "services/dynamodb/change_stream.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/expiry.h"
#include "services/dynamodb/history.h"
#include "services/dynamodb/keyspace.h"
#include "storage/retry.h"

namespace parvis::dynamodb {
namespace {

constexpr int kAttemptsMax = 20;
constexpr std::size_t kCacheEntriesMax = 10'000;

[[noreturn]] void throw_named_not_found(const std::string& name) {
  throw aws::ApiError(kResourceNotFound, "Requested resource not found: Table: " + name + " not found");
}

bool is_retryable(const storage::StoreError& error) {
  return error.code == storage::StoreErrc::kConflict || error.code == storage::StoreErrc::kUnknownOutcome;
}

}  // namespace

awaitable<> back_off(int attempt, Entropy& entropy) {
  if (attempt == 0) co_return;
  const std::uint64_t ceiling_us = 100u << std::min(attempt, 6);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(entropy.next_u64() % ceiling_us));
  co_await timer.async_wait(use_awaitable);
}

Catalog::Catalog(storage::Store& store, const Clock& clock, Entropy& entropy)
    : store_(store), clock_(clock), entropy_(entropy) {}

std::optional<Table> Catalog::shown_by(const std::shared_ptr<storage::Snapshot>& snapshot, const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = cache_.find(key);
  if (found == cache_.end()) return std::nullopt;
  const std::weak_ptr<storage::Snapshot>& seen = found->second.shown_by;
  if (seen.owner_before(snapshot) || snapshot.owner_before(seen)) return std::nullopt;
  return found->second.table;
}

Table Catalog::remember(const std::shared_ptr<storage::Snapshot>& snapshot, const std::string& key, const storage::Value& value) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = cache_.find(key);
    if (found != cache_.end() && found->second.table.version == value.version) {
      found->second.shown_by = snapshot;
      return found->second.table;
    }
  }
  auto record = TableRecord::from_json(value.bytes);
  if (!record) {
    spdlog::error("dynamodb: {}", record.error());
    throw aws::ApiError(kInternal, "Internal server error");
  }
  Table table{std::make_shared<const TableRecord>(std::move(*record)), value.version};
  const std::lock_guard lock(mutex_);
  if (cache_.size() >= kCacheEntriesMax) cache_.clear();
  cache_[key] = {table, snapshot};
  return table;
}

awaitable<std::optional<Table>> Catalog::find_if(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope,
                                                 std::string name) {
  const std::string key = table_key(scope, name);
  if (std::optional<Table> known = shown_by(snapshot, key)) co_return known;
  const std::optional<storage::Value> value = co_await snapshot->get(key);
  if (!value) co_return std::nullopt;
  co_return remember(snapshot, key, *value);
}

awaitable<Table> Catalog::find(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string name) {
  std::optional<Table> table = co_await find_if(std::move(snapshot), std::move(scope), std::move(name));
  if (!table || ((*table)->restore && (*table)->restore->in_progress)) throw_table_not_found();
  co_return std::move(*table);
}

awaitable<Table> Catalog::create(TableRecord record, std::string stream_view,
                                 std::function<void(const TableRecord&, storage::Commit&)> with) {
  record.id = entropy_.token(20);
  for (IndexRecord& index : record.indexes) index.id = entropy_.token(8);
  record.created_ms = clock_.wall().time_since_epoch().count();
  const std::string key = table_key(record.scope, record.name);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, entropy_);
    std::optional<Table> existing = co_await find_if(store_.snapshot(), record.scope, record.name);
    if (existing && (*existing)->id == record.id) co_return *existing;  // an earlier attempt arrived
    if (existing) throw aws::ApiError(kResourceInUse, "Table already exists: " + record.name);
    storage::Commit commit;
    if (!stream_view.empty()) open_stream(record, entropy_.token(20), stream_view, clock_.due().time_since_epoch().count(), commit);
    if (with) with(record, commit);
    const auto done = co_await storage::replace(store_, {key, std::nullopt, record.to_json(), std::move(commit)});
    if (done) co_return Table{std::make_shared<const TableRecord>(record), *done};
    if (!is_retryable(done.error())) throw_store_error(done.error());
  }
  throw aws::ApiError(kInternal, "Internal server error");
}

awaitable<Table> Catalog::commit_change(aws::Scope scope, std::string name,
                                        std::function<bool(TableRecord&, storage::Commit&)> change) {
  const std::string key = table_key(scope, name);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, entropy_);
    const std::optional<Table> table = co_await find_if(store_.snapshot(), scope, name);
    if (!table) throw_named_not_found(name);
    TableRecord record = **table;
    storage::Commit commit;
    const bool keeps = change(record, commit);
    storage::Replacement replacement{key, table->version, std::nullopt, std::move(commit)};
    if (keeps) replacement.bytes = record.to_json();
    const auto done = co_await storage::replace(store_, std::move(replacement));
    if (done) co_return Table{std::make_shared<const TableRecord>(std::move(record)), *done};
    if (!is_retryable(done.error())) throw_store_error(done.error());
  }
  throw aws::ApiError(kInternal, "Internal server error");
}

awaitable<Table> Catalog::modify(aws::Scope scope, std::string name, std::function<void(TableRecord&)> change) {
  co_return co_await commit_change(std::move(scope), std::move(name),
                                   [change = std::move(change)](TableRecord& record, storage::Commit&) {
                                     change(record);
                                     return true;
                                   });
}

awaitable<Table> Catalog::modify_with(aws::Scope scope, std::string name,
                                      std::function<void(TableRecord&, storage::Commit&)> change) {
  co_return co_await commit_change(std::move(scope), std::move(name),
                                   [change = std::move(change)](TableRecord& record, storage::Commit& commit) {
                                     change(record, commit);
                                     return true;
                                   });
}

awaitable<Table> Catalog::remove(aws::Scope scope, std::string name) {
  co_return co_await commit_change(std::move(scope), std::move(name), [this](TableRecord& record, storage::Commit& commit) {
    check_active(record);
    if (record.deletion_protection) {
      throw_validation("Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
                       "protection first.");
    }
    commit.put(purge_key(record.id + "-i"), items_prefix(record.scope, record.id));
    commit.put(purge_key(record.id + "-x"), indexes_prefix(record.scope, record.id));
    if (record.counts_collections) commit.put(purge_key(record.id + "-y"), collections_prefix(record.scope, record.id));
    commit.put(purge_key(record.id + "-n"), statistics_key(record.scope, record.id));
    if (!record.ttl_id.empty()) end_expiry(record, commit);
    if (record.history) end_history(record, commit);
    // The stream stays readable for a day.
    if (record.stream && record.stream->enabled) close_stream(record, clock_.due().time_since_epoch().count(), commit);
    statistics_.forget(record.id);
    return false;
  });
}

void check_active(const TableRecord& table) {
  if (!table.restore || !table.restore->in_progress) return;
  throw aws::ApiError(kResourceInUse, "Attempt to change a resource which is still in use: Table is being created: " + table.name);
}

void remove_index(TableRecord& table, std::string_view index_name, storage::Commit& commit) {
  const IndexRecord* index = table.index(index_name);
  if (!index) throw aws::ApiError(kResourceNotFound, "Requested resource not found");
  if (!index->global) throw_validation("Cannot delete an index that is not a GlobalSecondaryIndex: " + index->name);
  commit.put(purge_key(table.id + "-" + index->id), index_prefix(table.scope, table.id, index->id));
  std::erase_if(table.indexes, [&](const IndexRecord& each) { return each.name == index_name; });
}

awaitable<std::vector<std::string>> Catalog::list(aws::Scope scope, std::string after, std::size_t limit, bool& more) {
  const std::optional<std::string> after_key = after.empty() ? std::nullopt : std::optional(table_key(scope, after));
  const std::shared_ptr<storage::Snapshot> snapshot = store_.snapshot();
  const storage::ScanPage page = co_await snapshot->scan(listing(tables_prefix(scope), after_key, limit));
  std::vector<std::string> names;
  for (const storage::Entry& entry : page.entries) {
    names.push_back(remember(snapshot, entry.key, {entry.value, entry.version})->name);
  }
  more = page.more;
  co_return names;
}

storage::ScanOptions listing(std::string prefix, const std::optional<std::string>& after, std::size_t limit) {
  storage::ScanOptions options;
  options.end = storage::prefix_end(prefix);
  options.begin = after ? std::max(prefix, *after + '\0') : std::move(prefix);
  options.limit = limit;
  options.bytes_max = 64u << 20;  // the limit alone ends a page
  return options;
}

// True when nothing is left under the prefix.
awaitable<bool> Catalog::purge_some(const std::string& prefix) {
  storage::ScanOptions options;
  options.begin = prefix;
  options.end = storage::prefix_end(prefix);
  const std::shared_ptr<storage::Snapshot> snapshot = store_.snapshot();
  storage::ScanPage page = co_await snapshot->scan(std::move(options));
  storage::Commit commit;
  for (storage::Entry& entry : page.entries) commit.erase(std::move(entry.key));
  if (commit.deletes.empty()) co_return true;
  const auto done = co_await store_.commit(std::move(commit));
  if (!done) throw_store_error(done.error());  // the next run resumes here
  co_return !page.more;
}

awaitable<> Catalog::run_purges(std::shared_ptr<std::atomic<bool>> stop) {
  for (int failures = 0; failures < kAttemptsMax && !*stop;) {
    storage::ScanOptions options;
    options.begin = purges_prefix();
    options.end = storage::prefix_end(purges_prefix());
    options.limit = 1;
    const std::shared_ptr<storage::Snapshot> snapshot = store_.snapshot();
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    if (page.entries.empty()) co_return;
    const storage::Entry& purge = page.entries.front();
    // Only what lies under a scope may go: an empty prefix would be the whole store.
    while (!*stop && !purge.value.empty() && !co_await purge_some(purge.value)) {
    }
    if (*stop) co_return;
    storage::Commit commit;
    commit.erase(purge.key);
    if (!co_await store_.commit(std::move(commit))) co_await back_off(++failures, entropy_);
  }
}

}  // namespace parvis::dynamodb
