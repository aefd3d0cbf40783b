#include "services/dynamodb/ion_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::dynamodb {
namespace {

using testing::HasSubstr;

std::string json_of(const Item& item) { return boost::json::serialize(item_to_json(item)); }

Item item_of(std::string_view json) {
  Item out;
  for (const auto& [name, value] : boost::json::parse(boost::json::string_view(json.data(), json.size())).as_object()) {
    out.insert_or_assign(std::string(name), attribute_from_json(value).value());
  }
  return out;
}

struct WrittenCase { const char* name; std::string_view json, ion; };
class WriteIon : public testing::TestWithParam<WrittenCase> {};
TEST_P(WriteIon, IsReadAsTheSameItem) {
  std::string ion;
  append_ion(item_of(GetParam().json), ion);
  EXPECT_EQ(ion, GetParam().ion);
  const auto read = item_of_ion("$ion_1_0 {Item:" + ion + "}");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(json_of(*read), json_of(item_of(GetParam().json)));
}
INSTANTIATE_TEST_SUITE_P(Values, WriteIon, testing::Values(
    WrittenCase{"string", R"({"a":{"S":"x\"\\\n\u0001é"}})", "{a:\"x\\\"\\\\\\n\\u0001é\"}"},
    WrittenCase{"integer", R"({"a":{"N":"103"}})", "{a:103.}"}, WrittenCase{"zero", R"({"a":{"N":"0"}})", "{a:0.}"},
    WrittenCase{"round_number", R"({"a":{"N":"-2000"}})", "{a:-2d3}"}, WrittenCase{"fraction", R"({"a":{"N":"-12.34"}})", "{a:-12.34}"},
    WrittenCase{"small_number", R"({"a":{"N":"0.001"}})", "{a:0.001}"}, WrittenCase{"tiny_number", R"({"a":{"N":"1.5e-130"}})", "{a:15d-131}"},
    WrittenCase{"large_number", R"({"a":{"N":"9.9e125"}})", "{a:99d124}"}, WrittenCase{"binary", R"({"a":{"B":"AAH/"}})", "{a:{{AAH/}}}"},
    WrittenCase{"bool", R"({"a":{"BOOL":true},"b":{"BOOL":false}})", "{a:true,b:false}"}, WrittenCase{"null", R"({"a":{"NULL":true}})", "{a:null}"},
    WrittenCase{"empty", R"({"a":{"S":""},"b":{"B":""},"c":{"L":[]},"d":{"M":{}}})", "{a:\"\",b:{{}},c:[],d:{}}"},
    WrittenCase{"sets", R"({"a":{"SS":["y","x"]},"b":{"NS":["2","1"]},"c":{"BS":["AQ=="]}})",
                "{a:$dynamodb_SS::[\"x\",\"y\"],b:$dynamodb_NS::[1.,2.],c:$dynamodb_BS::[{{AQ==}}]}"},
    WrittenCase{"nested", R"({"a":{"L":[{"M":{"b":{"L":[{"N":"1"}]}}},{"S":"x"}]}})", "{a:[{b:[1.]},\"x\"]}"},
    WrittenCase{"names", R"({"$10":{"S":""},"it's":{"S":""},"null":{"S":""},"1a":{"S":""},"":{"S":""}})",
                "{'':\"\",'$10':\"\",'1a':\"\",'it\\'s':\"\",'null':\"\"}"}),
    [](const auto& info) { return info.param.name; });

