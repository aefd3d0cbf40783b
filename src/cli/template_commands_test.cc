#include "cli/template_commands.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

namespace parvis::cli {
namespace {

using testing::HasSubstr;

struct TemplateCase { const char* name; std::string text, error_part; };
class ValidateTemplate : public testing::TestWithParam<TemplateCase> {};

TEST_P(ValidateTemplate, NamesWhatCannotBeDeployed) {
  const auto file = std::filesystem::path(testing::TempDir()) / (std::string("validate_") + GetParam().name + ".yaml");
  std::ofstream(file) << GetParam().text;
  testing::internal::CaptureStderr();
  const int result = validate_template(file.string(), "us-east-1");
  const std::string errors = testing::internal::GetCapturedStderr();
  std::filesystem::remove(file);
  EXPECT_EQ(result, GetParam().error_part.empty() ? 0 : 1) << errors;
  EXPECT_THAT(errors, HasSubstr(GetParam().error_part));
}

std::string roles(int count) {
  std::string text = "Resources:\n";
  for (int i = 0; i < count; ++i) text += "  R" + std::to_string(i) + ": {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}\n";
  return text;
}

const std::string kHead = "Resources:\n  A: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}, Description: ";
INSTANTIATE_TEST_SUITE_P(Graph, ValidateTemplate, testing::Values(
    TemplateCase{"good", kHead + "!Sub '${AWS::Region}'}}\n", ""},
    TemplateCase{"parameters_without_value", "Parameters: {N: {Type: Number, MinValue: 5}, S: {Type: String, AllowedValues: [a]}}\n" + roles(1), ""},
    TemplateCase{"cycle", kHead + "!Ref B}}\n  B: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}, Description: !Ref A}}\n", "in a circle: A -> B -> A"},
    TemplateCase{"unknown_sub", kHead + "!Sub '${Nothing}'}}\n", "Nothing"},
    TemplateCase{"unknown_property", kHead + "x, Colour: red}}\n", "the property Colour of AWS::IAM::Role is not supported"},
    TemplateCase{"missing_property", "Resources:\n  A: {Type: 'AWS::IAM::Role'}\n", "the property AssumeRolePolicyDocument of AWS::IAM::Role is required"},
    TemplateCase{"most_resources", roles(500), ""},
    TemplateCase{"too_many_resources", roles(501), "500"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::cli
