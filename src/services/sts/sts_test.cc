#include <gtest/gtest.h>

#include "services/sts/operations.h"

namespace parvis::sts {
namespace {

TEST(CallerIdentity, IsTheRootWithoutAPrincipal) {
  aws::CallContext call;
  call.scope = {"123456789012", "us-east-1"};
  const auto out = caller_identity(call);
  EXPECT_EQ(out.account, "123456789012");
  EXPECT_EQ(out.arn, "arn:aws:iam::123456789012:root");
  EXPECT_EQ(out.user_id, "123456789012");
}

TEST(CallerIdentity, NamesThePrincipal) {
  aws::CallContext call;
  call.scope = {"123456789012", "us-east-1"};
  call.principal = {"arn:aws:sts::123456789012:assumed-role/r/s", "ASIAEXAMPLE"};
  const auto out = caller_identity(call);
  EXPECT_EQ(out.arn, "arn:aws:sts::123456789012:assumed-role/r/s");
  EXPECT_EQ(out.user_id, "ASIAEXAMPLE");
}

}  // namespace
}  // namespace parvis::sts
