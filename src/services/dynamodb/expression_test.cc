#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/api_call.h"
#include "services/dynamodb/evaluate.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/query.h"

namespace parvis::dynamodb {
namespace {

using testing::HasSubstr;

Item item_of(std::string_view json) {
  const AttributeValue value = attribute_from_json(boost::json::object{{"M", boost::json::parse(json)}}).value();
  return *value.as<AttributeMap>();
}
const Item& sample() {
  static const Item item = item_of(R"({"a":{"N":"5"},"s":{"S":"hello"},"l":{"L":[{"N":"1"},{"S":"x"}]},
      "m":{"M":{"k":{"S":"v"},"n":{"N":"2"}}},"ss":{"SS":["p","q"]},"t":{"BOOL":true}})");
  return item;
}
Placeholders placeholders() {
  return Placeholders(Placeholders::Names{{"#a", "a"}, {"#name", "name"}},
                      item_of(R"({":n":{"N":"5"},":m":{"N":"7"},":s":{"S":"he"},":p":{"S":"p"},":T":{"S":"S"},
      ":l":{"L":[{"S":"y"}]},":ss":{"SS":["q","r"]},":b":{"BOOL":true}})"));
}

template <class F>
std::string error_of(F run) {
  try {
    run();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "ValidationException");
    return error.message();
  }
  return "";
}

