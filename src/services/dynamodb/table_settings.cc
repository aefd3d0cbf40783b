#include "services/dynamodb/table_settings.h"

#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/request.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";
constexpr std::int64_t kCapacityUnitsMax = 1'000'000'000'000;
using Definitions = std::optional<std::vector<model::AttributeDefinition>>;

[[noreturn]] void invalid(std::string message) { throw_validation(std::string(kInvalid) + message); }

std::string joined(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) out += (out.size() > 1 ? ", " : "") + name;
  return out + "]";
}

const model::AttributeDefinition* definition_of(const std::string& name, const Definitions& definitions) {
  if (!definitions) return nullptr;
  const auto found = std::ranges::find(*definitions, std::optional(name), &model::AttributeDefinition::attribute_name);
  return found == definitions->end() ? nullptr : &*found;
}

void check_defined(const std::vector<model::KeySchemaElement>& elements, const Definitions& definitions) {
  std::vector<std::string> keys, defined;
  for (const auto& each : elements) keys.push_back(each.attribute_name.value());
  for (const auto& each : definitions.value_or(std::vector<model::AttributeDefinition>())) defined.push_back(each.attribute_name.value());
  if (std::ranges::all_of(keys, [&](const std::string& key) { return std::ranges::find(defined, key) != defined.end(); })) return;
  invalid("Some index key attributes are not defined in AttributeDefinitions. Keys: " + joined(keys) +
          ", AttributeDefinitions: " + joined(defined));
}

KeyAttribute key_attribute(const std::string& name, const Definitions& definitions) {
  const std::string& type = definition_of(name, definitions)->attribute_type.value();
  return {name, type == "S" ? Type::kS : type == "N" ? Type::kN : Type::kB};
}

constexpr std::string_view kFirstIsNoHash = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type";

void check_length(const std::vector<model::KeySchemaElement>& elements, std::string_view member) {
  if (elements.size() <= 2) return;
  std::string shown;
  for (const auto& each : elements) {
    shown += (shown.empty() ? "" : ", ") + ("KeySchemaElement(attributeName=" + *each.attribute_name + ", keyType=" + *each.key_type + ")");
  }
  throw_validation("1 validation error detected: Value '[" + shown + "]' at '" + std::string(member) +
                   "' failed to satisfy constraint: Member must have length less than or equal to 2");
}

// A global index may have up to four attributes in each part of its key.
// Source: Developer Guide, "Multi-attribute key schema"; messages as a public probe of the service recorded them.
KeySchema make_multi_attribute_keys(const std::vector<model::KeySchemaElement>& elements, const Definitions& definitions) {
  if (elements[0].key_type != "HASH") throw_validation(std::string(kFirstIsNoHash));
  std::set<std::string> names;
  std::vector<KeyAttribute> partitions, sorts;
  for (const auto& each : elements) {
    if (!names.insert(*each.attribute_name).second) throw_validation("The KeySchema contains multiple key attributes with the same name");
    const bool is_partition = each.key_type == "HASH";
    if (is_partition && !sorts.empty()) invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema");
    (is_partition ? partitions : sorts).push_back(key_attribute(*each.attribute_name, definitions));
  }
  const auto check = [](const std::vector<KeyAttribute>& part, std::string_view kind) {
    if (part.size() <= kKeyPartAttributesMax) return;
    invalid("The KeySchema exceeds the maximum allowed number of " + std::string(kind) + " key attributes");
  };
  check(partitions, "HASH");
  check(sorts, "RANGE");
  KeySchema keys{.partition = partitions.front(), .sort = std::nullopt};
  keys.more_partitions.assign(partitions.begin() + 1, partitions.end());
  if (sorts.empty()) return keys;
  keys.sort = sorts.front();
  keys.more_sorts.assign(sorts.begin() + 1, sorts.end());
  return keys;
}

// In the order in which DynamoDB finds what is wrong.
KeySchema make_keys(const std::vector<model::KeySchemaElement>& elements, const Definitions& definitions, bool global = false) {
  if (elements.empty()) throw_validation(std::string(kFirstIsNoHash));
  check_defined(elements, definitions);
  if (global && (elements.size() > 2 || (elements.size() == 2 && elements[1].key_type == "HASH"))) {
    return make_multi_attribute_keys(elements, definitions);
  }
  if (elements.size() == 2 && elements[0].attribute_name == elements[1].attribute_name) {
    throw_validation("Both the Hash Key and the Range Key element in the KeySchema have the same name");
  }
  if (elements[0].key_type != "HASH") throw_validation(std::string(kFirstIsNoHash));
  if (elements.size() == 2 && elements[1].key_type != "RANGE") {
    throw_validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
  }
  KeySchema keys{.partition = key_attribute(elements[0].attribute_name.value(), definitions), .sort = std::nullopt};
  if (elements.size() == 2) keys.sort = key_attribute(elements[1].attribute_name.value(), definitions);
  return keys;
}

