#include "services/dynamodb/collections.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {

std::string collection_key(const TableRecord& table, const Item& item) {
  std::string out = collections_prefix(table.scope, table.id);
  append_partition(item.at(table.keys.partition.name), out);
  return out;
}

std::string encode_collection_bytes(std::int64_t bytes) {
  std::string out;
  storage::append_u64(out, static_cast<std::uint64_t>(bytes));
  return out;
}

std::int64_t decode_collection_bytes(std::string_view stored) {
  if (stored.size() == 8) return static_cast<std::int64_t>(storage::load_u64(stored));
  spdlog::error("dynamodb: the size of an item collection is damaged");
  throw aws::ApiError(kInternal, "Internal server error");
}

void CollectionSizes::add(const TableRecord& table, const Item& item, std::vector<std::string>& keys) {
  of_write_.emplace_back();
  if (!table.counts_collections) return;
  std::string key = collection_key(table, item);
  const auto known = std::ranges::find(collections_, key, &Collection::key);
  of_write_.back() = static_cast<std::size_t>(known - collections_.begin());
  if (known != collections_.end()) return;
  collections_.push_back({.key = key, .at = keys.size()});
  keys.push_back(std::move(key));
}

void CollectionSizes::begin(std::span<const std::optional<storage::Value>> newest) {
  for (Collection& each : collections_) {
    each.before = each.bytes = newest[each.at] ? decode_collection_bytes(newest[each.at]->bytes) : 0;
  }
}

bool CollectionSizes::apply(std::size_t write, std::int64_t bytes_max, ItemWriteResult& result) {
  if (!of_write_.at(write)) return true;
  Collection& collection = collections_[*of_write_[write]];
  std::int64_t growth = 0;
  for (const CountChange& change : result.counts) {
    const auto index = std::ranges::find(result.table->indexes, change.index_id, &IndexRecord::id);
    if (index == result.table->indexes.end() || !index->global) growth += change.by.bytes;
  }
  collection.bytes += growth;
  result.collection_bytes = collection.bytes;
  return growth <= 0 || collection.bytes <= bytes_max;
}

void CollectionSizes::put_changed(storage::Commit& commit) const {
  for (const Collection& each : collections_) {
    if (each.bytes == each.before) continue;
    if (each.bytes == 0) commit.erase(each.key);
    else commit.put(each.key, encode_collection_bytes(each.bytes));
  }
}

}  // namespace parvis::dynamodb