struct ConditionCase { const char* name; std::string text; bool want; };
class Conditions : public testing::TestWithParam<ConditionCase> {};
TEST_P(Conditions, Evaluate) {
  Placeholders names = placeholders();
  EXPECT_EQ(evaluate(parse_condition(GetParam().text, "ConditionExpression", names), sample()), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Rows, Conditions, testing::Values(
    ConditionCase{"equal", "#a = :n", true}, ConditionCase{"less", "a < :n", false}, ConditionCase{"at_most", "a <= :n", true},
    ConditionCase{"types_differ", "s < :n", false}, ConditionCase{"types_unequal", "s <> :n", true},
    ConditionCase{"absent_unequal", "nope <> :n", true}, ConditionCase{"absent_equal", "nope = :n", false},
    ConditionCase{"between", "a BETWEEN :n AND :m", true}, ConditionCase{"in_list", "a IN (:m, :n)", true},
    ConditionCase{"not_in", "NOT a IN (:m)", true}, ConditionCase{"exists", "attribute_exists(m.k)", true},
    ConditionCase{"not_exists", "attribute_not_exists(l[2])", true}, ConditionCase{"type", "attribute_type(s, :T)", true},
    ConditionCase{"begins", "begins_with(s, :s)", true}, ConditionCase{"contains_set", "contains(ss, :p)", true},
    ConditionCase{"contains_text", "contains(s, :s)", true}, ConditionCase{"size", "size(s) = :n", true},
    ConditionCase{"precedence", "a = :m OR a = :n AND t = :b", true},
    ConditionCase{"parentheses", "(a = :n OR a = :m) AND NOT (t = :b)", false},
    ConditionCase{"two_groups", "((a = :n) OR (a = :m))", true}),
    [](const auto& info) { return info.param.name; });

struct BadCase { const char* name; std::string text, error; };
class BadConditions : public testing::TestWithParam<BadCase> {};
TEST_P(BadConditions, HaveTheServicesMessage) {
  const std::string message = error_of([] {
    Placeholders names = placeholders();
    parse_condition(GetParam().text, "ConditionExpression", names);
  });
  EXPECT_THAT(message, HasSubstr(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(Rows, BadConditions, testing::Values(
    BadCase{"empty", "", "Invalid ConditionExpression: The expression can not be empty;"},
    BadCase{"syntax", "a == :n", "Syntax error; token: \"=\", near: \"== :n\""},
    BadCase{"cut", "a = ", "Syntax error; token: \"<EOF>\", near: \"=\""},
    BadCase{"reserved", "name = :n", "Attribute name is a reserved keyword; reserved keyword: name"},
    BadCase{"no_value", "a = :x", "An expression attribute value used in expression is not defined; attribute value: :x"},
    BadCase{"no_name", "#x = :n", "An expression attribute name used in the document path is not defined; attribute name: #x"},
    BadCase{"function", "foo(a)", "Invalid function name; function: foo"},
    BadCase{"operands", "begins_with(s)", "operator or function: begins_with, number of operands: 1"},
    BadCase{"operand_type", "begins_with(s, :n)", "operator or function: begins_with, operand type: N"},
    BadCase{"redundant", "((a = :n))", "The expression has redundant parentheses;"},
    BadCase{"bounds", "a BETWEEN :m AND :n", "requires upper bound to be greater than or equal to lower bound"},
    BadCase{"same_path", "a = #a", "The first operand must be distinct from the remaining operands"},
    BadCase{"long_text", std::string(5000, ' ') + "a = :n", "Expression size has exceeded the maximum allowed size"},
    BadCase{"deep", std::string(2000, '('), ""}, BadCase{"odd_character", "a ? :n", "Syntax error; token: \"?\""}),
    [](const auto& info) { return info.param.name; });

struct UpdateCase { const char* name; std::string text, want, error; };
class Updates : public testing::TestWithParam<UpdateCase> {};
TEST_P(Updates, Apply) {
  Item after;
  const std::string message = error_of([&after] {
    Placeholders names = placeholders();
    after = apply_update(parse_update(GetParam().text, names), sample());
  });
  if (!GetParam().error.empty()) {
    EXPECT_THAT(message, HasSubstr(GetParam().error));
    return;
  }
  ASSERT_EQ(message, "");
  // `want` gives the attributes that differ; null for a removed one.
  Item want = sample();
  const boost::json::value changes = boost::json::parse(GetParam().want);
  for (const auto& [name, value] : changes.as_object()) {
    if (value.is_null()) want.erase(std::string(name));
    else want[std::string(name)] = attribute_from_json(value).value();
  }
  EXPECT_EQ(after, want);
}
INSTANTIATE_TEST_SUITE_P(Rows, Updates, testing::Values(
    UpdateCase{"set", "SET x = :n, a = a + :m", R"({"x":{"N":"5"},"a":{"N":"12"}})", ""},
    UpdateCase{"swap", "SET a = s, s = a", R"({"a":{"S":"hello"},"s":{"N":"5"}})", ""},
    UpdateCase{"nested", "SET m.k = :n, l[0] = :s", R"({"m":{"M":{"k":{"N":"5"},"n":{"N":"2"}}},"l":{"L":[{"S":"he"},{"S":"x"}]}})", ""},
    UpdateCase{"append_past_end", "SET l[9] = :s", R"({"l":{"L":[{"N":"1"},{"S":"x"},{"S":"he"}]}})", ""},
    UpdateCase{"if_not_exists", "SET a = if_not_exists(a, :m), z = if_not_exists(z, :m)", R"({"z":{"N":"7"}})", ""},
    UpdateCase{"list_append", "SET l = list_append(:l, l)", R"({"l":{"L":[{"S":"y"},{"N":"1"},{"S":"x"}]}})", ""},
    UpdateCase{"remove", "REMOVE s, l[0], l[1], m.n", R"({"s":null,"l":{"L":[]},"m":{"M":{"k":{"S":"v"}}}})", ""},
    UpdateCase{"add", "ADD a :m, ss :ss, fresh :n", R"({"a":{"N":"12"},"ss":{"SS":["p","q","r"]},"fresh":{"N":"5"}})", ""},
    UpdateCase{"delete", "DELETE ss :ss", R"({"ss":{"SS":["p"]}})", ""},
    UpdateCase{"overlap", "SET m = :n, m.k = :n", "", "Two document paths overlap with each other"},
    UpdateCase{"twice", "SET x = :n SET y = :n", "", "The \"SET\" section can only be used once"},
    UpdateCase{"add_text", "ADD a :s", "", "operator: ADD, operand type: STRING"},
    UpdateCase{"wrong_type", "SET s = s + :n", "", "An operand in the update expression has an incorrect data type"},
    UpdateCase{"no_attribute", "SET x = nope", "", "refers to an attribute that does not exist in the item"},
    UpdateCase{"no_parent", "SET nope.x = :n", "", "The document path provided in the update expression is invalid for update"}),
    [](const auto& info) { return info.param.name; });

TEST(Projection, KeepsNestingAndOrder) {
  Placeholders names = placeholders();
  EXPECT_EQ(project(sample(), parse_projection("l[1], m.k, nope, #a", names)),
            item_of(R"({"l":{"L":[{"S":"x"}]},"m":{"M":{"k":{"S":"v"}}},"a":{"N":"5"}})"));
}

TEST(Placeholders, UnusedOnesAreRefused) {
  EXPECT_EQ(error_of([] {
    Placeholders names(Placeholders::Names{{"#a", "a"}, {"#b", "b"}}, std::nullopt);
    parse_projection("#a", names);
    names.check_used(true);
  }), "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}");
}

class KeyConditions : public testing::TestWithParam<BadCase> {};
TEST_P(KeyConditions, AreChecked) {
  const KeySchema keys{{"a", Type::kN}, KeyAttribute{"s", Type::kS}};
  const std::string message = error_of([&keys] {
    Placeholders names = placeholders();
    key_range(keys, parse_condition(GetParam().text, "KeyConditionExpression", names), "p");
  });
  if (GetParam().error.empty()) EXPECT_EQ(message, "");
  else EXPECT_THAT(message, HasSubstr(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(Rows, KeyConditions, testing::Values(
    BadCase{"partition", "a = :n", ""}, BadCase{"both", "s >= :s AND a = :n", ""}, BadCase{"prefix", "a = :n AND begins_with(s, :s)", ""},
    BadCase{"no_partition", "s = :s", "Query condition missed key schema element: a"},
    BadCase{"no_sort", "a = :n AND t = :b", "Query condition missed key schema element: s"},
    BadCase{"or_operator", "a = :n OR s = :s", "Invalid operator used in KeyConditionExpression: OR"},
    BadCase{"partition_range", "a > :n", "Query key condition not supported"},
    BadCase{"type", "a = :s", "Condition parameter type does not match schema type"},
    BadCase{"twice", "a = :n AND a = :m", "must only contain one condition per key"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::dynamodb
