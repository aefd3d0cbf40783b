#include "services/dynamodb/item_store.h"

#include "services/dynamodb/collections.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

constexpr int kAttemptsMax = 20;

[[noreturn]] void throw_condition_failed(const ItemWrite& write, const std::optional<Item>& old_item) {
  boost::json::object members;
  if (write.return_old_on_failure && old_item) members["Item"] = item_to_json(*old_item);
  throw aws::ApiError(kConditionalCheckFailed, "The conditional request failed", std::move(members));
}

void charge_reads(Admission& admission, const std::vector<ItemRead>& reads, const std::vector<ItemReadResult>& results) {
  for (std::size_t i = 0; i < reads.size(); ++i) {
    if (results[i].table->on_demand) continue;  // not limited: its size need not be counted
    const std::size_t size = results[i].item ? item_size_bytes(*results[i].item) : 0;
    admission.charge(*results[i].table, nullptr, Access::kRead, reads[i].price * read_units(size, true));
  }
}

}  // namespace

void check_write_capacity(Admission& admission, const ItemWriteResult& result) {
  admission.check(*result.table, nullptr, Access::kWrite);
  for (const auto& [name, units] : result.index_units) admission.check(*result.table, result.table->index(name), Access::kWrite);
}

void charge_write(Admission& admission, const ItemWriteResult& result, double factor) {
  admission.charge(*result.table, nullptr, Access::kWrite, factor * write_units(result.base_size_bytes));
  for (const auto& [name, units] : result.index_units) {
    admission.charge(*result.table, result.table->index(name), Access::kWrite, factor * units);
  }
}

awaitable<std::vector<ItemReadResult>> ItemStore::read(aws::Scope scope, std::vector<ItemRead> reads) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  std::vector<ItemReadResult> results;
  std::vector<std::string> keys;
  results.reserve(reads.size());
  keys.reserve(reads.size());
  for (ItemRead& read : reads) {
    // Reads of one table mostly stand together.
    Table table = !results.empty() && results.back().table->name == read.table_name
                      ? results.back().table
                      : co_await catalog_.find(snapshot, scope, read.table_name);
    check_key(table->keys, read.key);
    catalog_.admission().check(*table, nullptr, Access::kRead);
    keys.push_back(item_key(*table, read.key));
    results.push_back({std::move(table), std::nullopt});
  }
  if (keys.size() == 1) {
    const std::optional<storage::Value> value = co_await snapshot->get(keys[0]);
    if (value) results[0].item = decode_stored(value->bytes).item;
    charge_reads(catalog_.admission(), reads, results);
    co_return results;
  }
  const std::vector<std::optional<storage::Value>> values = co_await snapshot->multi_get(std::move(keys));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (values.at(i)) results[i].item = decode_stored(values[i]->bytes).item;
  }
  charge_reads(catalog_.admission(), reads, results);
  co_return results;
}

namespace {

// One write of one item, over all its attempts.
struct WriteAttempt {
  const ItemWrite& write;
  Catalog& catalog;
  aws::Scope scope;
  std::string key;  // of the stored item
  std::uint64_t write_id = 0;
  std::int64_t collection_bytes_max = kCollectionBytesMax;
  CollectionSizes collections = {};
  bool unknown = false;                          // an earlier attempt may have arrived
  ItemWriteResult last;                          // what that attempt would have done
  std::optional<storage::Version> last_version;  // of the item that it would have replaced

  // What the last call of decide() found.
  ItemWriteResult result;
  std::optional<storage::Version> version;
  bool arrived = false, failed = false;  // the earlier attempt; the condition

  storage::Commit decide(std::span<const std::optional<storage::Value>> newest) {
    const std::optional<storage::Value>& value = newest[0];
    collections.begin(newest);
    result = {.table = result.table, .old_item = {}, .new_item = {}, .base_size_bytes = 0, .index_units = {}, .counts = {}};
    arrived = failed = false;
    version = value ? std::optional(value->version) : std::nullopt;
    storage::Commit commit;
    if (value) {
      StoredItem stored = decode_stored(value->bytes);
      if (unknown && stored.write_id == write_id) arrived = true;
      result.old_item = std::move(stored.item);
    }
    if (unknown && !value && last.old_item && !last.new_item) arrived = true;  // our delete, or one like it
    if (arrived) return commit;
    // Another write replaced the item since: whether it replaced ours cannot be told, so nothing that depends on the item
    // as it was may run a second time.
    if (unknown && version != last_version && (write.kind == ItemWrite::Kind::kUpdate || write.condition)) {
      throw aws::ApiError(kInternal, "Internal server error");
    }
    // A write that may have arrived is seen through: it must not be answered as throttled.
    if (!unknown) catalog.admission().check(*result.table, nullptr, Access::kWrite);
    std::optional<Planned> planned = plan_write(*result.table, write, result.old_item);
    failed = !planned;
    if (failed) return commit;
    result.new_item = std::move(planned->new_item);
    const WriteMark mark{write_id, catalog.clock().due().time_since_epoch().count(), false};
    add_changes(*result.table, mark, result, key, commit);
    if (!collections.apply(0, collection_bytes_max, result)) {
      throw aws::ApiError(kItemCollectionSizeLimit, std::string(kCollectionTooLargeMessage));
    }
    collections.put_changed(commit);
    if (!commit.writes()) return commit;  // a delete of nothing
    commit.check(table_key(scope, write.table_name), result.table.version);
    if (!unknown) check_write_capacity(catalog.admission(), result);
    return commit;
  }

