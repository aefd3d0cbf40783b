#include "services/dynamodb/table.h"

#include <algorithm>

#include "core/hash.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr std::string_view kKeyMismatch = "The provided key element does not match the schema";
constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

json::object to_json(const KeyAttribute& key) { return {{"name", key.name}, {"type", to_string(key.type)}}; }
json::object to_json(const KeySchema& keys) {
  json::object out{{"partition", to_json(keys.partition)}};
  if (keys.sort) out["sort"] = to_json(*keys.sort);
  const auto write = [&out](std::string_view name, const std::vector<KeyAttribute>& more) {
    if (more.empty()) return;
    json::array& elements = out[name].emplace_array();
    for (const KeyAttribute& key : more) elements.push_back(to_json(key));
  };
  write("morePartitions", keys.more_partitions);
  write("moreSorts", keys.more_sorts);
  return out;
}
std::string text(const json::value& value) { return std::string(value.as_string().c_str(), value.as_string().size()); }
KeyAttribute read_key(const json::value& value) {
  const std::string type = text(value.at("type"));
  return {text(value.at("name")), type == "S" ? Type::kS : type == "N" ? Type::kN : Type::kB};
}
KeySchema read_keys(const json::value& value) {
  KeySchema keys{.partition = read_key(value.at("partition")), .sort = std::nullopt};
  const json::object& members = value.as_object();
  if (const json::value* sort = members.if_contains("sort")) keys.sort = read_key(*sort);
  const auto read = [&members](std::string_view name, std::vector<KeyAttribute>& more) {
    const json::value* elements = members.if_contains(name);
    if (!elements) return;
    for (const json::value& key : elements->as_array()) more.push_back(read_key(key));
  };
  read("morePartitions", keys.more_partitions);
  read("moreSorts", keys.more_sorts);
  return keys;
}

json::object write_throughput(const Throughput& in) { return {{"read", in.read}, {"write", in.write}}; }
// Records from before these limits have none.
Throughput read_throughput(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value ? Throughput{value->at("read").as_int64(), value->at("write").as_int64()} : Throughput();
}

IndexRecord read_index(const json::value& value) {
  IndexRecord index;
  index.id = text(value.at("id"));
  index.name = text(value.at("name"));
  index.global = value.at("global").as_bool();
  index.backfilling = value.at("backfilling").as_bool();
  index.keys = read_keys(value.at("keys"));
  index.projected = static_cast<Projected>(value.at("projected").as_int64());
  for (const json::value& name : value.at("attributes").as_array()) index.non_key_attributes.push_back(text(name));
  index.throughput = {value.at("read").as_int64(), value.at("write").as_int64()};
  index.on_demand_max = read_throughput(value.as_object(), "onDemandMax");
  index.warm = read_throughput(value.as_object(), "warm");
  return index;
}

json::object write_index(const IndexRecord& index) {
  json::array attributes;
  for (const std::string& name : index.non_key_attributes) attributes.emplace_back(name);
  return {{"id", index.id}, {"name", index.name}, {"global", index.global}, {"backfilling", index.backfilling},
          {"keys", to_json(index.keys)}, {"projected", static_cast<std::int64_t>(index.projected)},
          {"attributes", std::move(attributes)}, {"read", index.throughput.read}, {"write", index.throughput.write},
          {"onDemandMax", write_throughput(index.on_demand_max)}, {"warm", write_throughput(index.warm)}};
}

json::object write_stream(const StreamSetting& stream) {
  return {{"id", stream.id}, {"label", stream.label}, {"view", stream.view}, {"createdMs", stream.created_ms},
          {"enabled", stream.enabled}, {"policy", stream.policy}, {"policyRevision", stream.policy_revision}};
}

StreamSetting read_stream(const json::value& value) {
  StreamSetting out{text(value.at("id")), text(value.at("label")), text(value.at("view")), value.at("createdMs").as_int64(),
                    value.at("enabled").as_bool(), {}, {}};
  if (const json::value* policy = value.as_object().if_contains("policy")) {
    out.policy = text(*policy);
    out.policy_revision = text(value.at("policyRevision"));
  }
  return out;
}

