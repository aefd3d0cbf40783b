// dynamodb/table.h: the record of a table: its schema, indexes and settings, and the rules of items that follow from them.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "services/dynamodb/attribute_value.h"
#include "storage/store.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kPartitionKeyBytesMax = 2048;
inline constexpr std::size_t kSortKeyBytesMax = 1024;
inline constexpr std::size_t kKeyPartAttributesMax = 4;  // of a part of a global index's key

struct KeyAttribute {
  std::string name;
  Type type = Type::kS;  // kS, kN or kB
  bool operator==(const KeyAttribute&) const = default;
};
struct KeySchema {
  KeyAttribute partition;
  std::optional<KeyAttribute> sort;
  // What follows in the key of a global index with several attributes per part; sorts only behind `sort`.
  std::vector<KeyAttribute> more_partitions = {}, more_sorts = {};
  std::vector<KeyAttribute> attributes() const;  // in the order of KeySchema: those of the partition come first
  std::size_t partition_count() const { return 1 + more_partitions.size(); }
  bool is_multi_attribute() const { return !more_partitions.empty() || !more_sorts.empty(); }
  bool operator==(const KeySchema&) const = default;
};
struct Throughput {
  std::int64_t read = 0, write = 0;
  bool operator==(const Throughput&) const = default;
};
enum class Projected { kAll, kKeysOnly, kInclude };

struct IndexRecord {
  std::string id, name;
  bool global = true;
  bool backfilling = false;
  KeySchema keys;
  Projected projected = Projected::kAll;
  std::vector<std::string> non_key_attributes;
  Throughput throughput;
  Throughput on_demand_max;  // units a second; 0: no limit
  Throughput warm;           // asked for; 0: what every index has
};

struct StreamSetting {  // the table's latest stream
  std::string id, label, view;
  std::int64_t created_ms = 0;
  bool enabled = false;
  std::string policy, policy_revision;  // empty: none
};

struct EncryptionSetting {  // SSESpecification with Enabled
  std::string key_arn;
};

struct RestoreSetting {  // what the table was made from
  std::string source_arn, table_arn, data_id;  // source_arn: of the backup, empty: from the table's history
  std::int64_t at_ms = 0;
  bool in_progress = false;  // the table is CREATING, its items are out of reach
};

struct HistorySetting {  // point-in-time recovery is on
  std::string id;
  std::int64_t since_ms = 0;
  int days = 35;
};

struct TableRecord {
  std::string id, name;
  aws::Scope scope;
  KeySchema keys;
  std::vector<IndexRecord> indexes;
  bool on_demand = true;
  Throughput throughput, on_demand_max, warm;  // as of an index
  std::optional<EncryptionSetting> encryption;
  std::int64_t created_ms = 0;
  bool deletion_protection = false;
  bool counts_collections = false;  // has local indexes: the sizes of its item collections are kept
  std::string table_class = "STANDARD";
  std::optional<StreamSetting> stream;
  std::optional<RestoreSetting> restore;
  std::optional<HistorySetting> history;
  std::string ttl_attribute;  // empty: off
  std::string ttl_id;         // of this time it was turned on
  bool ttl_filling = false;   // items from before are being entered
  std::string policy, policy_revision;  // empty: none
  std::map<std::string, std::string> tags;

  std::string arn() const;
  std::string public_id() const;  // TableId: a UUID that follows from `id`
  const IndexRecord* index(std::string_view index_name) const;
  bool has_local_indexes() const;
  std::string to_json() const;
  static std::expected<TableRecord, std::string> from_json(std::string_view text);
};

// One version of a table's record, as read.
struct Table {
  std::shared_ptr<const TableRecord> record;
  storage::Version version = 0;
  const TableRecord& operator*() const { return *record; }
  const TableRecord* operator->() const { return record.get(); }
};

// Throws ValidationException unless `key` has exactly the key attributes, with their types and sizes.
void check_key(const KeySchema& schema, const Item& key);
// Throws ValidationException unless the item has the key and keeps every limit (400 KB, depth, index keys).
void check_item(const TableRecord& table, const Item& item, bool is_update);
// Throws ValidationException for values that are nested deeper than an item may hold.
void check_nesting(const Item& item);
Item key_of(const KeySchema& schema, const Item& item);

std::string item_key(const TableRecord& table, const Item& item);
// nullopt: the item has not all of the index's key attributes.
std::optional<std::string> index_key(const TableRecord& table, const IndexRecord& index, const Item& item);
Item index_projection(const TableRecord& table, const IndexRecord& index, const Item& item);

}  // namespace parvis::dynamodb
