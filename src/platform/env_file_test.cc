#include "platform/env_file.h"

#include <gmock/gmock.h>

namespace parvis::platform {
namespace {

using testing::HasSubstr;

struct LineCase { const char* name; std::string text, want, error_part; };  // want: the value of A
class EnvLine : public testing::TestWithParam<LineCase> {};

TEST_P(EnvLine, IsReadAsDotenvReadsIt) {
  const auto parsed = parse_env_file(GetParam().text, "x.env");
  if (!GetParam().error_part.empty()) {
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().str(), HasSubstr(GetParam().error_part));
    return;
  }
  ASSERT_TRUE(parsed) << parsed.error().str();
  EXPECT_EQ(parsed->all.at("A"), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Forms, EnvLine, testing::Values(
    LineCase{"plain", "A=b", "b", ""}, LineCase{"spaces", "  A = b c \r\n", "b c", ""}, LineCase{"empty", "A=", "", ""},
    LineCase{"export", "export A=b", "b", ""}, LineCase{"comment_lines", "# no\n\nA=b\n", "b", ""},
    LineCase{"comment_behind", "A=b # why", "b", ""}, LineCase{"hash_in_value", "A=b#c", "b#c", ""},
    LineCase{"double_quotes", R"(A="b # \n\"c\"" # why)", "b # \n\"c\"", ""}, LineCase{"single_quotes", R"(A='b \n "c"')", R"(b \n "c")", ""},
    LineCase{"equals_in_value", "A=b=c", "b=c", ""}, LineCase{"the_last_wins", "A=b\nA=c", "c", ""},
    LineCase{"no_equals", "A=b\nBROKEN\n", "", "x.env:2:1: this line is not NAME=value"}, LineCase{"bad_name", "1A=b", "", "x.env:1:1"},
    LineCase{"open_quote", "A=\"b", "", "do not close"}, LineCase{"behind_quote", "A=\"b\"c", "", "do not close"}),
    [](const auto& info) { return info.param.name; });

constexpr std::string_view kTemplate = R"(
Globals: {Function: {Environment: {Variables: {SHARED: from-globals, STAGE: dev}}}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {OWN: !Ref AWS::Region}}}}
  Two: {Type: AWS::Serverless::Function}
  Plain: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {OWN: x}}}}
  Table: {Type: AWS::Serverless::SimpleTable}
)";

struct ApplyCase { const char* name; std::string file, function, variable, want, warning_part; };  // want empty: not in the function's own
class ApplyEnvFile : public testing::TestWithParam<ApplyCase> {};

TEST_P(ApplyEnvFile, SetsWhatTheTemplateDeclares) {
  auto document = templates::parse_document(kTemplate, "template.yaml");
  ASSERT_TRUE(document);
  const auto file = parse_env_file(GetParam().file, "x.env");
  ASSERT_TRUE(file) << file.error().str();
  const auto warnings = apply_env_file(*file, *document);
  boost::system::error_code missing;
  const auto* value = document->root.find_pointer("/Resources/" + GetParam().function + "/Properties/Environment/Variables/" + GetParam().variable, missing);
  EXPECT_EQ(value ? templates::scalar_text(*value) : "", GetParam().want);
  if (GetParam().warning_part.empty()) EXPECT_THAT(warnings, testing::IsEmpty());
  else EXPECT_THAT(warnings, testing::Contains(HasSubstr(GetParam().warning_part)));
}

INSTANTIATE_TEST_SUITE_P(Templates, ApplyEnvFile, testing::Values(
    ApplyCase{"own", "OWN=v", "One", "OWN", "v", ""}, ApplyCase{"of_globals", "SHARED=v", "Two", "SHARED", "v", ""},
    ApplyCase{"plain_function", "OWN=v", "Plain", "OWN", "v", ""}, ApplyCase{"globals_are_of_sam_functions", "SHARED=v", "Plain", "SHARED", "", ""},
    ApplyCase{"undeclared", "NEW=v", "One", "NEW", "", "NEW of the environment file is not set"},
    ApplyCase{"by_id", R"({"One": {"OWN": "v", "SHARED": 7}})", "One", "SHARED", "7", ""},
    ApplyCase{"by_id_only_there", R"({"One": {"SHARED": "v"}})", "Two", "SHARED", "", ""},
    ApplyCase{"id_wins", R"({"One": {"OWN": "v"}, "Parameters": {"OWN": "w"}})", "One", "OWN", "v", ""},
    ApplyCase{"parameters_are_for_all", R"({"Parameters": {"STAGE": "w"}})", "Two", "STAGE", "w", ""},
    ApplyCase{"unknown_function", R"({"Three": {"OWN": "v"}})", "One", "OWN", "", "names Three"},
    ApplyCase{"undeclared_by_id", R"({"Two": {"OWN": "v"}})", "Two", "OWN", "", "Two does not declare it"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::platform
