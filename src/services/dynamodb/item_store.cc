#include "services/dynamodb/item_store.h"

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

constexpr int kAttemptsMax = 60;

[[noreturn]] void throw_condition_failed(const ItemWrite& write, const std::optional<Item>& old_item) {
  boost::json::object members;
  if (write.return_old_on_failure && old_item) members["Item"] = item_to_json(*old_item);
  throw aws::ApiError(kConditionalCheckFailed, "The conditional request failed", std::move(members));
}

void charge_reads(Admission& admission, const std::vector<ItemRead>& reads, const std::vector<ItemReadResult>& results) {
  for (std::size_t i = 0; i < reads.size(); ++i) {
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

awaitable<ItemWriteResult> ItemStore::write(aws::Scope scope, ItemWrite write) {
  const std::uint64_t write_id = catalog_.entropy().next_u64();
  bool unknown = false;            // an attempt may have arrived
  ItemWriteResult last;            // what that attempt would have done
  std::optional<storage::Version> last_version;  // of the item that it would have replaced
  storage::StoreError last_error{storage::StoreErrc::kConflict, {}, {}};
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, catalog_.entropy());
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    ItemWriteResult result;
    result.table = co_await catalog_.find(snapshot, scope, write.table_name);
    if (write.kind == ItemWrite::Kind::kPut) check_item(*result.table, write.item, false);
    else check_key(result.table->keys, write.item);
    const std::string key = item_key(*result.table, write.item);
    const std::optional<storage::Value> value = co_await snapshot->get(key);
    if (value) {
      StoredItem stored = decode_stored(value->bytes);
      if (unknown && stored.write_id == write_id) co_return last;
      result.old_item = std::move(stored.item);
    }
    if (unknown && !value && last.old_item && !last.new_item) co_return last;  // our delete, or one like it
    // Another write replaced the item since: whether it replaced ours cannot be told, so nothing that depends on the item
    // as it was may run a second time.
    const bool moved = (value ? std::optional(value->version) : std::nullopt) != last_version;
    if (unknown && moved && (write.kind == ItemWrite::Kind::kUpdate || write.condition)) {
      throw aws::ApiError(kInternal, "Internal server error");
    }
    // A write that may have arrived is seen through: it must not be answered as throttled.
    if (!unknown) catalog_.admission().check(*result.table, nullptr, Access::kWrite);
    std::optional<Planned> planned = plan_write(*result.table, write, result.old_item);
    // A write whose condition fails is charged by the size of the item that it met.
    if (!planned) {
      const std::size_t size = result.old_item ? item_size_bytes(*result.old_item) : 0;
      catalog_.admission().charge(*result.table, nullptr, Access::kWrite, write_units(size));
    }
    if (!planned && write.is_insert) throw aws::ApiError(kDuplicateItem, std::string(kDuplicateItemMessage));
    if (!planned) throw_condition_failed(write, result.old_item);
    result.new_item = std::move(planned->new_item);
    storage::Commit commit;
    commit.check(key, value ? std::optional(value->version) : std::nullopt);
    commit.check(table_key(scope, write.table_name), result.table.version);
    const WriteMark mark{write_id, catalog_.clock().due().time_since_epoch().count(), false};
    add_changes(*result.table, mark, result, key, commit);
    if (!commit.writes()) {  // a delete of nothing
      charge_write(catalog_.admission(), result, 1);
      co_return result;
    }
    if (!unknown) check_write_capacity(catalog_.admission(), result);
    const auto done = co_await catalog_.store().commit(std::move(commit));
    if (done) {
      catalog_.statistics().apply(result.table->id, result.counts, *done);
      charge_write(catalog_.admission(), result, 1);
      co_return result;
    }
    last_error = done.error();
    if (last_error.code == storage::StoreErrc::kUnknownOutcome) {
      unknown = true;
      catalog_.statistics().forget(result.table->id);
      last = std::move(result);
      last_version = value ? std::optional(value->version) : std::nullopt;
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
