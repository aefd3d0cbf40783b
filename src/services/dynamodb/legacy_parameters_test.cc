#include "services/dynamodb/legacy_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/api_call.h"
#include "services/dynamodb/evaluate.h"
#include "services/dynamodb/testing/items.h"

namespace parvis::dynamodb {
namespace {

using aws::model::dynamodb::AttributeValueUpdate;
using aws::model::dynamodb::ExpectedAttributeValue;
using LegacyCondition = aws::model::dynamodb::Condition;
using testing::HasSubstr;

AttributeValue text(std::string value) { return AttributeValue::string(std::move(value)); }
AttributeValue words(std::vector<std::string> values) { return AttributeValue{StringSet{std::move(values)}}; }

LegacyCondition condition(std::string op, std::vector<AttributeValue> values) {
  LegacyCondition out;
  out.comparison_operator = std::move(op);
  if (!values.empty()) out.attribute_value_list = std::move(values);
  return out;
}

template <class F>
std::string error_of(F call) {
  try {
    call();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "ValidationException");
    return error.message();
  }
  return "no error";
}

struct FilterCase {
  const char* name;
  std::string op;
  std::vector<AttributeValue> values;
  bool on_n, on_words, on_absent;
};
class TranslateFilter : public testing::TestWithParam<FilterCase> {};

// n is 5, words are a and b.
TEST_P(TranslateFilter, MeansWhatTheOperatorSays) {
  const Item item{{"n", number(5)}, {"words", words({"a", "b"})}};
  for (const auto& [attribute, want] : {std::pair("n", GetParam().on_n), {"words", GetParam().on_words}, {"absent", GetParam().on_absent}}) {
    const auto made = translate_filter(LegacyConditions{{attribute, condition(GetParam().op, GetParam().values)}}, std::nullopt);
    EXPECT_EQ(evaluate(made.value(), item), want) << attribute;
  }
}
INSTANTIATE_TEST_SUITE_P(Operators, TranslateFilter, testing::Values(
    FilterCase{"equal", "EQ", {number(5)}, true, false, false},
    FilterCase{"unequal", "NE", {number(5)}, false, true, true},
    FilterCase{"less", "LT", {number(6)}, true, false, false},
    FilterCase{"at_least", "GE", {number(5)}, true, false, false},
    FilterCase{"there", "NOT_NULL", {}, true, true, false},
    FilterCase{"absent", "NULL", {}, false, false, true},
    FilterCase{"contains", "CONTAINS", {text("a")}, false, true, false},
    FilterCase{"does_not_contain", "NOT_CONTAINS", {text("a")}, true, false, true},
    FilterCase{"one_of", "IN", {number(4), number(5)}, true, false, false},
    FilterCase{"between", "BETWEEN", {number(5), number(9)}, true, false, false}),
    [](const auto& info) { return info.param.name; });

struct BadFilter {
  const char* name;
  std::string op;
  std::vector<AttributeValue> values;
  std::string message;
};
class RefuseFilter : public testing::TestWithParam<BadFilter> {};
TEST_P(RefuseFilter, WithTheServicesWords) {
  EXPECT_THAT(error_of([] {
    translate_filter(LegacyConditions{{"a", condition(GetParam().op, GetParam().values)}}, std::nullopt);
  }), HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(Values, RefuseFilter, testing::Values(
    BadFilter{"none", "EQ", {}, "Invalid number of argument(s) for the EQ ComparisonOperator"},
    BadFilter{"too_many", "NULL", {text("a")}, "Invalid number of argument(s) for the NULL ComparisonOperator"},
    BadFilter{"mixed", "IN", {text("a"), number(1)}, "AttributeValues inside AttributeValueList must be of same type"},
    BadFilter{"no_order", "LT", {words({"a"})}, "ComparisonOperator LT is not valid for SS AttributeValue type"},
    BadFilter{"number_prefix", "BEGINS_WITH", {number(1)}, "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"},
    BadFilter{"reversed", "BETWEEN", {number(2), number(1)}, "lower bound is greater than the upper bound"}),
    [](const auto& info) { return info.param.name; });

TEST(TranslateFilterOperator, JoinsByAndUnlessToldOtherwise) {
  const LegacyConditions two{{"a", condition("EQ", {number(1)})}, {"b", condition("EQ", {number(1)})}};
  const Item only_a{{"a", number(1)}};
  EXPECT_FALSE(evaluate(*translate_filter(two, std::nullopt), only_a));
  EXPECT_TRUE(evaluate(*translate_filter(two, "OR"), only_a));
  EXPECT_FALSE(translate_filter(std::nullopt, std::nullopt).has_value());
  EXPECT_THAT(error_of([] { translate_filter(std::nullopt, "OR"); }), HasSubstr("cannot be used without Filter or Expected"));
  EXPECT_THAT(error_of([] { translate_filter(LegacyConditions{{"a", condition("NULL", {})}}, "AND"); }),
              HasSubstr("two or more elements"));
}

struct ExpectedCase {
  const char* name;
  std::optional<AttributeValue> value;
  std::optional<bool> exists;
  std::optional<std::string> op;
  std::optional<std::vector<AttributeValue>> list;
  std::string message;  // empty: holds for a = 1
};
class TranslateExpected : public testing::TestWithParam<ExpectedCase> {};
TEST_P(TranslateExpected, HoldsOrIsRefused) {
  const ExpectedCase& row = GetParam();
  ExpectedAttributeValue expected;
  expected.value = row.value;
  expected.exists = row.exists;
  expected.comparison_operator = row.op;
  expected.attribute_value_list = row.list;
  std::optional<Condition> made;
  const std::string error = error_of([&] { made = translate_expected(LegacyExpected{{"a", expected}}, std::nullopt); });
  if (!row.message.empty()) {
    EXPECT_EQ(error, "One or more parameter values were invalid: " + row.message);
    return;
  }
  EXPECT_TRUE(evaluate(made.value(), Item{{"a", number(1)}})) << error;
}
INSTANTIATE_TEST_SUITE_P(Forms, TranslateExpected, testing::Values(
    ExpectedCase{"value", number(1), {}, {}, {}, ""},
    ExpectedCase{"value_and_operator", number(0), {}, "GT", {}, ""},
    ExpectedCase{"list", {}, {}, "EQ", std::vector{number(1)}, ""},
    ExpectedCase{"nothing", {}, {}, {}, {}, "Value must be provided when Exists is null for Attribute: a"},
    ExpectedCase{"exists_alone", {}, true, {}, {}, "Value must be provided when Exists is true for Attribute: a"},
    ExpectedCase{"absent_with_value", number(1), false, {}, {}, "Value cannot be used when Exists is false for Attribute: a"},
    ExpectedCase{"both_values", number(1), {}, "EQ", std::vector{number(1)},
                 "Value and AttributeValueList cannot be used together for Attribute: a"},
    ExpectedCase{"exists_and_operator", number(1), true, "EQ", {},
                 "Exists and ComparisonOperator cannot be used together for Attribute: a"},
    ExpectedCase{"operator_alone", {}, {}, "EQ", {},
                 "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"},
    ExpectedCase{"list_alone", {}, {}, {}, std::vector{number(1)},
                 "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"}),
    [](const auto& info) { return info.param.name; });

AttributeValueUpdate update(std::optional<std::string> action, std::optional<AttributeValue> value) {
  AttributeValueUpdate out;
  out.action = std::move(action);
  out.value = std::move(value);
  return out;
}

TEST(TranslateUpdates, PutsAddsAndDeletes) {
  const Item before{{"n", number(1)}, {"words", words({"a", "b"})}, {"gone", text("x")},
                    {"list", AttributeValue{AttributeValue::List{number(1)}}}};
  const Item after = apply_update(translate_updates({{"n", update("ADD", number(2))},
                                                     {"words", update("DELETE", words({"a"}))},
                                                     {"gone", update("DELETE", {})},
                                                     {"fresh", update({}, text("y"))},
                                                     {"list", update("ADD", AttributeValue{AttributeValue::List{number(2)}})}}),
                                  before);
  EXPECT_EQ(after, (Item{{"n", number(3)}, {"words", words({"b"})}, {"fresh", text("y")},
                         {"list", AttributeValue{AttributeValue::List{number(1), number(2)}}}}));
}

TEST(TranslateUpdates, RefusesWhatAnActionCannotTake) {
  EXPECT_THAT(error_of([] { translate_updates({{"a", update("PUT", {})}}); }), HasSubstr("Only DELETE action is allowed"));
  EXPECT_THAT(error_of([] { translate_updates({{"a", update("ADD", text("x"))}}); }),
              HasSubstr("ADD action is not supported for the type S"));
  EXPECT_THAT(error_of([] { translate_updates({{"a", update("DELETE", number(1))}}); }),
              HasSubstr("DELETE action with value is not supported for the type N"));
  EXPECT_EQ(error_of([] { apply_update(translate_updates({{"a", update("ADD", number(1))}}), {{"a", text("x")}}); }),
            "Type mismatch for attribute to update");
}

TEST(CheckNotMixed, NamesWhatWasGiven) {
  EXPECT_EQ(error_of([] { check_not_mixed({{"AttributeUpdates", true}, {"Expected", false}}, {{"UpdateExpression", true}}); }),
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
            "{AttributeUpdates} Expression parameters: {UpdateExpression}");
  check_not_mixed({{"Expected", true}}, {{"ConditionExpression", false}});
}

}  // namespace
}  // namespace parvis::dynamodb
