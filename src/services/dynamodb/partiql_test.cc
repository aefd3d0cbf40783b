#include "services/dynamodb/partiql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/api_call.h"
#include "services/dynamodb/evaluate.h"
#include "services/dynamodb/testing/items.h"

namespace parvis::dynamodb {
namespace {

using testing::HasSubstr;
using Kind = PartiqlStatement::Kind;

AttributeValue text(std::string value) { return AttributeValue::string(std::move(value)); }

std::string error_of(std::string_view statement, const std::vector<AttributeValue>& parameters = {}) {
  try {
    parse_partiql(statement, parameters);
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "ValidationException");
    return error.message();
  }
  return "no error";
}

struct WhereCase {
  const char* name;
  std::string where;
  bool holds;
};
class PartiqlWhere : public testing::TestWithParam<WhereCase> {};
// n is 5, s is "song", tags a and b, m.list[1] is 2, nothing is NULL.
TEST_P(PartiqlWhere, HoldsForTheItem) {
  const Item item{{"n", number(5)}, {"s", text("song")}, {"tags", AttributeValue{StringSet{{"a", "b"}}}},
                  {"m", AttributeValue::map({{"list", AttributeValue{AttributeValue::List{number(1), number(2)}}}})},
                  {"nothing", AttributeValue{Null{}}}};
  const PartiqlStatement statement = parse_partiql("SELECT * FROM t WHERE " + GetParam().where, {});
  EXPECT_EQ(evaluate(statement.where.value(), item), GetParam().holds);
}
INSTANTIATE_TEST_SUITE_P(Operators, PartiqlWhere, testing::Values(
    WhereCase{"equal", "n = 5", true}, WhereCase{"turned", "5 = n", true}, WhereCase{"unequal", "n <> 5", false},
    WhereCase{"unequal_as_in_c", "n != 4", true}, WhereCase{"negative", "n > -1.5e0", true},
    WhereCase{"in_brackets", "n IN [1, 5]", true}, WhereCase{"in_parentheses", "n in (1, 2)", false},
    WhereCase{"not_in", "n NOT IN [1]", true}, WhereCase{"between", "n BETWEEN 5 AND 6 AND s = 'song'", true},
    WhereCase{"missing", "gone IS MISSING", true}, WhereCase{"not_missing", "n IS NOT MISSING", true},
    WhereCase{"null", "nothing IS NULL", true}, WhereCase{"absent_is_not_null", "gone IS NULL", false},
    WhereCase{"begins", "begins_with(s, 'so')", true}, WhereCase{"contains", "contains(\"tags\", 'b')", true},
    WhereCase{"type", "attribute_type(n, 'S')", false}, WhereCase{"size", "size(tags) = 2", true},
    WhereCase{"nested", "m.list[1] = 2", true}, WhereCase{"nested_by_string", "m['list'][0] = 1", true},
    WhereCase{"precedence", "n = 1 OR n = 5 AND NOT s = 'x'", true}, WhereCase{"grouped", "(n = 5 OR n = 1) AND s = 'x'", false},
    WhereCase{"set", "tags = <<'b', 'a'>>", true}, WhereCase{"commented", "n = 5 -- 6\n /* and s = 'x' */", true}),
    [](const auto& info) { return info.param.name; });

struct BadCase {
  const char* name;
  std::string statement, message;
};
class PartiqlError : public testing::TestWithParam<BadCase> {};
TEST_P(PartiqlError, HasTheServicesWords) { EXPECT_EQ(error_of(GetParam().statement), GetParam().message); }
#define MALFORMED "Statement wasn't well formed, can't be processed: "
INSTANTIATE_TEST_SUITE_P(Statements, PartiqlError, testing::Values(
    BadCase{"no_statement", "SLECT * FROM t", MALFORMED "Expected data manipulation"},
    BadCase{"leftover", "SELECT * FROM t WHERE pk = 1 foo", MALFORMED "Unexpected token after expression"},
    BadCase{"two_statements", "SELECT * FROM t; SELECT * FROM t", MALFORMED "Unexpected token after expression"},
    BadCase{"order_before_where", "SELECT * FROM t ORDER BY pk WHERE pk = 1", MALFORMED "Unexpected token after expression"},
    BadCase{"order_of_delete", "DELETE FROM t WHERE pk = 1 ORDER BY pk", MALFORMED "Unexpected token after expression"},
    BadCase{"split_exponent", "SELECT * FROM t WHERE pk = 1 e5", MALFORMED "Unexpected token after expression"},
    BadCase{"closing_parenthesis", "SELECT * FROM t WHERE pk = 1)", MALFORMED "Unexpected token after expression"},
    BadCase{"huge_exponent", "SELECT * FROM t WHERE pk = 1e99999999999", MALFORMED},
    BadCase{"hash_comment", "SELECT * FROM t WHERE pk = 1 # note", MALFORMED},
    BadCase{"open_comment", "SELECT * FROM t WHERE pk = 1 /* note", MALFORMED},
    BadCase{"open_string", "SELECT * FROM t WHERE pk = 'a", MALFORMED},
    BadCase{"alias", "SELECT * FROM t x WHERE pk = 'a'", "Aliasing is not supported"},
    BadCase{"as_alias", "SELECT * FROM t AS x WHERE pk = 'a'", "Aliasing is not supported"},
    BadCase{"alias_of_insert", "INSERT INTO t x VALUE {'pk': 1}", MALFORMED "Unexpected token after expression"},
    BadCase{"empty_where", "SELECT * FROM t WHERE", MALFORMED "Unexpected term"},
    BadCase{"empty_where_semicolon", "SELECT * FROM t WHERE;", MALFORMED "Unexpected term"},
    BadCase{"open_parenthesis", "SELECT * FROM t WHERE (", MALFORMED "Unexpected term"},
    BadCase{"not_alone", "SELECT * FROM t WHERE NOT", MALFORMED "Unexpected term"},
    BadCase{"ends_in_and", "SELECT * FROM t WHERE pk = 'p' AND", MALFORMED "Missing right-hand side expression of infix operator"},
    BadCase{"where_then_order", "SELECT * FROM t WHERE ORDER BY pk", MALFORMED "Unexpected keyword"},
    BadCase{"unknown_type", "SELECT * FROM t WHERE pk = 'a' AND x IS FOO", MALFORMED "Expected type name"},
    BadCase{"operator_first", "SELECT * FROM t WHERE IS NULL", MALFORMED "Unexpected operator"},
    BadCase{"operator_as_operand", "SELECT * FROM t WHERE pk = LIKE", MALFORMED "Unexpected operator"},
    BadCase{"delete_without_table", "DELETE FROM WHERE pk = 'a'", MALFORMED "Expected identifier for simple path"},
    BadCase{"select_without_table", "SELECT * FROM", MALFORMED "Unexpected term"},
    BadCase{"three_parts", "SELECT * FROM a.b.c", "A path may contain at most 2 components in the FROM clause"},
    BadCase{"empty_name", "SELECT * FROM \"\"", "Path component cannot be an empty string"},
    BadCase{"big_number", "SELECT * FROM t WHERE pk = 1e126",
            "Number overflow. Attempting to store a number with magnitude larger than supported range under root"},
    BadCase{"number_in_map", "INSERT INTO t VALUE {'pk': 1, 'm': {'x': 1e126}}",
            "Number overflow. Attempting to store a number with magnitude larger than supported range under root.x"},
    BadCase{"number_in_list", "INSERT INTO t VALUE {'pk': 1, 'l': [1, 1e-131]}",
            "Number underflow. Attempting to store a number with magnitude smaller than supported range under root[1]"},
    BadCase{"unordered", "SELECT * FROM t WHERE v < true",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
    BadCase{"missing_parameter", "SELECT * FROM t WHERE pk = ?", "Number of parameters in request and statement don't match."},
    BadCase{"returned_by_delete", "DELETE FROM t WHERE pk = 'x' RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements."},
    BadCase{"empty_bag", "INSERT INTO t VALUE {'pk': <<>>}", "Empty bags are not supported"},
    BadCase{"mixed_bag", "INSERT INTO t VALUE {'pk': <<1, 'a'>>}", "DynamoDB only supports either numbers or strings in bags"}),
    [](const auto& info) { return info.param.name; });

TEST(PartiqlParser, BoundsItsDepth) {
  EXPECT_THAT(error_of("SELECT * FROM t WHERE " + std::string(4000, '(')), HasSubstr("Nesting is too deep"));
  EXPECT_THAT(error_of("INSERT INTO t VALUE {'pk': " + std::string(4000, '[')), HasSubstr("Nesting is too deep"));
  std::string nots = "SELECT * FROM t WHERE ";
  for (int i = 0; i < 1500; ++i) nots += "NOT ";
  EXPECT_THAT(error_of(nots), HasSubstr("Nesting is too deep"));
}

TEST(PartiqlParser, ParametersStandInTheirOrder) {
  const PartiqlStatement insert = parse_partiql("INSERT INTO t VALUE {'pk': ?, 'l': [?, '?'], 'it''s': ?}",
                                                {text("a"), number(1), text("z")});
  EXPECT_EQ(insert.item, (Item{{"pk", text("a")}, {"l", AttributeValue{AttributeValue::List{number(1), text("?")}}},
                               {"it's", text("z")}}));
  EXPECT_THAT(error_of("SELECT * FROM t", {text("a")}), HasSubstr("Number of parameters"));
}

TEST(PartiqlParser, UpdatesMakeUpdateTrees) {
  const PartiqlStatement update = parse_partiql(
      "UPDATE \"t\" SET a = a + 1, b = list_append(b, ['x']) SET tags = set_add(tags, <<'c'>>) REMOVE gone "
      "WHERE pk = 'p' RETURNING MODIFIED NEW *", {});
  EXPECT_EQ(update.kind, Kind::kUpdate);
  EXPECT_EQ(update.returning, "MODIFIED NEW");
  const Item after = apply_update(update.update, {{"a", number(1)}, {"b", AttributeValue{AttributeValue::List{}}},
                                                  {"gone", number(1)}, {"tags", AttributeValue{StringSet{{"a"}}}}});
  EXPECT_EQ(after, (Item{{"a", number(2)}, {"b", AttributeValue{AttributeValue::List{text("x")}}},
                         {"tags", AttributeValue{StringSet{{"a", "c"}}}}}));
  EXPECT_EQ(parse_partiql("FROM t WHERE pk = 1 SET a = 2", {}).update.sets.size(), 1u);
}

TEST(KeyParts, TakesTheKeyOutOfTheConditions) {
  const KeySchema keys{{"p", Type::kS}, KeyAttribute{"s", Type::kN}};
  const auto parts_of = [&](const std::string& where) {
    return key_parts(keys, parse_partiql("SELECT * FROM t WHERE " + where, {}).where);
  };
  KeyParts parts = parts_of("'a' = p AND s = 1 AND v = 2");
  EXPECT_EQ(exact_key(keys, parts), (Item{{"p", text("a")}, {"s", number(1)}}));
  EXPECT_EQ(parts.rest.size(), 1u);
  parts = parts_of("p IN ['a', 'b', 'a'] AND s > 3 AND s < 9");
  EXPECT_EQ(parts.partitions.size(), 2u);
  EXPECT_TRUE(parts.sort.has_value());
  EXPECT_EQ(parts.rest.size(), 1u);
  EXPECT_FALSE(exact_key(keys, parts).has_value());
  EXPECT_EQ(parts_of("p = 'a' OR 'b' = p OR p = 'a'").partitions.size(), 2u);
  EXPECT_EQ(parts_of("(p = 'a' OR p = 'b') AND s = 1").partitions.size(), 2u);
  EXPECT_TRUE(parts_of("p = 'a' OR v = 'b'").partitions.empty());
  EXPECT_TRUE(parts_of("p = 'a' OR p > 'b'").partitions.empty());
  parts = parts_of("p = 'a' AND s = 1 OR s = 2 AND 'b' = p OR p = 'a' AND s = 1");
  EXPECT_EQ(parts.whole_keys, (std::vector<Item>{{{"p", text("a")}, {"s", number(1)}}, {{"p", text("b")}, {"s", number(2)}}}));
  EXPECT_TRUE(parts.rest.empty());
  parts = parts_of("(p = 'a' AND s = 1 AND v = 3 OR p = 'b' AND s = 2) AND w = 1");
  EXPECT_EQ(parts.whole_keys.size(), 2u);
  EXPECT_EQ(parts.rest.size(), 2u);  // the OR says more than the keys: it stays as a filter
  EXPECT_TRUE(parts_of("p = 'a' AND s = 1 OR p = 'b'").whole_keys.empty());
  EXPECT_TRUE(parts_of("p = 'a' AND s = 1 OR p = 'b' AND s > 2").whole_keys.empty());
  parts = parts_of("(p = 'a' AND s = 1 OR p = 'b' AND s = 2) AND p = 'a'");
  EXPECT_TRUE(parts.whole_keys.empty());
  EXPECT_EQ(parts.partitions.size(), 1u);
  EXPECT_TRUE(parts_of("NOT p = 'a'").partitions.empty());
}

}  // namespace
}  // namespace parvis::dynamodb
