// ItemCollectionMetrics: how large the items with one partition key are, for tables with local indexes.
// Source: Developer Guide, "Item collections in local secondary indexes"; API Reference, ItemCollectionMetrics.
#include <algorithm>

#include "services/dynamodb/request.h"

namespace parvis::dynamodb {
namespace {

constexpr std::int64_t kGigabyte = 1LL << 30;

}  // namespace

std::optional<model::ItemCollectionMetrics> collection_metrics(const std::optional<std::string>& wanted, const ItemWriteResult& result,
                                                               const Item& item) {
  const TableRecord& table = *result.table;
  if (wanted != "SIZE" || std::ranges::all_of(table.indexes, &IndexRecord::global)) return std::nullopt;
  model::ItemCollectionMetrics out;
  out.item_collection_key = Item{{table.keys.partition.name, item.at(table.keys.partition.name)}};
  // A table from before collections were counted: within the limit.
  if (!result.collection_bytes) out.size_estimate_range_gb = {0.0, static_cast<double>(kCollectionBytesMax / kGigabyte)};
  else {
    const auto whole = static_cast<double>(*result.collection_bytes / kGigabyte);
    out.size_estimate_range_gb = {whole, whole + 1};
  }
  return out;
}

std::optional<CollectionMetrics> collection_metrics_of_all(const std::optional<std::string>& wanted,
                                                           const std::vector<ItemWriteResult>& results, const std::vector<Item>& items) {
  if (wanted != "SIZE") return std::nullopt;
  CollectionMetrics out;
  // The last write to a collection knows its size after all.
  for (std::size_t i = results.size(); i-- > 0;) {
    std::optional<model::ItemCollectionMetrics> each = collection_metrics(wanted, results[i], items.at(i));
    if (!each) continue;
    std::vector<model::ItemCollectionMetrics>& known = out[results[i].table->name];
    const bool repeated = std::ranges::any_of(
        known, [&](const auto& other) { return other.item_collection_key == each->item_collection_key; });
    if (!repeated) known.insert(known.begin(), std::move(*each));
  }
  if (out.empty()) return std::nullopt;
  return out;
}

}  // namespace parvis::dynamodb