json::object write_restore(const RestoreSetting& restore) {
  return {{"source", restore.source_arn}, {"table", restore.table_arn}, {"dataId", restore.data_id}, {"atMs", restore.at_ms},
          {"inProgress", restore.in_progress}};
}

RestoreSetting read_restore(const json::value& value) {
  return {text(value.at("source")), text(value.at("table")), text(value.at("dataId")), value.at("atMs").as_int64(),
          value.at("inProgress").as_bool()};
}

bool is_empty_value(const AttributeValue& value) {
  const auto* string = value.as<std::string>();
  const auto* binary = value.as<Binary>();
  return (string && string->empty()) || (binary && binary->bytes.empty());
}

void check_key_size(std::size_t size, bool is_sort) {
  if (!is_sort && size > kPartitionKeyBytesMax) {
    throw_validation(std::string(kInvalid) + "Size of hashkey has exceeded the maximum size limit of2048 bytes");
  }
  if (is_sort && size > kSortKeyBytesMax) {
    throw_validation(std::string(kInvalid) + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
  }
}

void check_key_value(const KeyAttribute& key, const AttributeValue& value, bool is_sort) {
  if (is_empty_value(value)) {
    throw_validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                     "empty " + std::string(key.type == Type::kS ? "string" : "binary") + " value. Key: " + key.name);
  }
  check_key_size(size_bytes(value), is_sort);
}

void check_index_keys(const IndexRecord& index, const Item& item) {
  std::size_t count = 0, partition_bytes = 0, sort_bytes = 0;
  for (const KeyAttribute& key : index.keys.attributes()) {
    const bool is_sort = count++ >= index.keys.partition_count();
    const auto found = item.find(key.name);
    if (found == item.end()) continue;
    if (found->second.type() != key.type) {
      throw_validation(std::string(kInvalid) + "Type mismatch for Index Key " + key.name + " Expected: " +
                       std::string(to_string(key.type)) + " Actual: " + std::string(to_string(found->second.type())) +
                       " IndexName: " + index.name);
    }
    if (is_empty_value(found->second)) {
      throw_validation("One or more parameter values are not valid. A value specified for a secondary index key is not "
                       "supported. The AttributeValue for a key attribute cannot contain an empty " +
                       std::string(key.type == Type::kS ? "string" : "binary") + " value. IndexName: " + index.name +
                       ", IndexKey: " + key.name);
    }
    std::size_t& bytes = is_sort ? sort_bytes : partition_bytes;
    check_key_size(bytes += size_bytes(found->second), is_sort);
  }
}

}  // namespace

std::vector<KeyAttribute> KeySchema::attributes() const {
  std::vector<KeyAttribute> out{partition};
  out.insert(out.end(), more_partitions.begin(), more_partitions.end());
  if (sort) out.push_back(*sort);
  out.insert(out.end(), more_sorts.begin(), more_sorts.end());
  return out;
}

std::string TableRecord::arn() const {
  return "arn:aws:dynamodb:" + scope.region + ":" + scope.account + ":table/" + name;
}

std::string TableRecord::public_id() const {
  std::string out = hex_encode(sha256(id)).substr(0, 32);
  out[12] = '4';
  out[16] = 'a';
  for (const std::size_t at : {8, 13, 18, 23}) out.insert(at, "-");
  return out;
}

bool TableRecord::has_local_indexes() const { return !std::ranges::all_of(indexes, &IndexRecord::global); }

const IndexRecord* TableRecord::index(std::string_view index_name) const {
  const auto found = std::ranges::find(indexes, index_name, &IndexRecord::name);
  return found == indexes.end() ? nullptr : &*found;
}

