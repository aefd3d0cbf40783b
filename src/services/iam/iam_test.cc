// Roles over the fake store, operation by operation as a deployment calls them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/iam/operations.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::iam {
namespace {

using testing::HasSubstr;

class Iam : public testing::Test {
 protected:
  Iam() : clock_(Millis{std::chrono::milliseconds{1795428000000}}), service_(store_, clock_, entropy_) { service_.bind(registry_); }

  template <class Op>
  typename Op::Output call(typename Op::Input in) {
    aws::CallContext context;
    context.scope = {"123456789012", "eu-west-1"};
    auto out = storage::testing::run(registry_.find("iam", Op::model().name)->handler(
        context, std::make_shared<typename Op::Input>(std::move(in))));
    return *std::static_pointer_cast<typename Op::Output>(out);
  }
  template <class Op>
  std::string error(typename Op::Input in) {
    try {
      call<Op>(std::move(in));
      return {};
    } catch (const aws::ApiError& thrown) {
      return thrown.code() + ": " + thrown.message();
    }
  }
  static model::CreateRoleInput create(std::string name) {
    model::CreateRoleInput in;
    in.role_name = std::move(name);
    in.assume_role_policy_document = R"({"Version":"2012-10-17","Statement":[]})";
    return in;
  }
  template <class Input>
  static Input named(std::string name) {
    Input in;
    in.role_name = std::move(name);
    return in;
  }

  storage::testing::FakeStore store_;
  ManualClock clock_;
  Entropy entropy_;
  IamService service_;
  aws::Registry registry_;
};

TEST_F(Iam, RolesAreMadeAndRead) {
  const auto made = call<model::CreateRole>(create("r"));
  EXPECT_EQ(made.role->arn, "arn:aws:iam::123456789012:role/r");
  EXPECT_THAT(*made.role->role_id, testing::MatchesRegex("AROA[A-Z2-7]{17}"));
  const auto read = call<model::GetRole>(named<model::GetRoleInput>("r"));
  EXPECT_EQ(read.role->role_id, made.role->role_id);
  EXPECT_THAT(*read.role->assume_role_policy_document, HasSubstr("%7B%22Version%22%3A"));
  EXPECT_EQ(error<model::CreateRole>(create("r")), "EntityAlreadyExists: Role with name r already exists.");
  EXPECT_EQ(error<model::GetRole>(named<model::GetRoleInput>("x")), "NoSuchEntity: The role with name x cannot be found.");
  auto bad = create("y");
  bad.assume_role_policy_document = "{";
  EXPECT_EQ(error<model::CreateRole>(bad), "MalformedPolicyDocument: This policy contains invalid Json");
}

TEST_F(Iam, ARoleWithPoliciesIsNotDeleted) {
  call<model::CreateRole>(create("r"));
  auto put = named<model::PutRolePolicyInput>("r");
  put.policy_name = "p";
  put.policy_document = R"({"Statement":[]})";
  call<model::PutRolePolicy>(put);
  auto attach = named<model::AttachRolePolicyInput>("r");
  attach.policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
  call<model::AttachRolePolicy>(attach);
  call<model::AttachRolePolicy>(attach);
  const auto attached = call<model::ListAttachedRolePolicies>(named<model::ListAttachedRolePoliciesInput>("r"));
  ASSERT_EQ(attached.attached_policies->size(), 1u);
  EXPECT_EQ(attached.attached_policies->at(0).policy_name, "AWSLambdaBasicExecutionRole");
  EXPECT_THAT(error<model::DeleteRole>(named<model::DeleteRoleInput>("r")), HasSubstr("must detach all policies first"));
  auto detach = named<model::DetachRolePolicyInput>("r");
  detach.policy_arn = attach.policy_arn;
  call<model::DetachRolePolicy>(detach);
  EXPECT_THAT(error<model::DeleteRole>(named<model::DeleteRoleInput>("r")), HasSubstr("must delete policies first"));
  auto erase = named<model::DeleteRolePolicyInput>("r");
  erase.policy_name = "p";
  call<model::DeleteRolePolicy>(erase);
  EXPECT_EQ(error<model::DeleteRole>(named<model::DeleteRoleInput>("r")), "");
  EXPECT_THAT(error<model::DeleteRole>(named<model::DeleteRoleInput>("r")), HasSubstr("NoSuchEntity"));
}

TEST_F(Iam, ListsInPagesAndLimitsSizes) {
  for (const char* name : {"c", "a", "b"}) call<model::CreateRole>(create(name));
  model::ListRolesInput in;
  in.max_items = 2;
  const auto page = call<model::ListRoles>(in);
  EXPECT_EQ(page.roles->size(), 2u);
  EXPECT_EQ(page.marker, "b");
  auto put = named<model::PutRolePolicyInput>("a");
  put.policy_name = "p";
  put.policy_document = R"({"Statement":")" + std::string(10'240, 'x') + "\"}";
  EXPECT_THAT(error<model::PutRolePolicy>(put), HasSubstr("LimitExceeded"));
}

}  // namespace
}  // namespace parvis::iam
