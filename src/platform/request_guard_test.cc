#include "platform/request_guard.h"

#include <gtest/gtest.h>

namespace parvis::platform {
namespace {

struct GuardCase {
  const char* name;
  const char* host;
  const char* origin;  // nullptr: not sent
  const char* site;
  bool allowed;
};
class Guard : public testing::TestWithParam<GuardCase> {};

TEST_P(Guard, KeepsForeignPagesOut) {
  const RequestGuard guard({"build.example"});
  http::Request request;
  request.host = GetParam().host;
  if (GetParam().origin) request.headers.add("Origin", GetParam().origin);
  if (GetParam().site) request.headers.add("Sec-Fetch-Site", GetParam().site);
  EXPECT_EQ(!guard.refuse_api(request).has_value(), GetParam().allowed);
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, Guard,
    testing::Values(GuardCase{"sdk_on_loopback", "127.0.0.1:4566", nullptr, nullptr, true},
                    GuardCase{"ipv6_loopback", "[::1]:4566", nullptr, nullptr, true},
                    GuardCase{"name_below_localhost", "bucket.s3.localhost:4566", nullptr, nullptr, true},
                    GuardCase{"listed_name", "build.example:4566", nullptr, nullptr, true},
                    GuardCase{"rebound_name", "attacker.example:4566", nullptr, nullptr, false},
                    GuardCase{"name_that_only_ends_alike", "evillocalhost:4566", nullptr, nullptr, false},
                    GuardCase{"client_that_was_turned_here", "sqs.eu-west-1.amazonaws.com", nullptr, nullptr, true},
                    GuardCase{"page_of_a_name_of_aws", "a.s3.amazonaws.com", "http://a.s3.amazonaws.com", nullptr, false},
                    GuardCase{"navigation_to_a_name_of_aws", "a.s3.amazonaws.com", nullptr, "none", false},
                    GuardCase{"no_host", "", nullptr, nullptr, false},
                    GuardCase{"own_page", "localhost:4566", "http://localhost:3000", "same-site", true},
                    GuardCase{"foreign_page", "localhost:4566", "https://attacker.example", "cross-site", false},
                    GuardCase{"sandboxed_page", "localhost:4566", "null", "cross-site", false},
                    GuardCase{"image_of_a_foreign_page", "localhost:4566", nullptr, "cross-site", false}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::platform
