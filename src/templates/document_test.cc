#include "templates/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "templates/intrinsics.h"
#include "templates/loops.h"

namespace parvis::templates {
namespace {
using testing::HasSubstr;

struct ParseCase { const char* name; std::string text, want, error_part; };
class ParseDocument : public testing::TestWithParam<ParseCase> {};
TEST_P(ParseDocument, GivesTheTreeOrThePlace) {
  auto out = parse_document(GetParam().text, "t.yaml");
  if (GetParam().error_part.empty()) {
    ASSERT_TRUE(out) << out.error().str();
    EXPECT_EQ(out->root, json::parse(GetParam().want)) << json::serialize(out->root);
    return;
  }
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().str(), HasSubstr(GetParam().error_part));
}
INSTANTIATE_TEST_SUITE_P(Yaml, ParseDocument, testing::Values(
    ParseCase{"scalars", "a: [yes, No, 010, 0x1F, 1.5, 2010-09-09, ~, '12', 1e3, -7]", R"({"a":[true,false,8,31,1.5,"2010-09-09",null,"12","1e3",-7]})", ""},
    ParseCase{"short_forms", "a: !Ref X\nb: !GetAtt A.B.C\nc: !Sub [x, {y: !Ref Z}]\nd: !If [c, !Ref AWS::NoValue, 1]",
              R"({"a":{"Ref":"X"},"b":{"Fn::GetAtt":["A","B.C"]},"c":{"Fn::Sub":["x",{"y":{"Ref":"Z"}}]},"d":{"Fn::If":["c",{"Ref":"AWS::NoValue"},1]}})", ""},
    ParseCase{"aliases_and_merges", "a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}", R"({"a":{"k":1,"l":2},"b":{"k":1,"l":2},"c":{"l":3,"k":1}})", ""},
    ParseCase{"keys_are_text", "200: x\ntrue: y", R"({"200":"x","true":"y"})", ""},
    ParseCase{"duplicate_key", "a: 1\nb: 2\na: 3", "", "t.yaml:3:1: the key 'a' is here twice"},
    ParseCase{"unknown_function", "a: !Reff X", "", "t.yaml:1:4: '!Reff' is not an intrinsic function"},
    ParseCase{"tab", "a:\n\tb: 1", "", "YAML does not allow tabs"},
    ParseCase{"depth", "a: " + std::string(70, '[') + std::string(70, ']'), "", "levels deep"},
    ParseCase{"alias_bomb", "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]", "", "more than 200000 values"},
    ParseCase{"too_large", std::string((1 << 20) + 1, ' '), "", "the limit is 1048576"},
    ParseCase{"not_a_mapping", "- 1", "", "not a mapping"},
    ParseCase{"json", R"({"a": {"b": [1, "\u00e9", null]}})", R"({"a":{"b":[1,"é",null]}})", ""},
    ParseCase{"json_duplicate", "{\"a\": 1,\n \"a\": 2}", "", "t.yaml:2:2: the key 'a' is here twice"},
    ParseCase{"json_broken", "{\"a\": 1,\n  b: 2}", "", "t.yaml:2:3: not valid JSON"}),
    [](const auto& info) { return info.param.name; });

TEST(Document, KnowsWhereNodesStand) {
  auto out = parse_document("Resources:\n  A:\n    Type: X\n    Properties:\n      L: [1, !Sub \"${B}\"]\n", "t.yaml");
  ASSERT_TRUE(out);
  EXPECT_EQ(out->at("/Resources/A/Properties").line, 4u);
  EXPECT_EQ(out->at("/Resources/A/Properties/L/1").column, 14u);
  EXPECT_EQ(out->at("/Resources/A/Properties/Made/Up").line, 4u);
}

struct ResolveCase { const char* name; std::string value, want, error_part; };
class Resolve : public testing::TestWithParam<ResolveCase> {};
TEST_P(Resolve, FollowsCloudFormation) {
  auto document = parse_document(R"(
Transform: AWS::LanguageExtensions
Parameters: {P: {Type: String, Default: pv}, L: {Type: CommaDelimitedList, Default: "a, b,c"}, N: {Type: Number, Default: 3}}
Mappings: {M: {us-east-1: {k: mv, l: [x, y]}}}
Conditions: {Is: !Equals [!Ref P, pv], Isnt: !Not [!Condition Is], Both: !And [!Condition Is, !Equals [1, "1"]], Any: !Or [!Condition Isnt, !Condition Is]}
Resources: {R: {Type: T}}
V: )" + GetParam().value, "t.yaml");
  ASSERT_TRUE(document) << document.error().str();
  Environment environment;
  environment.stack_name = "st";
  auto evaluator = Evaluator::make(*document, environment, {});
  ASSERT_TRUE(evaluator) << evaluator.error().front().str();
  Lookups lookups;
  lookups.ref = [](const std::string& id) -> std::optional<json::value> { return id == "R" ? std::optional(json::value("r-1")) : std::nullopt; };
  lookups.get_att = [](const std::string& id, const std::string& name) -> std::optional<json::value> { return id == "R" && name == "Arn" ? std::optional(json::value("arn:r")) : std::nullopt; };
  lookups.import = [](const std::string& name) -> std::optional<std::string> { return name == "ex" ? std::optional<std::string>("imported") : std::nullopt; };
  auto out = evaluator->resolve(document->root.as_object().at("V"), "/V", lookups);
  if (GetParam().error_part.empty()) {
    ASSERT_TRUE(out) << out.error().str();
    EXPECT_EQ(*out, json::parse(GetParam().want)) << json::serialize(*out);
  } else {
    ASSERT_FALSE(out);
    EXPECT_THAT(out.error().str(), HasSubstr(GetParam().error_part));
  }
}
INSTANTIATE_TEST_SUITE_P(Functions, Resolve, testing::Values(
    ResolveCase{"ref", "[!Ref P, !Ref L, !Ref R, !Ref AWS::Region]", R"(["pv",["a","b","c"],"r-1","us-east-1"])", ""},
    ResolveCase{"no_value", "{a: !Ref AWS::NoValue, b: [!Ref AWS::NoValue, 1]}", R"({"b":[1]})", ""},
    ResolveCase{"sub", "!Sub [\"${P}-${x}-${R.Arn}-${!keep}-${AWS::StackName}\", {x: !Ref N}]", R"("pv-3-arn:r-${keep}-st")", ""},
    ResolveCase{"join_split_select", "[!Join [\"-\", !Ref L], !Split [\".\", a.b.c], !Select [1, !Ref L]]", R"(["a-b-c",["a","b","c"],"b"])", ""},
    ResolveCase{"map", "!FindInMap [M, !Ref AWS::Region, k]", R"("mv")", ""},
    ResolveCase{"map_default", "!FindInMap [M, nowhere, k, {DefaultValue: d}]", R"("d")", ""},
    ResolveCase{"conditions", "[!If [Both, 1, 2], !If [Isnt, 1, 2], !If [Any, 1, 2]]", "[1,2,1]", ""},
    ResolveCase{"base64_import", "[!Base64 hi, !ImportValue ex]", R"(["aGk=","imported"])", ""},
    ResolveCase{"cidr", "!Cidr [10.0.0.0/16, 3, 8]", R"(["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"])", ""},
    ResolveCase{"cidr_of_ipv6", "!Cidr ['2001:db8:0:ff00::1/56', 3, 64]", R"(["2001:db8:0:ff00::/64","2001:db8:0:ff01::/64","2001:db8:0:ff02::/64"])", ""},
    ResolveCase{"extensions", "[!Length [a, b], {Fn::ToJsonString: {a: !Ref N}}]", R"([2,"{\"a\":\"3\"}"])", ""},
    ResolveCase{"missing_attribute", "!GetAtt R.Nope", "", "resource R has no attribute 'Nope'"},
    ResolveCase{"missing_map", "!FindInMap [M, x, k]", "", "Mappings have no M.x.k"},
    ResolveCase{"index", "!Select [7, !Ref L]", "", "index 7 of a list of 3"},
    ResolveCase{"unknown_function", "{Fn::Nope: 1}", "", "Fn::Nope is not supported"}),
    [](const auto& info) { return info.param.name; });

struct ParameterCase { const char* name; std::string definition, value, error_part; };
class Parameter : public testing::TestWithParam<ParameterCase> {};
TEST_P(Parameter, IsChecked) {
  auto document = parse_document("Parameters: {P: " + GetParam().definition + "}\nResources: {R: {Type: T}}", "t.yaml");
  ASSERT_TRUE(document);
  std::map<std::string, json::value> values;
  if (!GetParam().value.empty()) values["P"] = GetParam().value;
  auto out = Evaluator::make(*document, {}, values);
  ASSERT_EQ(out.has_value(), GetParam().error_part.empty());
  if (!out) EXPECT_THAT(out.error().front().str(), HasSubstr(GetParam().error_part));
}
INSTANTIATE_TEST_SUITE_P(Rules, Parameter, testing::Values(
    ParameterCase{"given", "{Type: String, AllowedValues: [a, b]}", "b", ""},
    ParameterCase{"not_allowed", "{Type: String, AllowedValues: [a, b]}", "c", "'c' is not an allowed value"},
    ParameterCase{"pattern", "{Type: String, AllowedPattern: '[a-z]+'}", "A", "does not match"},
    ParameterCase{"number", "{Type: Number, MaxValue: 5}", "6", "too large"},
    ParameterCase{"no_value", "{Type: String}", "", "has no value and no Default"},
    ParameterCase{"ssm", "{Type: 'AWS::SSM::Parameter::Value<String>', Default: x}", "", ""},
    ParameterCase{"ssm_of_nothing", "{Type: 'AWS::SSM::Parameter::Value<Nothing>', Default: x}", "", "does not exist"},
    ParameterCase{"no_echo", "{Type: String, NoEcho: true, AllowedPattern: '[a-z]+'}", "S3CRET", "'****' does not match"}),
    [](const auto& info) { return info.param.name; });

struct LoopCase { const char* name; std::string text, want, error_part; };
class ForEach : public testing::TestWithParam<LoopCase> {};
TEST_P(ForEach, IsWrittenOut) {
  const auto document = parse_document("Transform: AWS::LanguageExtensions\n" + GetParam().text, "t.yaml");
  ASSERT_TRUE(document) << document.error().str();
  auto out = expand_loops(*document, {{"Names", json::string("x, y")}});
  if (GetParam().error_part.empty()) {
    ASSERT_TRUE(out) << out.error().front().str();
    EXPECT_EQ(out->root.at("Resources"), json::parse(GetParam().want)) << json::serialize(out->root);
    return;
  }
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().front().str(), HasSubstr(GetParam().error_part));
}
const std::string kTopic = "{'T${N}': {Type: T, Properties: {A: 'is-${N}', B: !Ref N, C: !Sub '${N}-${Other}'}}}";
INSTANTIATE_TEST_SUITE_P(Loops, ForEach, testing::Values(
    LoopCase{"list", "Resources:\n  Fn::ForEach::L: [N, [a, b], " + kTopic + "]",
             R"({"Ta":{"Type":"T","Properties":{"A":"is-a","B":"a","C":{"Fn::Sub":"a-${Other}"}}},"Tb":{"Type":"T","Properties":{"A":"is-b","B":"b","C":{"Fn::Sub":"b-${Other}"}}}})", ""},
    LoopCase{"parameter", "Parameters: {Names: {Type: CommaDelimitedList}}\nResources:\n  Fn::ForEach::L: [N, !Ref Names, {'T${N}': {Type: T}}]", R"({"Tx":{"Type":"T"},"Ty":{"Type":"T"}})", ""},
    LoopCase{"letters_alone", "Resources:\n  Fn::ForEach::L: [N, [a.b], {'T&{N}': {Type: '${N}'}}]", R"({"Tab":{"Type":"a.b"}})", ""},
    LoopCase{"nested", "Resources:\n  Fn::ForEach::L: [N, [a, b], {'Fn::ForEach::M': [K, [1, 2], {'T${N}${K}': {Type: T}}]}]", R"({"Ta1":{"Type":"T"},"Ta2":{"Type":"T"},"Tb1":{"Type":"T"},"Tb2":{"Type":"T"}})", ""},
    LoopCase{"properties", "Resources:\n  R: {Type: T, Properties: {'Fn::ForEach::P': [K, [One, Two], {'${K}': 'v-${K}'}], Z: 1}}", R"({"R":{"Type":"T","Properties":{"One":"v-One","Two":"v-Two","Z":1}}})", ""},
    LoopCase{"same_key", "Resources:\n  Fn::ForEach::L: [N, [a, b], {T: {Type: T}}]", "", "does not hold ${N}"},
    LoopCase{"bad_name", "Resources:\n  Fn::ForEach::L: [N, [a.b], {'T${N}': {Type: T}}]", "", "not made of letters and digits"},
    LoopCase{"no_list", "Resources:\n  Fn::ForEach::L: [N, 5, {'T${N}': {Type: T}}]", "", "the collection is neither"},
    LoopCase{"shape", "Resources:\n  Fn::ForEach::L: [N]", "", "t.yaml:3"},
    LoopCase{"bomb", "Resources:\n  Fn::ForEach::A: [N, [" + [] { std::string out = "a0"; for (int i = 1; i < 100; ++i) out += ",a" + std::to_string(i); return out; }() +
             "], {'Fn::ForEach::B': [M, [" + [] { std::string out = "b0"; for (int i = 1; i < 100; ++i) out += ",b" + std::to_string(i); return out; }() + "], {'T${N}${M}': {Type: T}}]}]", "", "more than 2000 copies"}),
    [](const auto& info) { return info.param.name; });

TEST(ForEachTransform, IsNeeded) {
  const auto out = expand_loops(*parse_document("Resources:\n  Fn::ForEach::L: [N, [a], {'T${N}': {Type: T}}]", "t.yaml"), {});
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().front().what, HasSubstr("AWS::LanguageExtensions"));
}

}  // namespace
}  // namespace parvis::templates
