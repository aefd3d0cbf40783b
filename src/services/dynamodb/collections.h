// dynamodb/collections.h: the sizes of item collections: the items of one partition key and their entries in local indexes.
//
// Only tables with local indexes have them (TableRecord::counts_collections). Each collection's size is a value of its own,
// which changes in the commit of its items, so it is right at every snapshot; writes to one collection take turns for it.
// Source: Developer Guide, "Item collections in local secondary indexes".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "services/dynamodb/item_store.h"

namespace parvis::dynamodb {

inline constexpr std::string_view kCollectionTooLargeMessage = "Collection size exceeded.";

// `item` has at least the partition key.
std::string collection_key(const TableRecord& table, const Item& item);
std::string encode_collection_bytes(std::int64_t bytes);
// Throws InternalServerError for damaged bytes.
std::int64_t decode_collection_bytes(std::string_view stored);

// The collections that the writes of one update change.
class CollectionSizes {
 public:
  // Adds the write's collection to `keys` of the update, unless it is there or the table has none. In the order of the writes.
  void add(const TableRecord& table, const Item& item, std::vector<std::string>& keys);
  // A write of which nothing is known: it changes no collection.
  void skip() { of_write_.emplace_back(); }
  bool has(std::size_t write) const { return of_write_.at(write).has_value(); }
  // Begins a decision upon the newest values of all keys of the update.
  void begin(std::span<const std::optional<storage::Value>> newest);
  // Counts what write number `write` changes and notes the new size in `result`. False when a collection that grows would pass
  // `bytes_max`.
  bool apply(std::size_t write, std::int64_t bytes_max, ItemWriteResult& result);
  void put_changed(storage::Commit& commit) const;

 private:
  struct Collection {
    std::string key;
    std::size_t at = 0;  // in the update's keys
    std::int64_t before = 0, bytes = 0;
  };
  std::vector<Collection> collections_;
  std::vector<std::optional<std::size_t>> of_write_;  // index in collections_
};

}  // namespace parvis::dynamodb