template <class Source>
IndexRecord index_of(const Source& in, const Definitions& definitions, bool global) {
  IndexRecord index;
  index.name = in.index_name.value();
  index.global = global;
  index.keys = make_keys(in.key_schema.value(), definitions, global);
  const model::Projection projection = in.projection.value_or(model::Projection());
  const std::string type = projection.projection_type.value_or("");
  if (type.empty()) invalid("Unknown ProjectionType: null");
  index.projected = type == "ALL" ? Projected::kAll : type == "KEYS_ONLY" ? Projected::kKeysOnly : Projected::kInclude;
  index.non_key_attributes = projection.non_key_attributes.value_or(std::vector<std::string>());
  if (index.projected == Projected::kInclude && index.non_key_attributes.empty()) {
    invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
  }
  if (index.projected != Projected::kInclude && !index.non_key_attributes.empty()) {
    invalid("ProjectionType is " + type + ", but NonKeyAttributes is specified");
  }
  return index;
}

Throughput throughput_of(const std::optional<model::ProvisionedThroughput>& in) {
  if (!in) return {};
  const auto check = [](std::int64_t value, std::string_view name) {
    if (value <= kCapacityUnitsMax) return;
    throw_validation("Given value " + std::to_string(value) + " for " + std::string(name) + " is out of bounds");
  };
  check(in->read_capacity_units.value(), "ReadCapacityUnits");
  check(in->write_capacity_units.value(), "WriteCapacityUnits");
  return {*in->read_capacity_units, *in->write_capacity_units};
}

void add_name(const std::string& name, std::set<std::string>& names) {
  if (!names.insert(name).second) invalid("Duplicate index name: " + name);
}

void add_local_indexes(const model::CreateTableInput& in, std::set<std::string>& names, TableRecord& record) {
  if (!in.local_secondary_indexes) return;
  if (in.local_secondary_indexes->empty()) invalid("List of LocalSecondaryIndexes is empty");
  if (!record.keys.sort) {
    invalid("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex");
  }
  for (const auto& each : *in.local_secondary_indexes) {
    check_length(each.key_schema.value(), "localSecondaryIndexes." + std::to_string(record.indexes.size() + 1) + ".member.keySchema");
    const KeySchema keys = make_keys(each.key_schema.value(), in.attribute_definitions);
    const std::string& name = each.index_name.value();
    if (!keys.sort) invalid("Index KeySchema does not have a range key for index: " + name);
    if (keys.partition != record.keys.partition) {
      invalid("Index KeySchema does not have the same leading hash key as table KeySchema for index: " + name +
              ". index hash key: " + keys.partition.name + ", table hash key: " + record.keys.partition.name);
    }
    IndexRecord index = index_of(each, in.attribute_definitions, false);
    add_name(name, names);
    record.indexes.push_back(std::move(index));
  }
  if (record.indexes.size() > kLocalIndexesMax) {
    invalid("Number of LocalSecondaryIndexes exceeds per-table limit of " + std::to_string(kLocalIndexesMax));
  }
}

void add_global_indexes(const model::CreateTableInput& in, std::set<std::string>& names, TableRecord& record) {
  if (!in.global_secondary_indexes) return;
  if (in.global_secondary_indexes->empty()) invalid("List of GlobalSecondaryIndexes is empty");
  for (const auto& each : *in.global_secondary_indexes) {
    IndexRecord index = index_of(each, in.attribute_definitions, true);
    if (record.on_demand && each.provisioned_throughput) {
      invalid("ProvisionedThroughput should not be specified for index: " + index.name +
              " when BillingMode is PAY_PER_REQUEST");
    }
    add_name(index.name, names);
    if (!record.on_demand && !each.provisioned_throughput) {
      invalid("ProvisionedThroughput is not specified for index: " + index.name);
    }
    index.throughput = throughput_of(each.provisioned_throughput);
    index.on_demand_max = on_demand_max_of(record, each.on_demand_throughput, {}, index.name);
    index.warm = warm_of(record, each.warm_throughput, {}, index.throughput, index.name);
    record.indexes.push_back(std::move(index));
  }
  if (in.global_secondary_indexes->size() > kGlobalIndexesMax) {
    invalid("GlobalSecondaryIndex count exceeds the per-table limit of " + std::to_string(kGlobalIndexesMax));
  }
}

