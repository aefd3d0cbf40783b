#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/evaluate.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kWrongType = "An operand in the update expression has an incorrect data type";
constexpr std::string_view kNoAttribute = "The provided expression refers to an attribute that does not exist in the item";
constexpr std::string_view kInvalidPath = "The document path provided in the update expression is invalid for update";

AttributeValue evaluate_value(const SetValue& value, const Item& item);

Number number_of(const AttributeValue& value) {
  const Number* number = value.as<Number>();
  if (!number) throw_validation(std::string(kWrongType));
  return *number;
}

AttributeValue checked(std::expected<Number, std::string> number) {
  if (!number) throw_validation(std::move(number.error()));
  return AttributeValue::number(std::move(*number));
}

AttributeValue evaluate_operand(const std::variant<Path, AttributeValue>& operand, const Item& item) {
  if (const auto* value = std::get_if<AttributeValue>(&operand)) return *value;
  const AttributeValue* found = find(item, std::get<Path>(operand));
  if (!found) throw_validation(std::string(kNoAttribute));
  return *found;
}

AttributeValue evaluate_value(const SetValue& value, const Item& item) {
  switch (value.op) {
    case SetValue::Op::kOperand:
      return evaluate_operand(value.operand, item);
    case SetValue::Op::kIfNotExists: {
      const AttributeValue* found = find(item, std::get<Path>(value.operand));
      return found ? *found : evaluate_value(value.arguments[0], item);
    }
    case SetValue::Op::kListAppend: {
      AttributeValue left = evaluate_value(value.arguments[0], item);
      AttributeValue right = evaluate_value(value.arguments[1], item);
      auto* list = left.as<AttributeValue::List>();
      auto* more = right.as<AttributeValue::List>();
      if (!list || !more) throw_validation(std::string(kWrongType));
      std::ranges::move(*more, std::back_inserter(*list));
      return left;
    }
    case SetValue::Op::kAdd:
    case SetValue::Op::kSubtract: {
      const Number left = number_of(evaluate_value(value.arguments[0], item));
      const Number right = number_of(evaluate_value(value.arguments[1], item));
      return checked(value.op == SetValue::Op::kAdd ? Number::add(left, right) : Number::sub(left, right));
    }
  }
  throw_validation(std::string(kWrongType));
}

// The value that holds the path's last step, or nullptr when a step on the way is missing or of another kind.
AttributeValue* find_parent(Item& item, const Path& path) {
  const auto root = item.find(path.root());
  AttributeValue* value = root == item.end() ? nullptr : &root->second;
  for (std::size_t i = 1; value && i + 1 < path.steps.size(); ++i) {
    if (const auto* name = std::get_if<std::string>(&path.steps[i])) {
      auto* map = value->as<AttributeMap>();
      const auto found = map ? map->find(*name) : AttributeMap::iterator();
      value = map && found != map->end() ? &found->second : nullptr;
    } else {
      auto* list = value->as<AttributeValue::List>();
      const std::size_t index = std::get<std::size_t>(path.steps[i]);
      value = list && index < list->size() ? &(*list)[index] : nullptr;
    }
  }
  return value;
}

void assign(Item& item, const Path& path, AttributeValue value) {
  if (path.steps.size() == 1) {
    item.insert_or_assign(path.root(), std::move(value));
    return;
  }
  AttributeValue* parent = find_parent(item, path);
  if (const auto* name = std::get_if<std::string>(&path.steps.back())) {
    auto* map = parent ? parent->as<AttributeMap>() : nullptr;
    if (!map) throw_validation(std::string(kInvalidPath));
    map->insert_or_assign(*name, std::move(value));
    return;
  }
  auto* list = parent ? parent->as<AttributeValue::List>() : nullptr;
  if (!list) throw_validation(std::string(kInvalidPath));
  const std::size_t index = std::get<std::size_t>(path.steps.back());
  if (index < list->size()) (*list)[index] = std::move(value);
  else list->push_back(std::move(value));  // past the end: appended
}

