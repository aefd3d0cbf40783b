#include "aws/validate.h"

#include <gmock/gmock.h>

#include "models/dynamodb.h"
#include "models/iam.h"
#include "models/lambda.h"

namespace parvis::aws {
namespace {
using testing::HasSubstr;
namespace ddb = model::dynamodb;

std::string message(const OperationModel& op, const void* input) { return validate(*op.input, input).value_or(""); }

ddb::CreateTableInput table() {
  ddb::CreateTableInput in;
  in.table_name = "travel";
  in.attribute_definitions = {ddb::AttributeDefinition{.attribute_name = "id", .attribute_type = "S"}};
  in.key_schema = {ddb::KeySchemaElement{.attribute_name = "id", .key_type = "HASH"}};
  return in;
}

TEST(Validate, AcceptsWhatKeepsEveryConstraint) {
  auto in = table();
  EXPECT_EQ(message(ddb::CreateTable::model(), &in), "");
}

TEST(Validate, NamesAMissingMember) {
  model::iam::GetRoleInput in;
  EXPECT_EQ(message(model::iam::GetRole::model(), &in),
            "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null");
}

TEST(Validate, LengthOfAString) {
  auto in = table();
  in.table_name = std::string(1025, 'a');
  EXPECT_THAT(message(ddb::CreateTable::model(), &in),
              HasSubstr("at 'tableName' failed to satisfy constraint: Member must have length less than or equal to 1024"));
}

TEST(Validate, LengthCountsUtf16Units) {
  auto in = table();
  (*in.attribute_definitions)[0].attribute_name = "";
  EXPECT_THAT(message(ddb::CreateTable::model(), &in), HasSubstr("Value '' at 'attributeDefinitions.1.member.attributeName' failed "
      "to satisfy constraint: Member must have length greater than or equal to 1"));
}

TEST(Validate, EnumNamesTheSet) {
  auto in = table();
  (*in.key_schema)[0].key_type = "SORT";
  EXPECT_EQ(message(ddb::CreateTable::model(), &in), "1 validation error detected: Value 'SORT' at 'keySchema.1.member.keyType' "
      "failed to satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]");
}

TEST(Validate, SeveralErrorsAreJoinedAndTenAreNamed) {
  auto in = table();
  in.key_schema->clear();
  for (int i = 0; i < 12; ++i) in.attribute_definitions->push_back({.attribute_name = "x", .attribute_type = "Q"});
  const std::string text = message(ddb::CreateTable::model(), &in);
  EXPECT_THAT(text, testing::StartsWith("10 validation errors detected: "));
  EXPECT_THAT(text, HasSubstr("; Value 'Q' at 'attributeDefinitions.3.member.attributeType'"));
}

TEST(Validate, NumbersInTheirRange) {
  ddb::ListTablesInput in{.exclusive_start_table_name = {}, .limit = 101};
  EXPECT_THAT(message(ddb::ListTables::model(), &in), HasSubstr("Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100"));
}

TEST(Validate, PatternsMatchTheWholeValue) {
  model::iam::GetRoleInput in{.role_name = "a b"};
  EXPECT_THAT(message(model::iam::GetRole::model(), &in), HasSubstr("Member must satisfy regular expression pattern: [\\w+=,.@-]+"));
  in.role_name = "travel-role";
  EXPECT_EQ(message(model::iam::GetRole::model(), &in), "");
}

TEST(Validate, PatternsWrittenDownByHand) {
  model::lambda::FunctionCode code;
  const Shape* shape = model::lambda::CreateFunction::model().input;
  for (const Member& m : shape->members) {
    if (m.name != "FunctionName") continue;
    ASSERT_NE(m.shape->pattern, nullptr);
    EXPECT_TRUE(m.shape->pattern->accepts("travel-search"));
    EXPECT_TRUE(m.shape->pattern->accepts("arn:aws:lambda:us-east-1:123456789012:function:travel"));
    EXPECT_FALSE(m.shape->pattern->accepts("no spaces"));
  }
}

void check_patterns(const Shape& shape, std::set<const Shape*>& seen) {
  if (!seen.insert(&shape).second) return;
  if (shape.pattern) { EXPECT_TRUE(shape.pattern->compiles()) << shape.name << ": " << shape.pattern->text; }
  for (const Member& m : shape.members) check_patterns(*m.shape, seen);
  for (const Shape* part : {shape.element, shape.key}) if (part) check_patterns(*part, seen);
}

TEST(Validate, Re2TakesEveryPattern) {
  std::set<const Shape*> seen;
  for (auto models : {ddb::operation_models(), model::iam::operation_models(), model::lambda::operation_models()}) {
    for (const OperationModel* op : models) check_patterns(*op->input, seen);
  }
  EXPECT_GT(seen.size(), 100u);
}

}  // namespace
}  // namespace parvis::aws