void check_names(const Definitions& definitions) {
  std::set<std::string> names;
  for (const auto& each : definitions.value_or(std::vector<model::AttributeDefinition>())) {
    if (!names.insert(each.attribute_name.value()).second) throw_validation("Attribute Name is duplicated: " + *each.attribute_name);
  }
}

void check_definitions(const Definitions& definitions, const TableRecord& record) {
  std::set<std::string> used, defined;
  const auto use = [&](const KeySchema& keys) {
    for (const KeyAttribute& key : keys.attributes()) used.insert(key.name);
  };
  use(record.keys);
  for (const IndexRecord& index : record.indexes) use(index.keys);
  for (const auto& each : definitions.value_or(std::vector<model::AttributeDefinition>())) {
    defined.insert(each.attribute_name.value());
  }
  if (defined.size() != used.size()) {
    invalid("Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions");
  }
}

std::vector<model::KeySchemaElement> schema_elements(const KeySchema& keys) {
  std::vector<model::KeySchemaElement> out;
  for (const KeyAttribute& key : keys.attributes()) out.push_back({key.name, out.size() < keys.partition_count() ? "HASH" : "RANGE"});
  return out;
}

model::Projection projection_element(const IndexRecord& index) {
  model::Projection out;
  out.projection_type = index.projected == Projected::kAll ? "ALL" : index.projected == Projected::kKeysOnly ? "KEYS_ONLY" : "INCLUDE";
  if (!index.non_key_attributes.empty()) out.non_key_attributes = index.non_key_attributes;
  return out;
}

model::ProvisionedThroughputDescription throughput_element(const Throughput& throughput) {
  model::ProvisionedThroughputDescription out;
  out.number_of_decreases_today = 0;
  out.read_capacity_units = throughput.read;
  out.write_capacity_units = throughput.write;
  return out;
}

void describe_index(const TableRecord& record, const IndexRecord& index, model::TableDescription& out) {
  const auto fill = [&](auto& element) {
    element.index_name = index.name;
    element.key_schema = schema_elements(index.keys);
    element.projection = projection_element(index);
    element.index_arn = record.arn() + "/index/" + index.name;
  };
  if (!index.global) {
    if (!out.local_secondary_indexes) out.local_secondary_indexes.emplace();
    fill(out.local_secondary_indexes->emplace_back());
    return;
  }
  if (!out.global_secondary_indexes) out.global_secondary_indexes.emplace();
  model::GlobalSecondaryIndexDescription& element = out.global_secondary_indexes->emplace_back();
  fill(element);
  element.index_status = index.backfilling ? "CREATING" : "ACTIVE";
  if (index.backfilling) element.backfilling = true;
  element.provisioned_throughput = throughput_element(index.throughput);
}

}  // namespace

std::map<std::string, std::string> checked_tags(const std::vector<model::Tag>& tags) {
  std::map<std::string, std::string> out;
  for (const model::Tag& tag : tags) {
    if (out.emplace(tag.key.value(), tag.value.value()).second) continue;
    throw_validation("Duplicate Tag Keys provided as input: Duplicate Tag Key found " + *tag.key);
  }
  check_tag_count(out.size());
  return out;
}

void check_tag_count(std::size_t count) {
  if (count > kTagsMax) throw_validation("Number of Tags exceed the current limit for the provided ResourceArn");
}

