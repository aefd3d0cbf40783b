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

// What a deployment would leave out without a word, or find only when half of the stack is made.
const std::string kTemplate = "Resources:\n  A: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: ";
std::string valued(const std::string& value) { return kTemplate + value + "}}\n"; }
std::string with(const std::string& attribute) { return "Resources:\n  A: {Type: 'AWS::SSM::Parameter', " + attribute + ", Properties: {Type: String, Value: x}}\n"; }
const std::string kExtensions = "Transform: AWS::LanguageExtensions\n";
const std::string kConditions = "Parameters: {P: {Type: String, Default: x}}\nConditions: {C: !Equals [!Ref P, x]}\n";
INSTANTIATE_TEST_SUITE_P(Structure, ValidateTemplate, testing::Values(
    TemplateCase{"unknown_section", valued("x") + "Output: {}\n", ":3:1: Invalid template property or properties [Output]"},
    TemplateCase{"hooks", valued("x") + "Hooks: {}\n", "the section Hooks is not supported"},
    TemplateCase{"version", valued("x") + "AWSTemplateFormatVersion: '2011-09-09'\n", "unsupported value for AWSTemplateFormatVersion"},
    TemplateCase{"description", valued("x") + "Description: [1]\n", "any Description member must be a string"},
    TemplateCase{"unknown_transform", "Transform: Macro\n" + valued("x"), ":1:1: No transform named Macro found."},
    TemplateCase{"include", valued("{'Fn::Transform': {Name: 'AWS::Include'}}"), "Fn::Transform is not supported"},
    TemplateCase{"unknown_function", valued("{'Fn::Foo': 1}"), "Encountered unsupported function: Fn::Foo"},
    TemplateCase{"function_in_lower_case", valued("{'fn::Join': ['', []]}"), "Encountered unsupported function: fn::Join"},
    TemplateCase{"function_beside_others", valued("{Ref: A, B: c}"), "Ref stands beside other members"},
    TemplateCase{"extension_without_transform", valued("{'Fn::ToJsonString': {a: b}}"), "Fn::ToJsonString needs the transform AWS::LanguageExtensions"},
    TemplateCase{"extension", kExtensions + valued("{'Fn::ToJsonString': {a: b}}"), ""},
    TemplateCase{"condition_function_in_a_property", valued("{'Fn::Not': [a]}"), "Fn::Not stands outside Conditions"},
    TemplateCase{"rule_function_in_a_condition", valued("x") + "Conditions: {C: {'Fn::Contains': [[a], a]}}\n", "Fn::Contains stands outside Rules"},
    TemplateCase{"no_type", "Resources:\n  A: {Typ: x}\n", "resource A has no Type"},
    TemplateCase{"unknown_attribute_of_a_sam_type", "Transform: AWS::Serverless-2016-10-31\nResources:\n  A: {Type: 'AWS::Serverless::SimpleTable', Metadat: {}}\n", "the attribute Metadat is not known"},
    TemplateCase{"deletion_policy", with("DeletionPolicy: Keep"), "DeletionPolicy has the value 'Keep'"},
    TemplateCase{"snapshot", with("DeletionPolicy: Snapshot"), "does not support deletion policy Snapshot"},
    TemplateCase{"replace_policy", with("UpdateReplacePolicy: RetainExceptOnCreate"), "UpdateReplacePolicy has the value"},
    TemplateCase{"function_as_policy", kConditions + with("DeletionPolicy: !If [C, Retain, Delete]"), "a function in DeletionPolicy needs the transform"},
    TemplateCase{"function_as_policy_with_extensions", kExtensions + kConditions + with("DeletionPolicy: !If [C, Retain, Delete]"), ""},
    TemplateCase{"mapping_of_one_level", "Mappings: {M: {a: b}}\n" + valued("x"), "mapping M: a is not a mapping"},
    TemplateCase{"mapping_of_three_levels", "Mappings: {M: {a: {b: {c: d}}}}\n" + valued("x"), "a.b is neither text nor a list of texts"},
    TemplateCase{"parameter_named_as_a_resource", "Parameters: {A: {Type: String, Default: x}}\n" + valued("x"), "a resource has the same name"},
    TemplateCase{"parameter_misspelt", "Parameters: {P: {Type: String, Defaul: x}}\n" + valued("x"), "'Defaul' is not known"},
    TemplateCase{"parameter_constraint", "Parameters: {P: {Type: Number, Default: 1, MinLength: 2}}\n" + valued("x"), "MinLength does not go with the type Number"},
    TemplateCase{"allowed_values", "Parameters: {P: {Type: String, Default: x, AllowedValues: x}}\n" + valued("x"), "AllowedValues is not a list"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(Values, ValidateTemplate, testing::Values(
    TemplateCase{"unknown_map", valued("!FindInMap [M, a, b]"), ":2:63: Mappings have no M.a.b"},
    TemplateCase{"map_by_a_parameter_without_value", "Parameters: {P: {Type: String}}\nMappings: {M: {a: {b: c}}}\n" + valued("!FindInMap [M, !Ref P, b]"), ""},
    TemplateCase{"map_by_the_account", "Mappings: {M: {'111122223333': {b: c}}}\n" + valued("!FindInMap [M, !Ref 'AWS::AccountId', b]"), ""},
    TemplateCase{"default_of_a_map", kExtensions + "Mappings: {M: {a: {b: c}}}\n" + valued("!FindInMap [M, a, z, {DefaultValue: d}]"), ""},
    TemplateCase{"index", valued("!Select [5, [a, b]]"), "index 5 of a list of 2"},
    TemplateCase{"index_into_what_is_not_made", valued("!Select [5, !Split [':', !GetAtt B.Value]]") + "  B: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: x}}\n", ""},
    TemplateCase{"too_few", valued("!Join [a]"), "the function needs 2 values, not 1"},
    TemplateCase{"inside_another", valued("!Join ['', [!Select [5, [a]]]]"), "index 5 of a list of 1"},
    TemplateCase{"in_a_branch_that_is_not_taken", "Conditions: {C: !Equals [a, b]}\n" + valued("!If [C, !Select [5, [a]], x]"), ""},
    TemplateCase{"unknown_condition", valued("!If [C, a, b]"), "the condition 'C' does not exist"},
    TemplateCase{"condition_on_a_resource", valued("x") + "Conditions: {C: !Equals [!Ref A, x]}\n", "Ref: 'A' is neither a parameter"},
    TemplateCase{"unknown_pseudo_parameter", valued("!Sub '${AWS::Nothing}'"), "'AWS::Nothing' is neither"},
    TemplateCase{"output", valued("x") + "Outputs: {O: {Value: !Ref B}}\n", "output O: 'B' is neither a resource nor a parameter"},
    TemplateCase{"output_without_value", valued("x") + "Outputs: {O: {Description: x}}\n", "output O has no Value"},
    TemplateCase{"output_misspelt", valued("x") + "Outputs: {O: {Value: x, Exports: {Name: x}}}\n", "output O: 'Exports' is not known"},
    TemplateCase{"output_condition", valued("x") + "Outputs: {O: {Value: x, Condition: C}}\n", "output O: the condition 'C' does not exist"},
    TemplateCase{"output_list", valued("x") + "Outputs: {O: {Value: [a]}}\n", "output O: Value is a list"},
    TemplateCase{"export_without_name", valued("x") + "Outputs: {O: {Value: x, Export: {}}}\n", "its Export has no Name"}),
    [](const auto& info) { return info.param.name; });

std::string ruled(const std::string& assertion) { return "Parameters: {P: {Type: String, Default: x}, L: {Type: CommaDelimitedList, Default: 'a,b'}, U: {Type: String}}\nRules: {R: {Assertions: [{Assert: " + assertion + ", AssertDescription: choose well}]}}\n" + valued("x"); }
INSTANTIATE_TEST_SUITE_P(Rules, ValidateTemplate, testing::Values(
    TemplateCase{"holds", ruled("{'Fn::Contains': [[x, y], !Ref P]}"), ""},
    TemplateCase{"broken", ruled("{'Fn::Contains': [[y], !Ref P]}"), "rule R does not hold: choose well"},
    TemplateCase{"each_in", ruled("{'Fn::EachMemberIn': [!Ref L, [a, b, c]]}"), ""},
    TemplateCase{"not_each_in", ruled("{'Fn::EachMemberIn': [!Ref L, [a]]}"), "rule R does not hold"},
    TemplateCase{"each_equals", ruled("{'Fn::EachMemberEquals': [!Ref L, a]}"), "rule R does not hold"},
    TemplateCase{"of_a_value_to_come", ruled("!Equals [!Ref U, z]"), ""},
    TemplateCase{"refused_function", ruled("{'Fn::RefAll': 'AWS::EC2::VPC::Id'}"), "Fn::RefAll is not supported"},
    TemplateCase{"when_its_condition_does_not_hold", "Rules: {R: {RuleCondition: !Equals [a, b], Assertions: [{Assert: !Equals [a, b]}]}}\n" + valued("x"), ""},
    TemplateCase{"misspelt", "Rules: {R: {Assertion: []}}\n" + valued("x"), "rule R: 'Assertion' is not known"}),
    [](const auto& info) { return info.param.name; });

TEST(ValidateTemplate, TakesAFolderAndNamesATemplateNearby) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "validate_folder";
  std::filesystem::create_directories(folder / "src");
  const auto said = [](const std::filesystem::path& place) {
    testing::internal::CaptureStderr();
    const int result = validate_template(place.string(), "us-east-1");
    return std::pair(result, testing::internal::GetCapturedStderr());
  };
  EXPECT_THAT(said(folder).second, HasSubstr("has no template.yaml, template.yml or template.json"));
  std::ofstream(folder / "template.yaml") << valued("x");
  EXPECT_EQ(said(folder).first, 0);
  EXPECT_THAT(said(folder / "src").second, HasSubstr("did you mean " + (folder / "template.yaml").string()));
  std::filesystem::rename(folder / "template.yaml", folder / "stack.yaml");
  EXPECT_THAT(said(folder).second, HasSubstr("did you mean " + (folder / "stack.yaml").string()));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace parvis::cli
