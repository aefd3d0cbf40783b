#include "aws/s3_host.h"

#include <gtest/gtest.h>

namespace parvis::aws {
namespace {

struct HostCase { const char* name; std::string_view host, bucket; };
class BucketOfHost : public testing::TestWithParam<HostCase> {};
TEST_P(BucketOfHost, IsWhatStandsBeforeTheService) { EXPECT_EQ(bucket_of_host(GetParam().host), GetParam().bucket); }
INSTANTIATE_TEST_SUITE_P(Hosts, BucketOfHost, testing::Values(
    HostCase{"plain", "localhost:4566", ""}, HostCase{"address", "127.0.0.1:4566", ""}, HostCase{"ipv6", "[::1]:4566", ""},
    HostCase{"short_form", "my-bucket.localhost:4566", "my-bucket"}, HostCase{"service", "my-bucket.s3.localhost", "my-bucket"},
    HostCase{"region", "my-bucket.s3.eu-west-1.localhost:80", "my-bucket"}, HostCase{"dots", "a.b.c.s3.localhost", "a.b.c"},
    HostCase{"named_s3", "s3.s3.eu-west-1.localhost", ""}, HostCase{"path_style", "s3.localhost:4566", ""},
    HostCase{"path_style_region", "s3.eu-west-1.localhost", ""}, HostCase{"aws", "b.s3.eu-west-1.amazonaws.com", "b"},
    HostCase{"aws_path_style", "s3.eu-west-1.amazonaws.com", ""}, HostCase{"another_service", "dynamodb.eu-west-1.amazonaws.com", ""},
    HostCase{"api", "abc.execute-api.localhost:4566", ""}, HostCase{"function", "abc.lambda-url.us-east-1.localhost", ""},
    HostCase{"empty", "", ""}), [](const auto& info) { return info.param.name; });

TEST(S3Address, ComesFromHostOrPath) {
  EXPECT_EQ(s3_address("b.localhost", "/k/l").bucket, "b");
  EXPECT_TRUE(s3_address("b.localhost", "/k").has_key);
  EXPECT_FALSE(s3_address("b.localhost", "/").has_key);
  EXPECT_EQ(s3_address("localhost", "/b/k").bucket, "b");
  EXPECT_TRUE(s3_address("localhost", "/b/k").has_key);
  EXPECT_FALSE(s3_address("localhost", "/b/").has_key);
  EXPECT_EQ(s3_address("localhost", "/").bucket, "");
}

}  // namespace
}  // namespace parvis::aws
