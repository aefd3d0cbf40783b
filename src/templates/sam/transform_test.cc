#include "templates/sam/transform.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::templates::sam {
namespace {
using testing::HasSubstr;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// testdata/x.json is what aws-sam-translator 1.115.0 makes of x.yaml (tests/conformance/sam/record.py).
TEST(Transform, MakesWhatAwsTranslatorMakes) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PARVIS_SAM_TESTDATA)) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().filename().string());
    auto document = parse_document(read(entry.path()), entry.path().filename().string());
    ASSERT_TRUE(document) << document.error().str();
    auto out = transform(*document, {});
    ASSERT_TRUE(out) << out.error().front().str();
    EXPECT_EQ(out->document.root, json::parse(read(std::filesystem::path(entry.path()).replace_extension(".json"))));
    ++count;
  }
  EXPECT_GE(count, 5);
}

struct RefusedCase { const char* name; std::string_view resource, part; };
class Refused : public testing::TestWithParam<RefusedCase> {};
TEST_P(Refused, NamesResourcePropertyAndLine) {
  auto document = parse_document("Transform: AWS::Serverless-2016-10-31\nResources:\n  X:\n" + std::string(GetParam().resource), "t.yaml");
  ASSERT_TRUE(document) << document.error().str();
  auto out = transform(*document, {});
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().front().str(), HasSubstr(GetParam().part));
}
INSTANTIATE_TEST_SUITE_P(Templates, Refused, testing::Values(
    RefusedCase{"type", "    Type: AWS::Serverless::StateMachine\n", "t.yaml:4:5: resource X: the type 'AWS::Serverless::StateMachine' is not supported"},
    RefusedCase{"property", "    Type: AWS::Serverless::SimpleTable\n    Properties:\n      Keys: 1\n", "t.yaml:6:7: resource X: property 'Keys' is not supported"},
    RefusedCase{"event", "    Type: AWS::Serverless::Function\n    Properties: {Runtime: a, Handler: b, InlineCode: c, Events: {E: {Type: SQS}}}\n", "type 'SQS', which is not supported"},
    RefusedCase{"event_property", "    Type: AWS::Serverless::Function\n    Properties: {Runtime: a, Handler: b, InlineCode: c, Events: {E: {Type: Api, Properties: {Path: /, Method: get, Auth: {}}}}}\n", "property 'Auth' of the Api event E"},
    RefusedCase{"handler", "    Type: AWS::Serverless::Function\n    Properties: {Runtime: a, InlineCode: c}\n", "resource X: Handler is required"},
    RefusedCase{"code", "    Type: AWS::Serverless::Function\n    Properties: {Runtime: a, Handler: b, CodeUri: src/}\n", "is not a valid S3 Uri"},
    RefusedCase{"policy", "    Type: AWS::Serverless::Function\n    Properties: {Runtime: a, Handler: b, InlineCode: c, Policies: [{DynamoDBCrudPolicy: {}}]}\n", "needs the parameter 'TableName'"}),
    [](const auto& info) { return info.param.name; });

TEST(Transform, LocalCodeStaysWhenAsked) {
  auto document = parse_document("Transform: AWS::Serverless-2016-10-31\nResources: {X: {Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: src/}}}", "t.yaml");
  TransformOptions options;
  options.local_code = true;
  auto out = transform(*document, options);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->document.root.at_pointer("/Resources/X/Properties/Code"), "src/");
}

}  // namespace
}  // namespace parvis::templates::sam