void remove(Item& item, const Path& path) {
  if (path.steps.size() == 1) {
    item.erase(path.root());
    return;
  }
  AttributeValue* parent = find_parent(item, path);
  if (!parent) throw_validation(std::string(kInvalidPath));
  if (const auto* name = std::get_if<std::string>(&path.steps.back())) {
    auto* map = parent->as<AttributeMap>();
    if (!map) throw_validation(std::string(kInvalidPath));
    map->erase(*name);
    return;
  }
  auto* list = parent->as<AttributeValue::List>();
  if (!list) throw_validation(std::string(kInvalidPath));
  const std::size_t index = std::get<std::size_t>(path.steps.back());
  if (index < list->size()) list->erase(list->begin() + static_cast<std::ptrdiff_t>(index));
}

template <class Set>
AttributeValue merged(const AttributeValue* old, const Set& more, bool subtract) {
  Set out;
  const Set* before = old ? old->as<Set>() : nullptr;
  if (old && !before) throw_validation(std::string(kWrongType));
  const Set none;
  const auto& a = before ? before->values : none.values;
  if (subtract) std::ranges::set_difference(a, more.values, std::back_inserter(out.values));
  else std::ranges::set_union(a, more.values, std::back_inserter(out.values));
  return AttributeValue{std::move(out)};
}

// AttributeUpdates compare the types first and word the error in their own way.
void check_legacy_types(const Update& update, const Item& item) {
  for (const auto* changes : {&update.adds, &update.deletes}) {
    for (const Update::Change& change : *changes) {
      const AttributeValue* old = find(item, change.path);
      if (old && old->type() != change.value.type()) throw_validation("Type mismatch for attribute to update");
    }
  }
}

AttributeValue appended(const AttributeValue* old, const AttributeValue::List& more) {
  AttributeValue::List list = old ? *old->as<AttributeValue::List>() : AttributeValue::List();
  list.insert(list.end(), more.begin(), more.end());
  return AttributeValue{std::move(list)};
}

AttributeValue merge_sets(const AttributeValue* old, const AttributeValue& change, bool subtract) {
  if (const auto* set = change.as<StringSet>()) return merged(old, *set, subtract);
  if (const auto* set = change.as<NumberSet>()) return merged(old, *set, subtract);
  return merged(old, *change.as<BinarySet>(), subtract);
}

bool is_empty_set(const AttributeValue& value) {
  const auto* strings = value.as<StringSet>();
  const auto* numbers = value.as<NumberSet>();
  const auto* binaries = value.as<BinarySet>();
  return (strings && strings->values.empty()) || (numbers && numbers->values.empty()) ||
         (binaries && binaries->values.empty());
}

// Removals inside of one list go from its end, so that every index means the list as it was.
std::vector<Path> in_removal_order(std::vector<Path> paths) {
  std::ranges::sort(paths, [](const Path& a, const Path& b) { return a.steps > b.steps; });
  return paths;
}

}  // namespace

Item apply_update(const Update& update, const Item& item) {
  if (update.is_legacy) check_legacy_types(update, item);
  Item out = item;
  std::vector<AttributeValue> values;
  for (const Update::Set& set : update.sets) values.push_back(evaluate_value(set.value, item));
  // Lower list indexes first: what lies past the end is appended in the order of its index.
  std::vector<std::size_t> order(update.sets.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return update.sets[a].path.steps < update.sets[b].path.steps;
  });
  for (std::size_t i : order) assign(out, update.sets[i].path, std::move(values[i]));
  for (const Update::Change& change : update.adds) {
    const AttributeValue* old = find(item, change.path);
    if (const Number* number = change.value.as<Number>()) {
      assign(out, change.path, checked(Number::add(old ? number_of(*old) : Number(), *number)));
    } else if (const auto* list = change.value.as<AttributeValue::List>()) {
      assign(out, change.path, appended(old, *list));
    } else {
      assign(out, change.path, merge_sets(old, change.value, false));
    }
  }
  for (const Update::Change& change : update.deletes) {
    const AttributeValue* old = find(item, change.path);
    if (!old) continue;
    AttributeValue rest = merge_sets(old, change.value, true);
    if (is_empty_set(rest)) remove(out, change.path);
    else assign(out, change.path, std::move(rest));
  }
  for (const Path& path : in_removal_order(update.removes)) remove(out, path);
  return out;
}

}  // namespace parvis::dynamodb
