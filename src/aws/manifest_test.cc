#include "aws/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/cloudformation.h"
#include "models/dynamodb.h"

namespace parvis::aws {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// `op` as its service lists it, with the given rules.
OperationModel with(const OperationModel& op, std::span<const MemberRule> rules) {
  OperationModel out = op;
  out.rules = rules;
  return out;
}
std::vector<std::string> warnings_of(const OperationModel& op, const void* input) {
  std::vector<std::string> out;
  apply_manifest(op, input, out);
  return out;
}

TEST(Manifest, RefusesAMemberByNameAndLetsTheRestPass) {
  static constexpr MemberRule kRules[] = {{"RoleARN", Disposition::kRefused, "leave it out"}};
  const OperationModel op = with(model::cloudformation::CreateStack::model(), kRules);
  model::cloudformation::CreateStackInput in;
  in.stack_name = "demo";
  EXPECT_THAT(warnings_of(op, &in), IsEmpty());
  in.role_arn = "arn:aws:iam::1:role/r";
  try {
    warnings_of(op, &in);
    FAIL() << "not refused";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), "ValidationError");
    EXPECT_EQ(error.message(), "Parvis does not support RoleARN 'arn:aws:iam::1:role/r' in CreateStack: leave it out");
  }
}

TEST(Manifest, OneValueMayDiffer) {
  static constexpr ValueRule kEmptyIsFine[] = {{"[]", Disposition::kNeutral, ""}};
  static constexpr ValueRule kDeleteIsRefused[] = {{"DELETE", Disposition::kRefused, "not offered"}};
  static constexpr MemberRule kRules[] = {{"NotificationARNs", Disposition::kRefused, "no topics", kEmptyIsFine},
                                          {"OnFailure", Disposition::kApplied, "", kDeleteIsRefused}};
  const OperationModel op = with(model::cloudformation::CreateStack::model(), kRules);
  model::cloudformation::CreateStackInput in;
  in.notification_ar_ns.emplace();
  in.on_failure = "ROLLBACK";
  EXPECT_THAT(warnings_of(op, &in), IsEmpty());
  in.on_failure = "DELETE";
  EXPECT_THROW(warnings_of(op, &in), ApiError);
  in.on_failure.reset();
  in.notification_ar_ns->push_back("arn:aws:sns:::t");
  EXPECT_THROW(warnings_of(op, &in), ApiError);
}

TEST(Manifest, WarnsOncePerSentenceInListsAndMaps) {
  static constexpr MemberRule kRules[] = {{"Tags[].Value", Disposition::kWarned, "kept, not used"}};
  const OperationModel op = with(model::cloudformation::CreateStack::model(), kRules);
  model::cloudformation::CreateStackInput in;
  in.tags.emplace(3);
  EXPECT_THAT(warnings_of(op, &in), IsEmpty());
  for (auto& tag : *in.tags) tag.value = "same";
  EXPECT_THAT(warnings_of(op, &in), ElementsAre("Tags[].Value 'same' is accepted without effect in CreateStack: kept, not used"));

  static constexpr MemberRule kOfMaps[] = {{"RequestItems{}[].DeleteRequest", Disposition::kWarned, "not deleted"}};
  const OperationModel batch = with(model::dynamodb::BatchWriteItem::model(), kOfMaps);
  model::dynamodb::BatchWriteItemInput items;
  items.request_items.emplace();
  (*items.request_items)["table"].emplace_back().delete_request.emplace();
  EXPECT_THAT(warnings_of(batch, &items), ElementsAre(HasSubstr("RequestItems{}[].DeleteRequest is accepted without effect")));
}

}  // namespace
}  // namespace parvis::aws
