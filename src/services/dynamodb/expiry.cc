#include "services/dynamodb/expiry.h"

#include <algorithm>
#include <charconv>

#include "services/dynamodb/collections.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {
namespace {

constexpr std::int64_t kOldestSeconds = std::int64_t{5} * 365 * 24 * 60 * 60;
constexpr std::int64_t kRecentSeconds = 60 * 60;
constexpr std::size_t kRemovedPerCommit = 25;
constexpr std::size_t kFilledPerCommit = 200;

// Whole seconds of the item's time; nullopt when it never expires.
std::optional<std::int64_t> due_of(const TableRecord& table, const Item& item) {
  const auto found = item.find(table.ttl_attribute);
  const Number* number = found == item.end() ? nullptr : found->second.as<Number>();
  if (!number || number->negative()) return std::nullopt;
  const std::string text = number->text();  // plain decimal
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || (end != text.data() + text.size() && *end != '.')) return std::nullopt;
  return seconds;
}

std::optional<std::string> entry_of(const TableRecord& table, const Item& item, const std::string& key) {
  const std::optional<std::int64_t> due = due_of(table, item);
  if (!due) return std::nullopt;
  const std::string_view suffix = std::string_view(key).substr(items_prefix(table.scope, table.id).size());
  return expiry_key(expiries_prefix(table.scope, table.id, table.ttl_id), *due, suffix);
}

}  // namespace

void add_expiry_change(const ItemWriteResult& result, const std::string& key, storage::Commit& commit) {
  const TableRecord& table = *result.table;
  if (table.ttl_attribute.empty()) return;
  const auto old_entry = result.old_item ? entry_of(table, *result.old_item, key) : std::nullopt;
  const auto new_entry = result.new_item ? entry_of(table, *result.new_item, key) : std::nullopt;
  if (old_entry && old_entry != new_entry) commit.erase(*old_entry);
  // While the table is filled the old entry may not be there yet.
  if (new_entry && (old_entry != new_entry || table.ttl_filling)) commit.put(*new_entry, "");
}

void start_expiry(TableRecord& table, std::string id, std::string attribute, storage::Commit& commit) {
  commit.put(task_key(kExpiryTask, id), table_key(table.scope, table.name));
  table.ttl_attribute = std::move(attribute);
  table.ttl_id = std::move(id);
  table.ttl_filling = true;
}

void end_expiry(TableRecord& table, storage::Commit& commit) {
  commit.erase(task_key(kExpiryTask, table.ttl_id));
  commit.put(purge_key(table.id + "-u-" + table.ttl_id), expiries_prefix(table.scope, table.id, table.ttl_id));
  table.ttl_attribute.clear();
  table.ttl_id.clear();
  table.ttl_filling = false;
}

awaitable<> Expiry::sweep(std::shared_ptr<std::atomic<bool>> stop) {
  const std::string prefix = tasks_prefix(kExpiryTask), end = storage::prefix_end(prefix);
  std::string begin = prefix;
  while (!*stop) {
    storage::ScanOptions options;
    options.begin = begin;
    options.end = end;
    options.limit = 100;
    const std::shared_ptr<storage::Snapshot> snapshot = items_.catalog().store().snapshot();
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    for (const storage::Entry& task : page.entries) {
      storage::TupleReader id(std::string_view(task.key).substr(prefix.size()));
      auto ttl_id = id.string();
      auto scope = scope_of(task.value);
      auto name = table_name_of(task.value);
      if (ttl_id && scope && name) co_await sweep_table(std::move(*scope), std::move(*name), std::move(*ttl_id), stop);
    }
    if (!page.more || page.entries.empty()) break;
    begin = page.entries.back().key + '\0';
  }
  sweeps_ = (sweeps_ + 1) % kSweepsPerRound;
}

awaitable<> Expiry::sweep_table(aws::Scope scope, std::string table_name, std::string ttl_id,
                                std::shared_ptr<std::atomic<bool>> stop) {
  while (!*stop) {
    const std::int64_t now_s = items_.catalog().clock().due().time_since_epoch().count() / 1000;
    const std::shared_ptr<storage::Snapshot> snapshot = items_.catalog().store().snapshot();
    const std::optional<Table> table = co_await items_.catalog().find_if(snapshot, scope, table_name);
    if (!table || (*table)->ttl_id != ttl_id) co_return;
    const std::string prefix = expiries_prefix(scope, (*table)->id, ttl_id);
    storage::ScanOptions options;
    const std::int64_t back_s = sweeps_ == 0 ? kOldestSeconds : kRecentSeconds;
    options.begin = expiry_key(prefix, std::max<std::int64_t>(0, now_s - back_s), "");
    options.end = expiry_key(prefix, now_s + 1, "");
    options.limit = kRemovedPerCommit;
    storage::ScanPage page = co_await snapshot->scan(std::move(options));
    if (!page.entries.empty() && !co_await remove(snapshot, *table, std::move(page.entries), now_s)) {
      if (sweeps_ == 0) sweeps_ = -1;  // what is left may be older than the next one would look back
      co_return;
    }
    if (page.more) continue;
    if (!(*table)->ttl_filling) co_return;
    co_await fill(scope, table_name, ttl_id, stop);
    sweeps_ = -1;  // the next one looks at all that was entered
    co_return;
  }
}

