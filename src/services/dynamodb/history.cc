#include "services/dynamodb/history.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/restore_job.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {
namespace {

constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;
constexpr std::size_t kTrimmedPerCommit = 1000;

std::optional<Former> read_former(std::string_view bytes) {
  if (bytes.size() < 17 || bytes[0] != '\x01') return std::nullopt;
  Former out;
  out.at_ms = static_cast<std::int64_t>(storage::load_u64(bytes.substr(1)));
  const std::uint64_t size = storage::load_u64(bytes.substr(9));
  bytes.remove_prefix(17);
  if (size > bytes.size()) return std::nullopt;
  out.suffix = bytes.substr(0, size);
  bytes.remove_prefix(size);
  if (!bytes.empty()) out.stored = std::string(bytes);
  return out;
}

}  // namespace

Former former_of(const storage::Entry& entry) {
  std::optional<Former> former = read_former(entry.value);
  if (former) return std::move(*former);
  spdlog::error("dynamodb: a damaged history record");
  throw aws::ApiError(kInternal, "Internal server error");
}

void add_history(const ItemWriteResult& result, const std::string& key, std::int64_t now_ms, storage::Commit& commit) {
  const TableRecord& table = *result.table;
  if (!table.history || result.old_item == result.new_item) return;
  const std::string_view suffix = std::string_view(key).substr(items_prefix(table.scope, table.id).size());
  std::string value(1, '\x01');
  storage::append_u64(value, static_cast<std::uint64_t>(now_ms));
  storage::append_u64(value, suffix.size());
  value += suffix;
  if (result.old_item) value += encode_stored(0, *result.old_item);
  commit.put_stamped(history_prefix(table.scope, table.history->id), storage::TupleWriter().u64(commit.stamped.size()).take(),
                     std::move(value));
}

void start_history(TableRecord& table, std::string id, int days, std::int64_t now_ms, storage::Commit& commit) {
  commit.put(task_key(kHistoryTask, id), table_key(table.scope, table.name));
  table.history = HistorySetting{std::move(id), now_ms, days};
}

void end_history(TableRecord& table, storage::Commit& commit) {
  commit.erase(task_key(kHistoryTask, table.history->id));
  commit.put(purge_key(table.history->id), history_prefix(table.scope, table.history->id));
  table.history.reset();
}

std::int64_t earliest_ms(const HistorySetting& history, std::int64_t now_ms) {
  return std::max(history.since_ms, now_ms - history.days * kDayMs);
}

awaitable<Table> History::restore(Table source, TableRecord target, std::int64_t at_ms) {
  const std::string name = target.name;
  target.restore = RestoreSetting{"", source->arn(), source->history->id, at_ms, true};
  const std::string source_key = table_key(source->scope, source->name);
  try {
    co_return co_await catalog_.create(std::move(target), {}, [&](const TableRecord& record, storage::Commit& commit) {
      commit.check(source_key, source.version);
      commit.put(task_key(kPointInTimeTask, record.id), table_key(record.scope, record.name));
    });
  } catch (const aws::ApiError& error) {
    if (error.code() != kResourceInUse.code) throw;
  }
  throw aws::ApiError(kTableAlreadyExists, "Table already exists: " + name);
}

awaitable<> History::run(std::shared_ptr<std::atomic<bool>> stop) {
  storage::ScanOptions options;
  options.begin = tasks_prefix(kPointInTimeTask);
  options.end = storage::prefix_end(options.begin);
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const storage::ScanPage page = co_await snapshot->scan(std::move(options));
  for (const storage::Entry& task : page.entries) {
    if (!*stop) co_await fill(task, stop);
  }
}

awaitable<> History::fill(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop) {
  RestoreJob job(catalog_, stop);
  if (!co_await job.open(task)) co_return;
  const RestoreSetting restore = *job.target().restore;
  // What a crash left is of another snapshot.
  if (!co_await job.clear_target()) co_return;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::string source_name = restore.table_arn.substr(restore.table_arn.rfind('/') + 1);
  const std::optional<Table> source = co_await catalog_.find_if(snapshot, job.target().scope, source_name);
  const std::int64_t now_ms = catalog_.clock().due().time_since_epoch().count();
  const bool is_there = source && (*source)->history && (*source)->history->id == restore.data_id;
  if (!is_there || restore.at_ms < earliest_ms(*(*source)->history, now_ms)) {
    spdlog::error("dynamodb: table {} cannot be restored: {} or its history is gone", job.target().name, restore.table_arn);
    co_await job.give_up();
    co_return;
  }
  if (!co_await job.copy_items(snapshot, items_prefix((*source)->scope, (*source)->id))) co_return;
  const std::string prefix = history_prefix((*source)->scope, restore.data_id);
  storage::ScanOptions options;
  options.begin = prefix;
  options.end = storage::prefix_end(prefix);
  options.reverse = true;
  options.limit = kItemsPerCommit;
  for (bool more = true; more && !*stop;) {
    const storage::ScanPage page = co_await snapshot->scan(options);
    // Of several changes of one item the oldest, which comes last, tells what it was.
    std::map<std::string, std::optional<std::string>> before;
    bool near = false;
    for (const storage::Entry& entry : page.entries) {
      Former former = former_of(entry);
      near = near || former.at_ms > restore.at_ms - kHistorySkewMs;
      if (former.at_ms > restore.at_ms) before[former.suffix] = std::move(former.stored);
    }
    if (!co_await job.take_back(before)) co_return;
    more = page.more && near;
    if (more) options.end = page.entries.back().key;
  }
  if (!*stop && co_await job.write_indexes()) co_await job.finish();
}

awaitable<> History::trim(std::shared_ptr<std::atomic<bool>> stop) {
  storage::ScanOptions options;
  options.begin = tasks_prefix(kHistoryTask);
  options.end = storage::prefix_end(options.begin);
  options.limit = 10'000;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const storage::ScanPage page = co_await snapshot->scan(std::move(options));
  for (const storage::Entry& task : page.entries) co_await trim_one(task, stop);
}

awaitable<> History::trim_one(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop) {
  const std::int64_t now_ms = catalog_.clock().due().time_since_epoch().count();
  while (!*stop) {
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const std::optional<aws::Scope> scope = scope_of(task.value);
    const std::optional<std::string> name = table_name_of(task.value);
    if (!scope || !name) co_return;
    const std::optional<Table> table = co_await catalog_.find_if(snapshot, *scope, *name);
    if (!table || !(*table)->history) co_return;
    storage::ScanOptions options;
    options.begin = history_prefix(*scope, (*table)->history->id);
    options.end = storage::prefix_end(options.begin);
    options.limit = kTrimmedPerCommit;
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    storage::Commit commit;
    for (const storage::Entry& entry : page.entries) {
      if (former_of(entry).at_ms > now_ms - (*table)->history->days * kDayMs) break;
      commit.erase(entry.key);
    }
    const bool whole = commit.deletes.size() == page.entries.size();
    if (!commit.writes() || !co_await catalog_.store().commit(std::move(commit)) || !whole || !page.more) co_return;
  }
}

}  // namespace parvis::dynamodb
