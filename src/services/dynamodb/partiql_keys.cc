// What the conditions of a PartiQL statement say about the key.
#include <algorithm>

#include "services/dynamodb/partiql.h"

namespace parvis::dynamodb {
namespace {

const std::string* attribute_of(const Condition& condition) {
  const auto* path = condition.operands.empty() ? nullptr : std::get_if<Path>(&condition.operands[0]);
  return path && path->steps.size() == 1 ? &path->root() : nullptr;
}

bool all_values(const Condition& condition) {
  return std::all_of(condition.operands.begin() + 1, condition.operands.end(),
                     [](const Operand& operand) { return std::holds_alternative<AttributeValue>(operand); });
}

// 'x' = pk says the same as pk = 'x'.
Condition turned(Condition condition) {
  if (condition.op != ConditionOp::kCompare || !std::holds_alternative<AttributeValue>(condition.operands[0]) ||
      !std::holds_alternative<Path>(condition.operands[1])) {
    return condition;
  }
  std::swap(condition.operands[0], condition.operands[1]);
  switch (condition.comparator) {
    case Comparator::kLt: condition.comparator = Comparator::kGt; break;
    case Comparator::kLe: condition.comparator = Comparator::kGe; break;
    case Comparator::kGt: condition.comparator = Comparator::kLt; break;
    case Comparator::kGe: condition.comparator = Comparator::kLe; break;
    case Comparator::kEq:
    case Comparator::kNe: break;
  }
  return condition;
}

void flatten(const Condition& condition, std::vector<Condition>& out) {
  if (condition.op != ConditionOp::kAnd) return out.push_back(turned(condition));
  for (const Condition& child : condition.children) flatten(child, out);
}

bool is_equality(const Condition& condition) {
  return condition.op == ConditionOp::kCompare && condition.comparator == Comparator::kEq;
}

// pk = 'a' OR pk = 'b' says the same as pk IN ['a', 'b'].
Condition merged_or(Condition condition) {
  if (condition.op != ConditionOp::kOr) return condition;
  Condition merged;
  merged.op = ConditionOp::kIn;
  for (Condition& child : condition.children) {
    const Condition each = turned(child);
    if (!is_equality(each) || !attribute_of(each) || !all_values(each)) return condition;
    if (merged.operands.empty()) merged.operands.push_back(each.operands[0]);
    if (std::get<Path>(merged.operands[0]) != std::get<Path>(each.operands[0])) return condition;
    merged.operands.push_back(each.operands[1]);
  }
  return merged;
}

bool is_sort_condition(const Condition& condition, const KeyAttribute& key) {
  if (!all_values(condition)) return false;
  if (condition.op == ConditionOp::kBeginsWith) return key.type != Type::kN;
  if (condition.op == ConditionOp::kBetween) return true;
  return condition.op == ConditionOp::kCompare && condition.comparator != Comparator::kNe;
}

// The key that the equalities of one part of an OR fix. `exact`: the part says nothing else.
std::optional<Item> key_of_part(const KeySchema& keys, const Condition& part, bool& exact) {
  std::vector<Condition> conditions;
  flatten(part, conditions);
  Item key;
  for (const Condition& each : conditions) {
    const std::string* name = attribute_of(each);
    const bool is_key = name && (*name == keys.partition.name || (keys.sort && *name == keys.sort->name));
    if (is_key && is_equality(each) && all_values(each) && key.emplace(*name, std::get<AttributeValue>(each.operands[1])).second) continue;
    exact = false;
  }
  if (key.size() != keys.attributes().size()) return std::nullopt;
  return key;
}

// (pk = 'a' AND sk = 1) OR (pk = 'b' AND sk = 2): the keys, empty when the condition is another.
std::vector<Item> keys_of_or(const KeySchema& keys, const Condition& condition, bool& exact) {
  std::vector<Item> out;
  if (condition.op != ConditionOp::kOr) return out;
  for (const Condition& part : condition.children) {
    std::optional<Item> key = key_of_part(keys, part, exact);
    if (!key) return {};
    if (std::ranges::find(out, *key) == out.end()) out.push_back(std::move(*key));
  }
  return out;
}

}  // namespace

KeyParts key_parts(const KeySchema& keys, const std::optional<Condition>& where) {
  KeyParts out;
  std::vector<Condition> conditions;
  if (where) flatten(*where, conditions);
  for (Condition& condition : conditions) {
    condition = merged_or(std::move(condition));
    const std::string* name = attribute_of(condition);
    const bool on_partition = name && *name == keys.partition.name && out.partitions.empty() && all_values(condition);
    if (on_partition && (is_equality(condition) || condition.op == ConditionOp::kIn)) {
      for (auto operand = condition.operands.begin() + 1; operand != condition.operands.end(); ++operand) {
        const AttributeValue& value = std::get<AttributeValue>(*operand);
        if (std::ranges::find(out.partitions, value) == out.partitions.end()) out.partitions.push_back(value);
      }
    } else if (name && keys.sort && *name == keys.sort->name && !out.sort && is_sort_condition(condition, *keys.sort)) {
      out.sort = std::move(condition);
    } else {
      out.rest.push_back(std::move(condition));
    }
  }
  for (auto condition = out.rest.begin(); out.partitions.empty() && !out.sort && condition != out.rest.end(); ++condition) {
    bool exact = true;
    out.whole_keys = keys_of_or(keys, *condition, exact);
    if (out.whole_keys.empty()) continue;
    if (exact) out.rest.erase(condition);
    break;
  }
  return out;
}

std::optional<Item> exact_key(const KeySchema& keys, const KeyParts& parts) {
  if (parts.partitions.size() != 1) return std::nullopt;
  Item key{{keys.partition.name, parts.partitions.front()}};
  if (!keys.sort) return key;
  if (!parts.sort || !is_equality(*parts.sort)) return std::nullopt;
  key.emplace(keys.sort->name, std::get<AttributeValue>(parts.sort->operands[1]));
  return key;
}

Condition equality(const std::string& attribute, const AttributeValue& value) {
  Condition condition;
  Path path;
  path.steps.emplace_back(attribute);
  condition.operands.emplace_back(std::move(path));
  condition.operands.emplace_back(value);
  return condition;
}

std::optional<Condition> all_of(std::vector<Condition> conditions) {
  if (conditions.empty()) return std::nullopt;
  if (conditions.size() == 1) return std::move(conditions.front());
  Condition all;
  all.op = ConditionOp::kAnd;
  all.children = std::move(conditions);
  return all;
}

}  // namespace parvis::dynamodb