TableRecord make_record(const aws::Scope& scope, const model::CreateTableInput& in) {
  TableRecord record;
  record.scope = scope;
  record.name = table_name(scope, in.table_name);
  check_names(in.attribute_definitions);
  record.on_demand = in.billing_mode.value_or("PROVISIONED") == "PAY_PER_REQUEST";
  if (record.on_demand && in.provisioned_throughput) {
    invalid("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
  }
  if (!record.on_demand && !in.provisioned_throughput) {
    invalid("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED");
  }
  record.throughput = throughput_of(in.provisioned_throughput);
  if (!in.key_schema) throw_validation("KeySchema is required");
  check_length(*in.key_schema, "keySchema");
  if (in.key_schema->size() > in.attribute_definitions.value_or(std::vector<model::AttributeDefinition>()).size()) {
    throw_validation("Invalid KeySchema: Some index key attribute have no definition");
  }
  record.keys = make_keys(*in.key_schema, in.attribute_definitions);
  if (!in.local_secondary_indexes && !in.global_secondary_indexes) check_definitions(in.attribute_definitions, record);
  record.encryption = encryption_of(scope, in.sse_specification, std::nullopt);
  record.on_demand_max = on_demand_max_of(record, in.on_demand_throughput, {});
  record.warm = warm_of(record, in.warm_throughput, {}, record.throughput);
  record.deletion_protection = in.deletion_protection_enabled.value_or(false);
  if (in.resource_policy) record.policy = checked_policy(*in.resource_policy);
  record.table_class = in.table_class.value_or("STANDARD");
  record.tags = checked_tags(in.tags.value_or(std::vector<model::Tag>()));
  std::set<std::string> names;
  add_local_indexes(in, names, record);
  add_global_indexes(in, names, record);
  record.counts_collections = record.has_local_indexes();
  check_definitions(in.attribute_definitions, record);
  return record;
}

void apply_settings(const model::UpdateTableInput& in, TableRecord& record) {
  if (in.billing_mode) record.on_demand = *in.billing_mode == "PAY_PER_REQUEST";
  if (in.provisioned_throughput) {
    if (record.on_demand) {
      invalid("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
    }
    record.throughput = throughput_of(in.provisioned_throughput);
  }
  if (record.on_demand) record.throughput = {};
  if (!record.on_demand && record.throughput.read == 0) {
    invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
  }
  record.on_demand_max = on_demand_max_of(record, in.on_demand_throughput, record.on_demand_max);
  record.warm = warm_of(record, in.warm_throughput, record.warm, record.throughput);
  record.encryption = encryption_of(record.scope, in.sse_specification, std::move(record.encryption));
  if (in.table_class) record.table_class = *in.table_class;
  if (in.deletion_protection_enabled) record.deletion_protection = *in.deletion_protection_enabled;
}

IndexRecord make_index(const TableRecord& table, const model::CreateGlobalSecondaryIndexAction& in,
                       const std::optional<std::vector<model::AttributeDefinition>>& definitions) {
  IndexRecord index = index_of(in, definitions, true);
  if (table.index(index.name)) throw_validation("Attempting to create an index which already exists");
  if (std::ranges::count(table.indexes, true, &IndexRecord::global) >= static_cast<std::ptrdiff_t>(kGlobalIndexesMax)) {
    throw aws::ApiError(kLimitExceeded, "Number of GlobalSecondaryIndexes exceeds per-table limit of 20");
  }
  index.throughput = throughput_of(in.provisioned_throughput);
  index.on_demand_max = on_demand_max_of(table, in.on_demand_throughput, {}, index.name);
  index.warm = warm_of(table, in.warm_throughput, {}, index.throughput, index.name);
  index.backfilling = true;
  return index;
}

std::string status_of(const TableRecord& record) {
  return record.restore && record.restore->in_progress ? "CREATING" : "ACTIVE";
}

model::TableDescription describe_record(const TableRecord& record, std::string status) {
  model::TableDescription out;
  out.table_name = record.name;
  out.table_status = std::move(status);
  out.table_arn = record.arn();
  out.table_id = record.public_id();
  out.creation_date_time = aws::Timestamp{static_cast<double>(record.created_ms) / 1000};
  out.key_schema = schema_elements(record.keys);
  std::map<std::string, Type> definitions;
  for (const KeyAttribute& key : record.keys.attributes()) definitions[key.name] = key.type;
  for (const IndexRecord& index : record.indexes) {
    for (const KeyAttribute& key : index.keys.attributes()) definitions[key.name] = key.type;
    describe_index(record, index, out);
  }
  out.attribute_definitions.emplace();
  for (const auto& [name, type] : definitions) out.attribute_definitions->push_back({name, std::string(to_string(type))});
  out.provisioned_throughput = throughput_element(record.throughput);
  if (record.on_demand) {
    out.billing_mode_summary.emplace();
    out.billing_mode_summary->billing_mode = "PAY_PER_REQUEST";
  }
  if (record.table_class != "STANDARD") {
    out.table_class_summary.emplace();
    out.table_class_summary->table_class = record.table_class;
  }
  out.deletion_protection_enabled = record.deletion_protection;
  describe_capacity(record, out);
  if (record.restore && !record.restore->table_arn.empty()) {  // an import leaves none
    model::RestoreSummary& summary = out.restore_summary.emplace();
    if (!record.restore->source_arn.empty()) summary.source_backup_arn = record.restore->source_arn;
    summary.source_table_arn = record.restore->table_arn;
    summary.restore_date_time = aws::Timestamp{static_cast<double>(record.restore->at_ms) / 1000};
    summary.restore_in_progress = record.restore->in_progress;
  }
  if (record.stream) {
    // The latest stream stays named after it was disabled.
    out.latest_stream_label = record.stream->label;
    out.latest_stream_arn = record.arn() + "/stream/" + record.stream->label;
    if (record.stream->enabled) {
      out.stream_specification.emplace();
      out.stream_specification->stream_enabled = true;
      out.stream_specification->stream_view_type = record.stream->view;
    }
  }
  return out;
}

}  // namespace parvis::dynamodb
