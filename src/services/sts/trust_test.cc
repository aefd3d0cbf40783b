#include "services/sts/trust.h"

#include <gtest/gtest.h>

namespace parvis::sts {
namespace {

bool check(std::string_view statements, std::string_view external = {}) {
  const auto policy = boost::json::parse(R"({"Version":"2012-10-17","Statement":)" + std::string(statements) + "}");
  return trusts(policy, {"arn:aws:sts::111122223333:assumed-role/a/b", "111122223333", external});
}

TEST(Trust, NamesTheCallersAccountRootOrArn) {
  EXPECT_TRUE(check(R"([{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111122223333"}}])"));
  EXPECT_TRUE(check(R"({"Effect":"Allow","Action":["sts:TagSession","sts:AssumeRole"],"Principal":{"AWS":["x","arn:aws:iam::111122223333:root"]}})"));
  EXPECT_TRUE(check(R"([{"Effect":"Allow","Action":"sts:*","Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/a/b"}}])"));
  EXPECT_FALSE(check(R"([{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}])"));
  EXPECT_FALSE(check(R"([{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"999999999999"}}])"));
  EXPECT_FALSE(check(R"([{"Effect":"Allow","Action":"s3:GetObject","Principal":"*"}])"));
  EXPECT_FALSE(check("[]"));
}

TEST(Trust, ADenyWinsAndUnreadPartsAllowNothing) {
  EXPECT_FALSE(check(R"([{"Effect":"Allow","Action":"*","Principal":"*"},{"Effect":"Deny","Action":"*","Principal":"*"}])"));
  EXPECT_FALSE(check(R"([{"Effect":"Allow","Action":"*","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}])"));
  EXPECT_FALSE(check(R"([{"Effect":"Allow","Action":"*","NotPrincipal":{"AWS":"1"}}])"));
}

TEST(Trust, ExternalIdMustMatch) {
  const char* statement = R"([{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Condition":{"StringEquals":{"sts:ExternalId":"secret"}}}])";
  EXPECT_TRUE(check(statement, "secret"));
  EXPECT_FALSE(check(statement, "other"));
  EXPECT_FALSE(check(statement));
}

}  // namespace
}  // namespace parvis::sts