std::string TableRecord::to_json() const {
  json::object tag_object;
  for (const auto& [key, value] : tags) tag_object[key] = value;
  json::array index_array;
  for (const IndexRecord& index : indexes) index_array.push_back(write_index(index));
  json::object out{
      {"format", 1}, {"id", id}, {"name", name}, {"account", scope.account}, {"region", scope.region},
      {"keys", dynamodb::to_json(keys)}, {"indexes", std::move(index_array)}, {"onDemand", on_demand},
      {"read", throughput.read}, {"write", throughput.write}, {"createdMs", created_ms},
      {"deletionProtection", deletion_protection}, {"tableClass", table_class}, {"ttl", ttl_attribute},
      {"ttlId", ttl_id}, {"ttlFilling", ttl_filling}, {"tags", std::move(tag_object)}};
  out["onDemandMax"] = write_throughput(on_demand_max);
  out["warm"] = write_throughput(warm);
  out["countsCollections"] = counts_collections;
  if (encryption) out["encryption"] = json::object{{"key", encryption->key_arn}};
  if (restore) out["restore"] = write_restore(*restore);
  if (history) out["history"] = json::object{{"id", history->id}, {"sinceMs", history->since_ms}, {"days", history->days}};
  if (!policy.empty()) out["policy"] = policy;
  if (!policy.empty()) out["policyRevision"] = policy_revision;
  if (stream) out["stream"] = write_stream(*stream);
  return json::serialize(out);
}

std::expected<TableRecord, std::string> TableRecord::from_json(std::string_view bytes) {
  try {
    const json::value value = json::parse(json::string_view(bytes.data(), bytes.size()));
    if (value.at("format").as_int64() != 1) return std::unexpected("a table record of a newer format");
    TableRecord table;
    table.id = text(value.at("id"));
    table.name = text(value.at("name"));
    table.scope = {text(value.at("account")), text(value.at("region"))};
    table.keys = read_keys(value.at("keys"));
    for (const json::value& index : value.at("indexes").as_array()) table.indexes.push_back(read_index(index));
    table.on_demand = value.at("onDemand").as_bool();
    table.throughput = {value.at("read").as_int64(), value.at("write").as_int64()};
    table.created_ms = value.at("createdMs").as_int64();
    table.deletion_protection = value.at("deletionProtection").as_bool();
    table.table_class = text(value.at("tableClass"));
    table.ttl_attribute = text(value.at("ttl"));
    // Records from before streams and expiry have none of these.
    const json::object& members = value.as_object();
    if (const json::value* id = members.if_contains("ttlId")) table.ttl_id = text(*id);
    if (const json::value* filling = members.if_contains("ttlFilling")) table.ttl_filling = filling->as_bool();
    table.on_demand_max = read_throughput(members, "onDemandMax");
    table.warm = read_throughput(members, "warm");
    if (const json::value* counts = members.if_contains("countsCollections")) table.counts_collections = counts->as_bool();
    if (const json::value* setting = members.if_contains("encryption")) table.encryption = EncryptionSetting{text(setting->at("key"))};
    if (const json::value* restore = members.if_contains("restore")) table.restore = read_restore(*restore);
    if (const json::value* history = members.if_contains("history")) {
      table.history = HistorySetting{text(history->at("id")), history->at("sinceMs").as_int64(),
                                     static_cast<int>(history->at("days").as_int64())};
    }
    if (const json::value* policy = members.if_contains("policy")) {
      table.policy = text(*policy);
      table.policy_revision = text(members.at("policyRevision"));
    }
    if (const json::value* stream = members.if_contains("stream")) table.stream = read_stream(*stream);
    for (const auto& [key, tag] : value.at("tags").as_object()) table.tags[std::string(key)] = text(tag);
    return table;
  } catch (const std::exception& error) {
    return std::unexpected(std::string("a damaged table record: ") + error.what());
  }
}

