#include "services/dynamodb/number.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/attribute_value.h"

namespace parvis::dynamodb {
namespace {

using testing::HasSubstr;

struct NumberCase { const char* name; std::string text, want, error_part; };
class ParseNumber : public testing::TestWithParam<NumberCase> {};
TEST_P(ParseNumber, FollowsTheServiceLimits) {
  const auto number = Number::parse(GetParam().text);
  if (!GetParam().error_part.empty()) {
    ASSERT_FALSE(number);
    EXPECT_THAT(number.error(), HasSubstr(GetParam().error_part));
    return;
  }
  ASSERT_TRUE(number) << number.error();
  EXPECT_EQ(number->text(), GetParam().want);
  std::string stored;
  number->append_stored(stored);
  std::string_view rest = stored;
  EXPECT_EQ(Number::take_stored(rest).value(), *number);
  EXPECT_TRUE(rest.empty());
}
INSTANTIATE_TEST_SUITE_P(Rows, ParseNumber, testing::Values(
    NumberCase{"integer", "42", "42", ""}, NumberCase{"leading_zeros", "0042.500", "42.5", ""},
    NumberCase{"minus_zero", "-0.0", "0", ""}, NumberCase{"small_exponent", "1.5e-3", "0.0015", ""},
    NumberCase{"plain_exponent", "12e3", "12000", ""}, NumberCase{"leading_dot", ".5", "0.5", ""},
    NumberCase{"largest", "9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + std::string(88, '0'), ""},
    NumberCase{"smallest", "1e-130", "0." + std::string(129, '0') + "1", ""},
    NumberCase{"above_largest", "1e126", "", "Number overflow"}, NumberCase{"below_smallest", "1e-131", "", "Number underflow"},
    NumberCase{"digits_39", "123456789012345678901234567890123456789", "", "more than 38 significant digits"},
    NumberCase{"digits_38", "12345678901234567890123456789012345678", "12345678901234567890123456789012345678", ""},
    NumberCase{"empty", "", "", "cannot be converted to a numeric value"},
    NumberCase{"word", "abc", "", "cannot be converted to a numeric value: abc"},
    NumberCase{"infinity", "Infinity", "", "numeric value"}, NumberCase{"trailing", "1 ", "", "numeric value"},
    NumberCase{"huge_exponent", "1e99999999999999999999", "", "Number overflow"},
    NumberCase{"sign_only", "-", "", "numeric value"}, NumberCase{"empty_exponent", "1e", "", "numeric value"}),
    [](const auto& info) { return info.param.name; });

TEST(Number, ArithmeticIsExact) {
  const auto n = [](std::string_view text) { return Number::parse(text).value(); };
  EXPECT_EQ(Number::add(n("0.1"), n("0.2"))->text(), "0.3");
  EXPECT_EQ(Number::sub(n("1"), n("1"))->text(), "0");
  EXPECT_EQ(Number::sub(n("1000"), n("0.001"))->text(), "999.999");
  EXPECT_EQ(Number::sub(n("5"), n("7.5"))->text(), "-2.5");
  EXPECT_EQ(Number::add(n("99999999999999999999999999999999999999"), n("1"))->text(), "1" + std::string(38, '0'));
  EXPECT_THAT(Number::add(n("1e125"), n("1")).error(), HasSubstr("38 significant digits"));
  EXPECT_THAT(Number::add(n("9e125"), n("9e125")).error(), HasSubstr("overflow"));
}

// Property: keys, comparison and arithmetic agree with integers.
TEST(Number, KeysOrderAsValues) {
  std::mt19937_64 rng(7);
  std::vector<std::pair<std::int64_t, Number>> numbers;
  for (int i = 0; i < 300; ++i) {
    const auto value = static_cast<std::int64_t>(rng()) >> (rng() % 60);
    numbers.emplace_back(value, Number::from_int(value));
  }
  for (const auto& [a, na] : numbers) {
    std::string ka;
    na.append_key(ka);
    for (const auto& [b, nb] : numbers) {
      std::string kb;
      nb.append_key(kb);
      ASSERT_EQ(a < b, na < nb) << a << " " << b;
      ASSERT_EQ(a < b, ka < kb) << a << " " << b;
      if (std::abs(a / 4) + std::abs(b / 4) < INT64_MAX / 8) { ASSERT_EQ(Number::add(na, nb)->text(), std::to_string(a + b)); }
    }
  }
}

TEST(AttributeValue, JsonStoredFormAndSizeAgree) {
  const auto json = boost::json::parse(R"({"M":{"s":{"S":"é"},"n":{"N":"-12.50"},"b":{"B":"AAEC"},"t":{"BOOL":true},
      "z":{"NULL":true},"l":{"L":[{"S":"a"},{"N":"1"}]},"ss":{"SS":["b","a"]},"ns":{"NS":["2","1"]},"bs":{"BS":["AQ=="]}}})");
  const AttributeValue value = attribute_from_json(json).value();
  const Item& item = *value.as<AttributeMap>();
  EXPECT_EQ(decode_item(encode_item(item)).value(), item);
  EXPECT_EQ(attribute_from_json(attribute_to_json(value)).value(), value);
  // names 13 + S 2, N 4, B 3, BOOL 1, NULL 1, L 3+2+1+2, SS 2, NS 2+2, BS 1
  EXPECT_EQ(item_size_bytes(item), 12u + 2 + 4 + 3 + 1 + 1 + 8 + 2 + 4 + 1);
  for (std::size_t cut = 0; cut < encode_item(item).size(); ++cut) {
    EXPECT_FALSE(decode_item(std::string_view(encode_item(item)).substr(0, cut)));
  }
}

}  // namespace
}  // namespace parvis::dynamodb