awaitable<bool> Expiry::remove(std::shared_ptr<storage::Snapshot> snapshot, Table table, std::vector<storage::Entry> due,
                               std::int64_t now_s) {
  Catalog& catalog = items_.catalog();
  const std::string items = items_prefix(table->scope, table->id);
  const std::size_t prefix_size = expiries_prefix(table->scope, table->id, table->ttl_id).size() + 9;  // and the time
  std::vector<std::string> keys;
  for (const storage::Entry& entry : due) keys.push_back(items + entry.key.substr(prefix_size));
  CollectionSizes collections;
  storage::Update update{keys, {}};
  if (table->counts_collections) {
    // The items tell which collections they are in; one without an item leaves its collection as it is.
    const std::vector<std::optional<storage::Value>> values = co_await snapshot->multi_get(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (values[i]) collections.add(*table, decode_stored(values[i]->bytes).item, update.keys);
      else collections.skip();
    }
  }
  std::vector<CountChange> counts;
  update.decide = [&](std::span<const std::optional<storage::Value>> newest) {
    storage::Commit commit;
    commit.check(table_key(table->scope, table->name), table.version);
    const WriteMark mark{catalog.entropy().next_u64(), catalog.clock().due().time_since_epoch().count(), true};
    counts.clear();
    collections.begin(newest);
    for (std::size_t i = 0; i < due.size(); ++i) {
      ItemWriteResult result;
      result.table = table;
      if (newest[i]) result.old_item = decode_stored(newest[i]->bytes).item;
      const auto seconds = result.old_item ? due_of(*table, *result.old_item) : std::nullopt;
      const bool is_counted = !table->counts_collections || collections.has(i);
      if (seconds && *seconds <= now_s && is_counted) add_changes(*table, mark, result, keys[i], commit);
      if (table->counts_collections) (void)collections.apply(i, kCollectionBytesMax, result);
      // An entry goes with its item; one that does not belong to the item as it is must not come up for ever.
      if (!result.old_item || entry_of(*table, *result.old_item, keys[i]) != due[i].key) commit.erase(due[i].key);
      std::ranges::move(result.counts, std::back_inserter(counts));
    }
    collections.put_changed(commit);
    return commit;
  };
  const auto done = co_await catalog.store().update(std::move(update));
  if (done) catalog.statistics().apply(table->id, counts, *done);
  else if (done.error().code == storage::StoreErrc::kUnknownOutcome) catalog.statistics().forget(table->id);
  co_return done.has_value();
}

awaitable<> Expiry::fill(aws::Scope scope, std::string table_name, std::string ttl_id, std::shared_ptr<std::atomic<bool>> stop) {
  Catalog& catalog = items_.catalog();
  std::string cursor;
  while (!*stop) {
    const std::shared_ptr<storage::Snapshot> snapshot = catalog.store().snapshot();
    const std::optional<Table> table = co_await catalog.find_if(snapshot, scope, table_name);
    if (!table || (*table)->ttl_id != ttl_id) co_return;
    const std::string prefix = items_prefix(scope, (*table)->id);
    storage::ScanOptions options;
    options.begin = cursor.empty() ? prefix : cursor;
    options.end = storage::prefix_end(prefix);
    options.limit = kFilledPerCommit;
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    storage::Commit commit;
    commit.check(table_key(scope, table_name), table->version);
    for (const storage::Entry& entry : page.entries) {
      const std::optional<std::string> key = entry_of(**table, decode_stored(entry.value).item, entry.key);
      if (!key) continue;
      // A newer version of the item has written its own entry: then this page is read again.
      commit.check(entry.key, entry.version);
      commit.put(*key, "");
    }
    const auto done = commit.writes() ? co_await catalog.store().commit(std::move(commit)) : storage::Stamp{0};
    if (!done && done.error().code == storage::StoreErrc::kStopping) co_return;
    if (!done) {
      co_await back_off(6, catalog.entropy());
      continue;
    }
    if (!page.more || page.entries.empty()) break;
    cursor = page.entries.back().key + '\0';
  }
  if (*stop) co_return;
  co_await catalog.modify(scope, table_name, [ttl_id](TableRecord& record) {
    if (record.ttl_id == ttl_id) record.ttl_filling = false;
  });
}

}  // namespace parvis::dynamodb