struct ReadCase { const char* name; std::string_view line, json, error_part; };
class ReadIon : public testing::TestWithParam<ReadCase> {};
TEST_P(ReadIon, IsAnItemOrSaysWhatIsWrong) {
  const auto item = item_of_ion(GetParam().line);
  if (GetParam().error_part.empty()) {
    ASSERT_TRUE(item) << item.error();
    EXPECT_EQ(json_of(*item), GetParam().json);
  } else {
    EXPECT_THAT(item ? json_of(*item) : item.error(), HasSubstr(GetParam().error_part));
  }
}
INSTANTIATE_TEST_SUITE_P(Spellings, ReadIon, testing::Values(
    ReadCase{"no_marker", "{Item:{a:1}}", R"({"a":{"N":"1"}})", ""},
    ReadCase{"space_and_comments", "$ion_1_0 /* a */ { \"Item\" : { 'a' : [ 1 , 2, ] , } , } // end", R"({"a":{"L":[{"N":"1"},{"N":"2"}]}})", ""},
    ReadCase{"long_string", "{Item:{a:'''x''' '''\\ty'''}}", R"({"a":{"S":"x\ty"}})", ""},
    ReadCase{"escapes", R"({Item:{a:"\x41é\U0001F600😀\'\/"}})", "{\"a\":{\"S\":\"Aé😀😀'/\"}}", ""},
    ReadCase{"exponent", "{Item:{a:6d2,b:6D-2,c:1_000.5,d:-0.,e:600d+1}}", R"({"a":{"N":"600"},"b":{"N":"0.06"},"c":{"N":"1000.5"},"d":{"N":"0"},"e":{"N":"6000"}})", ""},
    ReadCase{"blob_with_spaces", "{Item:{a:{{ AA H/ }}}}", R"({"a":{"B":"AAH/"}})", ""}),
    [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Faults, ReadIon, testing::Values(
    ReadCase{"empty", "", "", "no struct"}, ReadCase{"other_version", "$ion_1_1 {Item:{}}", "", "does not begin"}, ReadCase{"binary_ion", "\xe0\x01\x00\xea", "", "not UTF-8"},
    ReadCase{"no_item", "{}", "", "no member Item"}, ReadCase{"other_member", "{Itm:{}}", "", "beside Item: Itm"}, ReadCase{"two_items", "{Item:{},Item:{}}", "", "two members"},
    ReadCase{"item_is_no_struct", "{Item:1}", "", "Item is no struct"}, ReadCase{"item_is_a_blob", "{Item:{{}}}", "", "Item is no struct"},
    ReadCase{"more_behind", "{Item:{}} {}", "", "follows the item"}, ReadCase{"cut_off", "{Item:{a:", "", "too early"}, ReadCase{"cut_off_string", "{Item:{a:\"x", "", "too early"},
    ReadCase{"twice", "{Item:{a:1,a:2}}", "", "two fields of one name: a"}, ReadCase{"no_comma", "{Item:{a:1 b:2}}", "", "no comma"}, ReadCase{"list_without_comma", "{Item:{a:[1 2]}}", "", "no comma"},
    ReadCase{"symbol_table_name", "{Item:{$10:1}}", "", "symbol table"}, ReadCase{"keyword_name", "{Item:{null:1}}", "", "keyword"},
    ReadCase{"symbol", "{Item:{a:b}}", "", "DynamoDB has not: b"}, ReadCase{"typed_null", "{Item:{a:null.string}}", "", "DynamoDB has not"}, ReadCase{"float", "{Item:{a:1e3}}", "", "DynamoDB has not"},
    ReadCase{"timestamp", "{Item:{a:2020-01-01}}", "", "DynamoDB has not"}, ReadCase{"hexadecimal", "{Item:{a:0x1}}", "", "DynamoDB has not"}, ReadCase{"clob", "{Item:{a:{{\"x\"}}}}", "", "clob"},
    ReadCase{"expression", "{Item:{a:(b c)}}", "", "DynamoDB has not"}, ReadCase{"leading_zero", "{Item:{a:01}}", "", "leading zeros"}, ReadCase{"underscore", "{Item:{a:1_}}", "", "underscore"},
    ReadCase{"large_number", "{Item:{a:1d126}}", "", "overflow"}, ReadCase{"very_large_exponent", "{Item:{a:1d99999999999999999999}}", "", "N"},
    ReadCase{"unknown_annotation", "{Item:{a:money::1}}", "", "no type has: money"}, ReadCase{"annotated_string", "{Item:{a:$dynamodb_SS::\"x\"}}", "", "annotates no list"},
    ReadCase{"set_of_another_type", "{Item:{a:$dynamodb_SS::[1]}}", "", "another type"}, ReadCase{"empty_set", "{Item:{a:$dynamodb_SS::[]}}", "", "may not be empty"},
    ReadCase{"duplicate", "{Item:{a:$dynamodb_SS::[\"x\",\"x\"]}}", "", "duplicates"}, ReadCase{"base64", "{Item:{a:{{A}}}}", "", "base64"},
    ReadCase{"half_surrogate", R"({Item:{a:"\ud800"}})", "", "surrogate"}, ReadCase{"no_character", R"({Item:{a:"\U00110000"}})", "", "no character"}, ReadCase{"escape", R"({Item:{a:"\q"}})", "", "Ion has not"},
    ReadCase{"comment_without_end", "/* {Item:{}}", "", "no end"}),
    [](const auto& info) { return info.param.name; });

TEST(ReadIonDepth, IsBounded) {
  const auto nested = [](int depth) {
    return item_of_ion("{Item:{a:" + std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']') + "}}");
  };
  EXPECT_TRUE(nested(30));
  for (const int depth : {65, 100'000}) EXPECT_THAT(nested(depth).error(), HasSubstr("Nesting Levels have exceeded supported limits"));
}

}  // namespace
}  // namespace parvis::dynamodb