  [[noreturn]] void throw_failed() const {
    // A write whose condition fails is charged by the size of the item that it met.
    const std::size_t size = result.old_item ? item_size_bytes(*result.old_item) : 0;
    catalog.admission().charge(*result.table, nullptr, Access::kWrite, write_units(size));
    if (write.is_insert) throw aws::ApiError(kDuplicateItem, std::string(kDuplicateItemMessage));
    throw_condition_failed(write, result.old_item);
  }
};

}  // namespace

awaitable<ItemWriteResult> ItemStore::write(aws::Scope scope, ItemWrite write) {
  WriteAttempt attempt{.write = write, .catalog = catalog_, .scope = scope, .key = {}, .write_id = catalog_.entropy().next_u64(),
                       .collection_bytes_max = collection_bytes_max_, .last = {}, .last_version = {}, .result = {}, .version = {}};
  storage::StoreError last_error{storage::StoreErrc::kConflict, {}, {}};
  for (int number = 0; number < kAttemptsMax; ++number) {
    co_await back_off(number, catalog_.entropy());
    attempt.result.table = co_await catalog_.find(catalog_.store().snapshot(), scope, write.table_name);
    const TableRecord& table = *attempt.result.table;
    if (write.kind == ItemWrite::Kind::kPut) check_item(table, write.item, false);
    else check_key(table.keys, write.item);
    attempt.key = item_key(table, write.item);
    storage::Update update{{attempt.key}, [&attempt](auto newest) { return attempt.decide(newest); }};
    attempt.collections = {};
    attempt.collections.add(table, write.item, update.keys);
    const auto done = co_await catalog_.store().update(std::move(update));
    if (done && attempt.arrived) co_return std::move(attempt.last);
    if (done && attempt.failed) attempt.throw_failed();
    if (done) {
      // A delete of nothing changes no count.
      if (attempt.result.old_item || attempt.result.new_item) catalog_.statistics().apply(table.id, attempt.result.counts, *done);
      charge_write(catalog_.admission(), attempt.result, 1);
      co_return std::move(attempt.result);
    }
    last_error = done.error();
    if (last_error.code == storage::StoreErrc::kUnknownOutcome) {
      attempt.unknown = true;
      catalog_.statistics().forget(table.id);
      attempt.last = attempt.result;
      attempt.last_version = attempt.version;
    } else if (last_error.code != storage::StoreErrc::kConflict) {
      throw_store_error(last_error);
    }
  }
  throw_store_error(last_error);
}

awaitable<> ItemStore::backfill(aws::Scope scope, std::string table_name, std::string index_id,
                                std::shared_ptr<std::atomic<bool>> stop) {
  std::string cursor;
  while (!*stop) {
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const std::optional<Table> table = co_await catalog_.find_if(snapshot, scope, table_name);
    if (!table) co_return;
    const auto index = std::ranges::find((*table)->indexes, index_id, &IndexRecord::id);
    if (index == (*table)->indexes.end() || !index->backfilling) co_return;
    storage::ScanOptions options;
    const std::string prefix = items_prefix(scope, (*table)->id);
    options.begin = cursor.empty() ? prefix : cursor;
    options.end = storage::prefix_end(prefix);
    options.limit = 200;
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    storage::Commit commit;
    commit.check(table_key(scope, table_name), table->version);
    for (const storage::Entry& entry : page.entries) {
      const StoredItem stored = decode_stored(entry.value);
      const std::optional<std::string> key = index_key(**table, *index, stored.item);
      if (!key) continue;
      // A newer version of the item has written its own entry: then this page is read again.
      commit.check(entry.key, entry.version);
      commit.put(*key, encode_stored(stored.write_id, index_projection(**table, *index, stored.item)));
    }
    if (!commit.puts.empty()) {
      const auto done = co_await catalog_.store().commit(std::move(commit));
      if (!done && done.error().code == storage::StoreErrc::kStopping) co_return;
      if (!done) {
        co_await back_off(6, catalog_.entropy());
        continue;
      }
    }
    if (!page.more) break;
    cursor = page.entries.back().key + '\0';
  }
  if (*stop) co_return;
  std::string table_id;
  co_await catalog_.modify(scope, table_name, [index_id, &table_id](TableRecord& record) {
    table_id = record.id;
    for (IndexRecord& each : record.indexes) {
      if (each.id == index_id) each.backfilling = false;
    }
  });
  catalog_.statistics().forget(table_id);
}

}  // namespace parvis::dynamodb
