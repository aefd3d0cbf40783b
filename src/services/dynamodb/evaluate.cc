#include "services/dynamodb/evaluate.h"

#include <algorithm>

namespace parvis::dynamodb {
namespace {

const AttributeValue* step_into(const AttributeValue& value, const Path::Step& step) {
  if (const auto* name = std::get_if<std::string>(&step)) {
    const auto* map = value.as<AttributeMap>();
    if (!map) return nullptr;
    const auto found = map->find(*name);
    return found == map->end() ? nullptr : &found->second;
  }
  const auto* list = value.as<AttributeValue::List>();
  const std::size_t index = std::get<std::size_t>(step);
  return list && index < list->size() ? &(*list)[index] : nullptr;
}

std::optional<std::size_t> size_of(const AttributeValue& value) {
  if (const auto* text = value.as<std::string>()) return text->size();
  if (const auto* binary = value.as<Binary>()) return binary->bytes.size();
  if (const auto* list = value.as<AttributeValue::List>()) return list->size();
  if (const auto* map = value.as<AttributeMap>()) return map->size();
  if (const auto* set = value.as<StringSet>()) return set->values.size();
  if (const auto* set = value.as<NumberSet>()) return set->values.size();
  if (const auto* set = value.as<BinarySet>()) return set->values.size();
  return std::nullopt;
}

// The operand's value; `made` holds it when it is computed.
const AttributeValue* resolve(const Operand& operand, const Item& item, AttributeValue& made) {
  if (const auto* path = std::get_if<Path>(&operand)) return find(item, *path);
  if (const auto* value = std::get_if<AttributeValue>(&operand)) return value;
  const AttributeValue* target = find(item, std::get<SizeOf>(operand).path);
  const std::optional<std::size_t> size = target ? size_of(*target) : std::nullopt;
  if (!size) return nullptr;
  made = AttributeValue::number(Number::from_int(static_cast<std::int64_t>(*size)));
  return &made;
}

template <class T>
bool holds(Comparator comparator, const T& a, const T& b) {
  switch (comparator) {
    case Comparator::kEq: return a == b;
    case Comparator::kNe: return !(a == b);
    case Comparator::kLt: return a < b;
    case Comparator::kLe: return !(b < a);
    case Comparator::kGt: return b < a;
    case Comparator::kGe: return !(a < b);
  }
  return false;
}

// Values of different types are unequal and have no order. Strings order by their UTF-8 bytes.
bool compare(Comparator comparator, const AttributeValue& a, const AttributeValue& b) {
  if (comparator == Comparator::kEq) return a == b;
  if (comparator == Comparator::kNe) return !(a == b);
  if (a.type() != b.type()) return false;
  if (a.type() == Type::kS) return holds(comparator, *a.as<std::string>(), *b.as<std::string>());
  if (a.type() == Type::kN) return holds(comparator, *a.as<Number>(), *b.as<Number>());
  if (a.type() == Type::kB) return holds(comparator, *a.as<Binary>(), *b.as<Binary>());
  return false;
}

bool begins_with(const AttributeValue& value, const AttributeValue& prefix) {
  if (value.type() != prefix.type()) return false;
  if (const auto* text = value.as<std::string>()) return text->starts_with(*prefix.as<std::string>());
  if (const auto* binary = value.as<Binary>()) return binary->bytes.starts_with(prefix.as<Binary>()->bytes);
  return false;
}

template <class Set, class Element>
bool set_contains(const AttributeValue& value, const AttributeValue& element) {
  const auto* set = value.as<Set>();
  const auto* wanted = element.as<Element>();
  return set && wanted && std::ranges::binary_search(set->values, *wanted);
}

bool contains(const AttributeValue& value, const AttributeValue& element) {
  if (const auto* list = value.as<AttributeValue::List>()) return std::ranges::find(*list, element) != list->end();
  if (const auto* text = value.as<std::string>()) {
    const auto* part = element.as<std::string>();
    return part && text->find(*part) != std::string::npos;
  }
  if (const auto* binary = value.as<Binary>()) {
    const auto* part = element.as<Binary>();
    return part && binary->bytes.find(part->bytes) != std::string::npos;
  }
  return set_contains<StringSet, std::string>(value, element) || set_contains<NumberSet, Number>(value, element) ||
         set_contains<BinarySet, Binary>(value, element);
}

bool evaluate_leaf(const Condition& condition, const Item& item) {
  AttributeValue made_first;
  const AttributeValue* first = resolve(condition.operands[0], item, made_first);
  if (condition.op == ConditionOp::kExists) return first != nullptr;
  if (condition.op == ConditionOp::kNotExists) return first == nullptr;
  AttributeValue made;
  if (condition.op == ConditionOp::kIn) {
    return first && std::any_of(condition.operands.begin() + 1, condition.operands.end(), [&](const Operand& operand) {
      const AttributeValue* other = resolve(operand, item, made);
      return other && *other == *first;
    });
  }
  const AttributeValue* second = resolve(condition.operands[1], item, made);
  // An absent attribute differs from every value; every other comparison with it is false.
  if (!first || !second) {
    return condition.op == ConditionOp::kCompare && condition.comparator == Comparator::kNe && (first || second);
  }
  switch (condition.op) {
    case ConditionOp::kCompare: return compare(condition.comparator, *first, *second);
    case ConditionOp::kTypeIs: return to_string(first->type()) == *second->as<std::string>();
    case ConditionOp::kBeginsWith: return begins_with(*first, *second);
    case ConditionOp::kContains: return contains(*first, *second);
    case ConditionOp::kBetween: {
      AttributeValue made_high;
      const AttributeValue* high = resolve(condition.operands[2], item, made_high);
      return high && compare(Comparator::kGe, *first, *second) && compare(Comparator::kLe, *first, *high);
    }
    case ConditionOp::kIn:
    case ConditionOp::kExists:
    case ConditionOp::kNotExists:
    case ConditionOp::kAnd:
    case ConditionOp::kOr:
    case ConditionOp::kNot:
      break;
  }
  return false;
}

struct Selection {  // a tree of the paths to keep
  bool whole = false;
  std::map<std::string, Selection> names;
  std::map<std::size_t, Selection> indexes;
};

std::optional<AttributeValue> select(const AttributeValue& value, const Selection& selection);

AttributeMap select_map(const AttributeMap& map, const Selection& selection) {
  AttributeMap out;
  for (const auto& [name, inner] : selection.names) {
    const auto found = map.find(name);
    if (found == map.end()) continue;
    if (std::optional<AttributeValue> kept = select(found->second, inner)) out.emplace(name, std::move(*kept));
  }
  return out;
}

std::optional<AttributeValue> select(const AttributeValue& value, const Selection& selection) {
  if (selection.whole) return value;
  if (const auto* map = value.as<AttributeMap>()) {
    AttributeMap kept = select_map(*map, selection);
    if (kept.empty()) return std::nullopt;
    return AttributeValue::map(std::move(kept));
  }
  const auto* list = value.as<AttributeValue::List>();
  if (!list) return std::nullopt;
  AttributeValue::List kept;
  for (const auto& [index, inner] : selection.indexes) {
    if (index >= list->size()) break;
    if (std::optional<AttributeValue> element = select((*list)[index], inner)) kept.push_back(std::move(*element));
  }
  if (kept.empty()) return std::nullopt;
  return AttributeValue{std::move(kept)};
}

}  // namespace

const AttributeValue* find(const Item& item, const Path& path) {
  const auto root = item.find(path.root());
  if (root == item.end()) return nullptr;
  const AttributeValue* value = &root->second;
  for (std::size_t i = 1; value && i < path.steps.size(); ++i) value = step_into(*value, path.steps[i]);
  return value;
}

bool evaluate(const Condition& condition, const Item& item) {
  switch (condition.op) {
    case ConditionOp::kAnd:
      return std::ranges::all_of(condition.children, [&](const Condition& child) { return evaluate(child, item); });
    case ConditionOp::kOr:
      return std::ranges::any_of(condition.children, [&](const Condition& child) { return evaluate(child, item); });
    case ConditionOp::kNot:
      return !evaluate(condition.children[0], item);
    default:
      return evaluate_leaf(condition, item);
  }
}

Item project(const Item& item, const std::vector<Path>& paths) {
  Selection root;
  for (const Path& path : paths) {
    Selection* at = &root;
    for (const Path::Step& step : path.steps) {
      if (const auto* name = std::get_if<std::string>(&step)) at = &at->names[*name];
      else at = &at->indexes[std::get<std::size_t>(step)];
    }
    at->whole = true;
  }
  return select_map(item, root);
}

}  // namespace parvis::dynamodb
