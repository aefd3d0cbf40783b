// ItemCollectionMetrics: how large the items with one partition key are, for tables with local indexes.
// Source: Developer Guide, "Item collections in local secondary indexes"; API Reference, ItemCollectionMetrics.
#include <algorithm>
#include <cmath>

#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/request.h"

namespace parvis::dynamodb {
namespace {

constexpr double kGigabyte = 1024.0 * 1024 * 1024;

bool has_collections(const TableRecord& table) {
  return std::ranges::any_of(table.indexes, [](const IndexRecord& index) { return !index.global; });
}

// With each item the entries of five local indexes may be as large again.
constexpr std::size_t kLookedAtBytesMax = 16u << 20;

awaitable<bool> is_small_collection(Catalog& catalog, const TableRecord& table, const Item& item) {
  storage::ScanOptions options;
  options.begin = items_prefix(table.scope, table.id);
  append_partition(item.at(table.keys.partition.name), options.begin);
  options.end = storage::prefix_end(options.begin);
  const std::shared_ptr<storage::Snapshot> snapshot = catalog.store().snapshot();
  for (std::size_t bytes = 0; bytes < kLookedAtBytesMax;) {
    const storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) bytes += entry.value.size();
    if (!page.more) co_return true;
    options.begin = page.entries.back().key + '\0';
  }
  co_return false;
}

}  // namespace

// The estimate is a range that is sure to hold. A collection is no larger than its table with the local indexes; in a table
// beyond a gigabyte the collection itself is looked at, as far as one read may cost.
awaitable<std::optional<model::ItemCollectionMetrics>> Service::collection_metrics(std::optional<std::string> wanted, Table table,
                                                                                   const Item& item) {
  if (wanted != "SIZE" || !has_collections(*table)) co_return std::nullopt;
  model::ItemCollectionMetrics out;
  out.item_collection_key = Item{{table->keys.partition.name, item.at(table->keys.partition.name)}};
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const CountsByIndex counts = co_await catalog_.statistics().of(
      table, stopping_, [this, executor](awaitable<> rest) { run_in_background(executor, std::move(rest)); });
  double bytes = 0;
  for (const auto& [id, each] : counts) {
    const auto index = std::ranges::find(table->indexes, id, &IndexRecord::id);
    if (index == table->indexes.end() || !index->global) bytes += static_cast<double>(each.bytes);
  }
  double most = std::max(1.0, std::ceil(bytes / kGigabyte));
  if (most > 1 && co_await is_small_collection(catalog_, *table, item)) most = 1;
  out.size_estimate_range_gb = {0.0, most};
  co_return out;
}

awaitable<std::optional<Service::CollectionMetrics>> Service::collection_metrics_of_all(
    std::optional<std::string> wanted, const std::vector<ItemWriteResult>& results, const std::vector<Item>& items) {
  if (wanted != "SIZE") co_return std::nullopt;
  CollectionMetrics out;
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::optional<model::ItemCollectionMetrics> each = co_await collection_metrics(wanted, results[i].table, items.at(i));
    if (!each) continue;
    std::vector<model::ItemCollectionMetrics>& known = out[results[i].table->name];
    const bool repeated = std::ranges::any_of(
        known, [&](const auto& other) { return other.item_collection_key == each->item_collection_key; });
    if (!repeated) known.push_back(std::move(*each));
  }
  if (out.empty()) co_return std::nullopt;
  co_return out;
}

}  // namespace parvis::dynamodb
