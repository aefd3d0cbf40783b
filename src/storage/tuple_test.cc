#include "storage/tuple.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/store.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

TEST(Tuple, ReadsBackWhatWasWritten) {
  const std::string key = TupleWriter().string("a\0b"s).bytes("").u64(~0ull).i64(-5).raw("tail\0"s).take();
  TupleReader reader(key);
  EXPECT_EQ(reader.string().value(), "a\0b"s);
  EXPECT_EQ(reader.bytes().value(), "");
  EXPECT_EQ(reader.u64().value(), ~0ull);
  EXPECT_EQ(reader.i64().value(), -5);
  EXPECT_EQ(reader.rest(), "tail\0"s);
  EXPECT_TRUE(reader.at_end());
}

// Property: the bytes order as the elements, for strings over an alphabet that provokes the escaping.
TEST(TupleProperty, StringsOrderAsTheirElements) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  constexpr std::string_view kAlphabet("\x00\x01\xFE\xFF", 4);
  const auto random_string = [&] {
    std::string out;
    for (std::size_t n = rng() % 5; n > 0; --n) out.push_back(kAlphabet[rng() % 4]);
    return out;
  };
  for (int i = 0; i < 5000; ++i) {
    const std::pair a(random_string(), random_string()), b(random_string(), random_string());
    const std::string x = TupleWriter().string(a.first).raw(a.second).take();
    const std::string y = TupleWriter().string(b.first).raw(b.second).take();
    EXPECT_EQ(x < y, a < b);
  }
}

TEST(Tuple, NumbersOrderAsTheirValues) {
  const std::int64_t values[] = {INT64_MIN, -256, -1, 0, 1, 255, 256, INT64_MAX};
  for (std::size_t i = 1; i < std::size(values); ++i) {
    EXPECT_LT(TupleWriter().i64(values[i - 1]).take(), TupleWriter().i64(values[i]).take());
  }
  EXPECT_LT(TupleWriter().u64(255).take(), TupleWriter().u64(256).take());
}

struct DecodeCase {
  const char* name;
  std::string key;
  const char* error_part;
};
class TupleDecode : public ::testing::TestWithParam<DecodeCase> {};
TEST_P(TupleDecode, RefusesWhatIsNoString) {
  TupleReader reader(GetParam().key);
  const auto result = reader.string();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().detail, HasSubstr(GetParam().error_part));
  EXPECT_EQ(result.error().offset, 0u);
  EXPECT_EQ(reader.rest(), GetParam().key);
}
INSTANTIATE_TEST_SUITE_P(Keys, TupleDecode, ::testing::Values(
    DecodeCase{"empty", "", "the key ends"}, DecodeCase{"other_type", TupleWriter().bytes("x").take(), "found tag 0x02"},
    DecodeCase{"no_end", "\x03" "abc"s, "without an end"}, DecodeCase{"half_an_end", "\x03" "abc\0"s, "without an end"},
    DecodeCase{"wrong_escape", "\x03" "abc\0z"s, "wrong escape"}), [](const auto& info) { return info.param.name; });

TEST(Tuple, RefusesACutNumber) {
  const std::string key = TupleWriter().u64(7).take().substr(0, 8);
  EXPECT_THAT(TupleReader(key).u64().error().detail, HasSubstr("is cut"));
}

TEST(PrefixEnd, IsTheNextKeyAfterAllWithThePrefix) {
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end("a\xFF\xFF"), "b");
  EXPECT_EQ(prefix_end("\xFF"), "");
  EXPECT_EQ(prefix_end(""), "");
}

}  // namespace
}  // namespace parvis::storage
