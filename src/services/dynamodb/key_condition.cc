// From a KeyConditionExpression to a range of keys.
#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/query.h"

namespace parvis::dynamodb {
namespace {

std::string_view operator_name(const Condition& condition) {
  switch (condition.op) {
    case ConditionOp::kOr: return "OR";
    case ConditionOp::kNot: return "NOT";
    case ConditionOp::kIn: return "IN";
    case ConditionOp::kExists: return "attribute_exists";
    case ConditionOp::kNotExists: return "attribute_not_exists";
    case ConditionOp::kTypeIs: return "attribute_type";
    case ConditionOp::kContains: return "contains";
    case ConditionOp::kCompare: return condition.comparator == Comparator::kNe ? "<>" : "";
    case ConditionOp::kBetween:
    case ConditionOp::kBeginsWith:
    case ConditionOp::kAnd: return "";
  }
  return "";
}

void flatten(const Condition& condition, std::vector<const Condition*>& out) {
  if (const std::string_view name = operator_name(condition); !name.empty()) {
    throw_validation("Invalid operator used in KeyConditionExpression: " + std::string(name));
  }
  if (condition.op != ConditionOp::kAnd) out.push_back(&condition);
  for (const Condition& child : condition.children) flatten(child, out);
}

const std::string& key_name(const Condition& condition) {
  const auto* path = std::get_if<Path>(&condition.operands[0]);
  if (!path) {
    if (std::holds_alternative<SizeOf>(condition.operands[0])) {
      throw_validation("KeyConditionExpressions cannot contain nested operations");
    }
    throw_validation("Query key condition not supported");
  }
  if (path->steps.size() > 1) throw_validation("KeyConditionExpressions cannot have conditions on nested attributes");
  return path->root();
}

const AttributeValue& key_value(const Condition& condition, std::size_t i, const KeyAttribute& key) {
  const auto* value = std::get_if<AttributeValue>(&condition.operands[i]);
  if (!value) throw_validation("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition");
  if (value->type() != key.type) {
    throw_validation("One or more parameter values were invalid: Condition parameter type does not match schema type");
  }
  if (key.type != Type::kN && size_bytes(*value) == 0 && condition.op != ConditionOp::kBeginsWith) {
    throw_validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                     "empty " + std::string(key.type == Type::kS ? "string" : "binary") + " value. Key: " + key.name);
  }
  return *value;
}

bool is_equality(const Condition& condition) {
  return condition.op == ConditionOp::kCompare && condition.comparator == Comparator::kEq;
}

// Each encoded value ends by itself, so prefix_end() of one lies just behind all keys that hold it.
KeyRange sort_range(const Condition& condition, const KeyAttribute& key, const std::string& partition) {
  std::string first = partition;
  if (condition.op == ConditionOp::kBeginsWith) {
    if (key.type == Type::kN) {
      throw_validation("Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or "
                       "function: begins_with, operand type: N");
    }
    append_key_value_prefix(key_value(condition, 1, key), first);
    return {first, storage::prefix_end(first)};
  }
  append_key_value(key_value(condition, 1, key), first);
  const std::string end = storage::prefix_end(partition);
  if (condition.op == ConditionOp::kBetween) {
    std::string last = partition;
    append_key_value(key_value(condition, 2, key), last);
    return {first, storage::prefix_end(last)};
  }
  switch (condition.comparator) {
    case Comparator::kEq: return {first, storage::prefix_end(first)};
    case Comparator::kLt: return {partition, first};
    case Comparator::kLe: return {partition, storage::prefix_end(first)};
    case Comparator::kGt: return {storage::prefix_end(first), end};
    case Comparator::kGe: return {first, end};
    case Comparator::kNe: break;
  }
  throw_validation("Query key condition not supported");
}

// Of an index with several attributes per part: an equality for each partition attribute, and for the sort attributes from
// left to right; the last one named may have another condition.
// Source: Developer Guide, "Multi-attribute keys pattern"; messages as public conformance suites recorded them.
KeyRange multi_attribute_range(const KeySchema& keys, const std::vector<const Condition*>& parts, const std::string& prefix) {
  const std::vector<KeyAttribute> attributes = keys.attributes();
  std::vector<const Condition*> by_attribute(attributes.size());
  std::size_t given = keys.partition_count();  // behind the last attribute that has a condition
  for (const Condition* part : parts) {
    const auto found = std::ranges::find(attributes, key_name(*part), &KeyAttribute::name);
    if (found == attributes.end()) throw_validation("Query key condition not supported");
    const auto at = static_cast<std::size_t>(found - attributes.begin());
    if (by_attribute[at]) throw_validation("KeyConditionExpressions must only contain one condition per key");
    by_attribute[at] = part;
    given = std::max(given, at + 1);
  }
  std::string partition, missing;
  for (std::size_t i = 0; i < keys.partition_count(); ++i) {
    if (!by_attribute[i]) throw_validation("Query condition missed key schema element: " + attributes[i].name);
    if (!is_equality(*by_attribute[i])) throw_validation("Query key condition not supported");
    append_key_value(key_value(*by_attribute[i], 1, attributes[i]), partition);
  }
  std::string begin = prefix;
  append_encoded_partition(partition, begin);
  if (given == keys.partition_count()) return {begin, storage::prefix_end(begin)};
  for (std::size_t i = keys.partition_count(); i + 1 < given; ++i) {
    if (!by_attribute[i] || !is_equality(*by_attribute[i])) missing += (missing.empty() ? "" : ", ") + attributes[i].name;
    else append_key_value(key_value(*by_attribute[i], 1, attributes[i]), begin);
  }
  if (!missing.empty()) {
    throw_validation("RANGE key attributes " + missing + " must have equality conditions specified in the query because a condition is "
                     "present on key attribute " + attributes[given - 1].name);
  }
  return sort_range(*by_attribute[given - 1], attributes[given - 1], begin);
}

}  // namespace

KeyRange key_range(const KeySchema& keys, const Condition& condition, const std::string& prefix) {
  std::vector<const Condition*> parts;
  flatten(condition, parts);
  if (keys.is_multi_attribute()) return multi_attribute_range(keys, parts, prefix);
  const Condition* partition = nullptr;
  const Condition* sort = nullptr;
  for (const Condition* part : parts) {
    const std::string& name = key_name(*part);
    const Condition** slot = name == keys.partition.name ? &partition
                             : keys.sort && name == keys.sort->name ? &sort : nullptr;
    if (slot && *slot) {
      throw_validation("KeyConditionExpressions must only contain one condition per key");
    }
    if (slot) *slot = part;
  }
  if (parts.size() > 2) throw_validation("Conditions can be of length 1 or 2 only");
  if (!partition) throw_validation("Query condition missed key schema element: " + keys.partition.name);
  if (parts.size() == 2 && !sort) {
    throw_validation(keys.sort ? "Query condition missed key schema element: " + keys.sort->name
                               : "Query key condition not supported");
  }
  if (!is_equality(*partition)) throw_validation("Query key condition not supported");
  std::string begin = prefix;
  append_partition(key_value(*partition, 1, keys.partition), begin);
  if (!sort) return {begin, storage::prefix_end(begin)};
  return sort_range(*sort, *keys.sort, begin);
}

}  // namespace parvis::dynamodb