void check_key(const KeySchema& schema, const Item& key) {
  const auto value_of = [&](const KeyAttribute& attribute) -> const AttributeValue& {
    const auto found = key.find(attribute.name);
    if (found == key.end() || found->second.type() != attribute.type) throw_validation(std::string(kKeyMismatch));
    return found->second;
  };
  if (key.size() != (schema.sort ? 2u : 1u)) throw_validation(std::string(kKeyMismatch));
  const AttributeValue& partition = value_of(schema.partition);
  const AttributeValue* sort = schema.sort ? &value_of(*schema.sort) : nullptr;
  check_key_value(schema.partition, partition, false);
  if (sort) check_key_value(*schema.sort, *sort, true);
}

void check_item(const TableRecord& table, const Item& item, bool is_update) {
  for (const KeyAttribute& key : table.keys.attributes()) {
    const auto found = item.find(key.name);
    if (found == item.end()) throw_validation(std::string(kInvalid) + "Missing the key " + key.name + " in the item");
    if (found->second.type() != key.type) {
      throw_validation(std::string(kInvalid) + "Type mismatch for key " + key.name + " expected: " +
                       std::string(to_string(key.type)) + " actual: " + std::string(to_string(found->second.type())));
    }
    check_key_value(key, found->second, table.keys.sort && key == *table.keys.sort);
  }
  for (const auto& [name, value] : item) {
    if (name.empty()) throw_validation("Empty attribute name");
    if (name.size() > 65535) throw_validation(std::string(kInvalid) + "Attribute name is longer than 65535 bytes");
  }
  if (item_size_bytes(item) > kItemSizeBytesMax) {
    throw_validation(is_update ? "Item size to update has exceeded the maximum allowed size"
                               : "Item size has exceeded the maximum allowed size");
  }
  check_nesting(item);
  for (const IndexRecord& index : table.indexes) check_index_keys(index, item);
}

void check_nesting(const Item& item) {
  if (nesting_depth(item) > kNestingDepthMax) throw_validation(std::string(kTooDeepMessage));
}

Item key_of(const KeySchema& schema, const Item& item) {
  Item key;
  for (const KeyAttribute& attribute : schema.attributes()) {
    if (const auto found = item.find(attribute.name); found != item.end()) key.insert(*found);
  }
  return key;
}

std::string item_key(const TableRecord& table, const Item& item) {
  std::string out = items_prefix(table.scope, table.id);
  append_partition(item.at(table.keys.partition.name), out);
  if (table.keys.sort) append_key_value(item.at(table.keys.sort->name), out);
  return out;
}

std::optional<std::string> index_key(const TableRecord& table, const IndexRecord& index, const Item& item) {
  std::string partition, sort;
  std::size_t count = 0, partition_bytes = 0, sort_bytes = 0;
  for (const KeyAttribute& key : index.keys.attributes()) {
    const bool is_sort = count++ >= index.keys.partition_count();
    const auto found = item.find(key.name);
    // A value of another type or size can only be older than the index: the item is then not in it.
    if (found == item.end() || found->second.type() != key.type) return std::nullopt;
    const std::size_t size = size_bytes(found->second);
    std::size_t& bytes = is_sort ? sort_bytes : partition_bytes;
    bytes += size;
    if (size == 0 || bytes > (is_sort ? kSortKeyBytesMax : kPartitionKeyBytesMax)) return std::nullopt;
    append_key_value(found->second, is_sort ? sort : partition);
  }
  std::string out = index_prefix(table.scope, table.id, index.id);
  append_encoded_partition(partition, out);
  out += sort;
  for (const KeyAttribute& key : table.keys.attributes()) append_key_value(item.at(key.name), out);
  return out;
}

Item index_projection(const TableRecord& table, const IndexRecord& index, const Item& item) {
  if (index.projected == Projected::kAll) return item;
  Item out = key_of(table.keys, item);
  out.merge(key_of(index.keys, item));
  for (const std::string& name : index.non_key_attributes) {
    if (const auto found = item.find(name); found != item.end()) out.insert(*found);
  }
  return out;
}

}  // namespace parvis::dynamodb
