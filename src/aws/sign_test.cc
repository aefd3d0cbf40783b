// What the signer makes, the verifier (checked against botocore's signatures in sigv4_test.cc) accepts; and one signature of AWS's own.
#include "aws/sign.h"

#include <gmock/gmock.h>

#include "aws/sigv4.h"

namespace parvis::aws {
namespace {

const Millis kNow{std::chrono::milliseconds{1'795'600'000'000}};
const SigningKeys kKeys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};

struct SignCase { const char* name; std::string method, target, body, service; ErrorFamily family; std::string token; };
class SignedRequest : public testing::TestWithParam<SignCase> {};

TEST_P(SignedRequest, IsAccepted) {
  const SignCase& row = GetParam();
  http::Request request;
  request.method = row.method;
  request.target = row.target;
  request.host = "127.0.0.1:4566";
  request.body = row.body;
  request.headers.add("X-Amz-Target", "Logs_20140328.FilterLogEvents");
  SigningKeys keys = kKeys;
  keys.session_token = row.token;
  sign_request(request, keys, "eu-west-1", row.service, kNow);
  const ManualClock clock(kNow);
  VerifyOptions options;
  options.clock = &clock;
  options.family = row.family;
  options.service = row.service;
  options.find_credential = [&](std::string_view id) -> std::optional<SigningCredential> {
    return id == keys.access_key_id ? std::optional(SigningCredential{keys.secret_access_key, row.token}) : std::nullopt;
  };
  request.headers.add("Host", request.host);  // as a server gets it
  http::Request sent = request;
  const auto scope = verify_signature(sent, options);
  ASSERT_TRUE(scope) << scope.error().message;
  EXPECT_EQ(scope->region, "eu-west-1");
  request.headers.set("X-Amz-Target", "Logs_20140328.DeleteLogGroup");
  EXPECT_FALSE(verify_signature(request, options)) << "every header is signed";
}

INSTANTIATE_TEST_SUITE_P(Services, SignedRequest, testing::Values(
    SignCase{"json", "POST", "/", "{}", "logs", ErrorFamily::kJson, ""},
    SignCase{"query", "POST", "/", "Action=DescribeStacks", "cloudformation", ErrorFamily::kQuery, "token/+="},
    SignCase{"encoded_path", "POST", "/2015-03-31/functions/a%3Ab/invocations", "{}", "lambda", ErrorFamily::kRestJson, ""},
    SignCase{"s3_path_and_query", "PUT", "/bucket/a%20b?uploads=&x=1%2F2", "bytes", "s3", ErrorFamily::kS3, ""},
    SignCase{"query_without_value", "GET", "/_parvis/backup?b&a=1", "", "parvis", ErrorFamily::kRestJson, ""}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::aws
