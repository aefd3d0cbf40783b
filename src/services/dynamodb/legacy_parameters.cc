#include "services/dynamodb/legacy_parameters.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "services/dynamodb/errors.h"

namespace parvis::dynamodb {
namespace {

using Values = std::vector<AttributeValue>;
constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";
constexpr std::size_t kMany = SIZE_MAX;

struct OperatorSpec {
  std::string_view name;
  ConditionOp op;
  Comparator comparator;
  bool negated;
  std::size_t values_min, values_max;
  std::string_view types;  // of the values, each between blanks; empty: all
  bool on_keys;            // allowed in KeyConditions
};
constexpr std::string_view kScalars = " S N B ";
constexpr Comparator kNoComparator = Comparator::kEq;
constexpr OperatorSpec kOperators[] = {
    {"EQ", ConditionOp::kCompare, Comparator::kEq, false, 1, 1, "", true},
    {"NE", ConditionOp::kCompare, Comparator::kNe, false, 1, 1, "", false},
    {"LE", ConditionOp::kCompare, Comparator::kLe, false, 1, 1, kScalars, true},
    {"LT", ConditionOp::kCompare, Comparator::kLt, false, 1, 1, kScalars, true},
    {"GE", ConditionOp::kCompare, Comparator::kGe, false, 1, 1, kScalars, true},
    {"GT", ConditionOp::kCompare, Comparator::kGt, false, 1, 1, kScalars, true},
    {"NOT_NULL", ConditionOp::kExists, kNoComparator, false, 0, 0, "", false},
    {"NULL", ConditionOp::kNotExists, kNoComparator, false, 0, 0, "", false},
    {"CONTAINS", ConditionOp::kContains, kNoComparator, false, 1, 1, " S N B BOOL NULL ", false},
    {"NOT_CONTAINS", ConditionOp::kContains, kNoComparator, true, 1, 1, " S N B BOOL NULL ", false},
    {"BEGINS_WITH", ConditionOp::kBeginsWith, kNoComparator, false, 1, 1, " S B ", true},
    {"IN", ConditionOp::kIn, kNoComparator, false, 1, kMany, kScalars, false},
    {"BETWEEN", ConditionOp::kBetween, kNoComparator, false, 2, 2, kScalars, true},
};

const OperatorSpec& spec_of(const std::string& name) {
  const auto found = std::ranges::find(kOperators, name, &OperatorSpec::name);
  if (found == std::end(kOperators)) throw_validation("Unsupported ComparisonOperator: " + name);
  return *found;
}

bool is_reversed(const AttributeValue& low, const AttributeValue& high) {
  if (const auto* number = low.as<Number>()) return *number > *high.as<Number>();
  if (const auto* text = low.as<std::string>()) return *text > *high.as<std::string>();
  return *low.as<Binary>() > *high.as<Binary>();
}

void check_values(const OperatorSpec& spec, const Values& values) {
  const std::string name(spec.name);
  if (values.size() < spec.values_min || values.size() > spec.values_max) {
    throw_validation(std::string(kInvalid) + "Invalid number of argument(s) for the " + name + " ComparisonOperator");
  }
  if (values.empty()) return;
  const Type type = values.front().type();
  if (std::ranges::any_of(values, [type](const AttributeValue& value) { return value.type() != type; })) {
    throw_validation(std::string(kInvalid) + "AttributeValues inside AttributeValueList must be of same type");
  }
  const std::string type_name(to_string(type));
  if (!spec.types.empty() && spec.types.find(" " + type_name + " ") == std::string_view::npos) {
    throw_validation(std::string(kInvalid) + "ComparisonOperator " + name + " is not valid for " + type_name +
                     " AttributeValue type");
  }
  if (spec.op == ConditionOp::kBetween && is_reversed(values[0], values[1])) {
    throw_validation("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound");
  }
}

Path path_to(const std::string& attribute) {
  Path path;
  path.steps.emplace_back(attribute);
  return path;
}

Condition make_condition(const OperatorSpec& spec, const std::string& attribute, const Values& values) {
  Condition condition;
  condition.op = spec.op;
  condition.comparator = spec.comparator;
  condition.operands.emplace_back(path_to(attribute));
  for (const AttributeValue& value : values) condition.operands.emplace_back(value);
  if (!spec.negated) return condition;
  Condition negation;
  negation.op = ConditionOp::kNot;
  negation.children.push_back(std::move(condition));
  return negation;
}

std::optional<Condition> joined(std::vector<Condition> parts, const std::optional<std::string>& operation) {
  if (operation && parts.empty()) throw_validation("ConditionalOperator cannot be used without Filter or Expected");
  if (operation && parts.size() == 1) {
    throw_validation("ConditionalOperator can only be used when Filter or Expected has two or more elements");
  }
  if (parts.empty()) return std::nullopt;
  if (parts.size() == 1) return std::move(parts.front());
  Condition all;
  all.op = operation == "OR" ? ConditionOp::kOr : ConditionOp::kAnd;
  all.children = std::move(parts);
  return all;
}

// Expected without a ComparisonOperator: Exists and Value.
Condition existence_condition(const std::string& attribute, const aws::model::dynamodb::ExpectedAttributeValue& expected) {
  const std::string of = " for Attribute: " + attribute;
  if (expected.attribute_value_list) {
    throw_validation(std::string(kInvalid) + "AttributeValueList can only be used with a ComparisonOperator" + of);
  }
  const bool exists = expected.exists.value_or(true);
  if (exists && !expected.value) {
    throw_validation(std::string(kInvalid) + "Value must be provided when Exists is " +
                     (expected.exists ? "true" : "null") + of);
  }
  if (!exists && expected.value) {
    throw_validation(std::string(kInvalid) + "Value cannot be used when Exists is false" + of);
  }
  return exists ? make_condition(spec_of("EQ"), attribute, {*expected.value})
                : make_condition(spec_of("NULL"), attribute, {});
}

Condition expected_condition(const std::string& attribute, const aws::model::dynamodb::ExpectedAttributeValue& expected) {
  const std::string of = " for Attribute: " + attribute;
  if (expected.value && expected.attribute_value_list) {
    throw_validation(std::string(kInvalid) + "Value and AttributeValueList cannot be used together" + of);
  }
  if (!expected.comparison_operator) return existence_condition(attribute, expected);
  if (expected.exists) {
    throw_validation(std::string(kInvalid) + "Exists and ComparisonOperator cannot be used together" + of);
  }
  const OperatorSpec& spec = spec_of(*expected.comparison_operator);
  if (spec.values_min > 0 && !expected.value && !expected.attribute_value_list) {
    throw_validation(std::string(kInvalid) + "Value or AttributeValueList must be used with ComparisonOperator: " +
                     std::string(spec.name) + of);
  }
  const Values values = expected.value ? Values{*expected.value} : expected.attribute_value_list.value_or(Values());
  check_values(spec, values);
  return make_condition(spec, attribute, values);
}

void check_update(const aws::model::dynamodb::AttributeValueUpdate& update, const std::string& action) {
  if (!update.value) {
    if (action == "DELETE") return;
    throw_validation(std::string(kInvalid) + "Only DELETE action is allowed when no attribute value is specified");
  }
  const Type type = update.value->type();
  const bool is_set = type == Type::kSS || type == Type::kNS || type == Type::kBS;
  if (action == "DELETE" && !is_set) {
    throw_validation(std::string(kInvalid) + "DELETE action with value is not supported for the type " +
                     std::string(to_string(type)));
  }
  if (action == "ADD" && !is_set && type != Type::kN && type != Type::kL) {
    throw_validation(std::string(kInvalid) + "ADD action is not supported for the type " + std::string(to_string(type)));
  }
}

std::string names_of(std::initializer_list<Parameter> parameters) {
  std::string out;
  for (const Parameter& each : parameters) {
    if (each.present) out += (out.empty() ? "" : ", ") + std::string(each.name);
  }
  return out;
}

}  // namespace

void check_not_mixed(std::initializer_list<Parameter> legacy, std::initializer_list<Parameter> expressions) {
  const std::string old_names = names_of(legacy), new_names = names_of(expressions);
  if (old_names.empty() || new_names.empty()) return;
  throw_validation("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {" +
                   old_names + "} Expression parameters: {" + new_names + "}");
}

std::optional<Condition> translate_expected(const std::optional<LegacyExpected>& expected,
                                            const std::optional<std::string>& operation) {
  std::vector<Condition> parts;
  for (const auto& [attribute, each] : expected.value_or(LegacyExpected())) parts.push_back(expected_condition(attribute, each));
  return joined(std::move(parts), operation);
}

std::optional<Condition> translate_filter(const std::optional<LegacyConditions>& filter,
                                          const std::optional<std::string>& operation) {
  std::vector<Condition> parts;
  for (const auto& [attribute, each] : filter.value_or(LegacyConditions())) {
    const OperatorSpec& spec = spec_of(each.comparison_operator.value());
    const Values values = each.attribute_value_list.value_or(Values());
    check_values(spec, values);
    parts.push_back(make_condition(spec, attribute, values));
  }
  return joined(std::move(parts), operation);
}

Condition translate_key_conditions(const LegacyConditions& conditions) {
  std::vector<Condition> parts;
  for (const auto& [attribute, each] : conditions) {
    const OperatorSpec& spec = spec_of(each.comparison_operator.value());
    const Values values = each.attribute_value_list.value_or(Values());
    check_values(spec, values);
    if (!spec.on_keys) throw_validation("Attempted conditional constraint is not an indexable operation");
    parts.push_back(make_condition(spec, attribute, values));
  }
  // More than two fit only an index with several attributes per part of its key: key_range() knows.
  if (parts.empty()) throw_validation("Conditions can be of length 1 or 2 only");
  return *joined(std::move(parts), std::nullopt);
}

Update translate_updates(const LegacyUpdates& updates) {
  Update out;
  out.is_legacy = true;
  for (const auto& [attribute, update] : updates) {
    const std::string action = update.action.value_or("PUT");
    check_update(update, action);
    Path path = path_to(attribute);
    if (action == "ADD") out.adds.push_back({std::move(path), *update.value});
    else if (action == "DELETE" && update.value) out.deletes.push_back({std::move(path), *update.value});
    else if (action == "DELETE") out.removes.push_back(std::move(path));
    else out.sets.push_back({std::move(path), SetValue{SetValue::Op::kOperand, *update.value, {}}});
  }
  return out;
}

}  // namespace parvis::dynamodb
