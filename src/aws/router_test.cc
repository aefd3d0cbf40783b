#include "aws/router.h"

#include <gtest/gtest.h>

#include "models/apigateway.h"
#include "models/apigatewayv2.h"
#include "models/dynamodb.h"
#include "models/iam.h"
#include "models/lambda.h"
#include "models/s3.h"
#include "models/sts.h"

namespace parvis::aws {
namespace {

void bind_all(Registry& registry, std::span<const OperationModel* const> models) {
  for (const OperationModel* op : models) registry.bind_erased(*op, nullptr);
}

struct RouteCase {
  const char* name;
  std::string_view method, target, scope, amz_target, body, want;  // want: "service:Operation", '!' in front when unbound
};

class FindRoute : public testing::TestWithParam<RouteCase> {};

TEST_P(FindRoute, NamesTheOperation) {
  Registry registry;
  bind_all(registry, model::dynamodb::operation_models());
  bind_all(registry, model::lambda::operation_models());
  bind_all(registry, model::apigateway::operation_models());
  bind_all(registry, model::apigatewayv2::operation_models());
  bind_all(registry, model::iam::operation_models());
  bind_all(registry, model::sts::operation_models());
  bind_all(registry, model::s3::operation_models());
  const Router router(registry);
  const RouteCase& c = GetParam();
  http::Request request;
  request.method = c.method;
  request.target = c.target;
  request.body = c.body;
  if (!c.body.empty()) request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  if (!c.amz_target.empty()) request.headers.add("X-Amz-Target", std::string(c.amz_target));
  if (!c.scope.empty()) {
    request.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/" + std::string(c.scope) +
                                             "/aws4_request, SignedHeaders=host, Signature=00");
  }
  const Route route = router.find(request);
  EXPECT_EQ((route.entry ? "" : "!") + route.service_name + ":" + route.operation, c.want);
}

INSTANTIATE_TEST_SUITE_P(Rules, FindRoute, testing::Values(
    RouteCase{"target", "POST", "/", "dynamodb", "DynamoDB_20120810.ListTables", "", "dynamodb:ListTables"},
    RouteCase{"target_without_handler", "POST", "/", "dynamodb", "DynamoDB_20120810.CreateBackup", "", "!dynamodb:CreateBackup"},
    RouteCase{"target_of_unknown_service", "POST", "/", "sqs", "AmazonSQS.SendMessage", "", "!sqs:SendMessage"},
    RouteCase{"no_target", "POST", "/", "dynamodb", "", "", "!dynamodb:"},
    RouteCase{"target_of_another_version", "POST", "/", "dynamodb", "DynamoDB_20111205.ListTables", "", "!dynamodb:ListTables"},
    RouteCase{"action_in_form", "POST", "/", "iam", "", "Action=GetRole&Version=2010-05-08", "iam:GetRole"},
    RouteCase{"action_unsigned", "POST", "/", "", "", "Action=GetCallerIdentity&Version=2011-06-15", "sts:GetCallerIdentity"},
    RouteCase{"action_in_query", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "sts", "", "", "sts:GetCallerIdentity"},
    RouteCase{"path_label", "GET", "/2015-03-31/functions/travel", "lambda", "", "", "lambda:GetFunction"},
    RouteCase{"path_slash_at_end", "GET", "/2015-03-31/functions", "lambda", "", "", "lambda:ListFunctions"},
    RouteCase{"path_without_handler", "GET", "/2015-03-31/functions/travel/policy", "lambda", "", "", "!lambda:GetPolicy"},
    RouteCase{"one_scope_two_models", "POST", "/v2/apis", "apigateway", "", "", "apigatewayv2:CreateApi"},
    RouteCase{"literal_query", "POST", "/restapis?mode=import", "apigateway", "", "", "apigateway:ImportRestApi"},
    RouteCase{"without_literal_query", "POST", "/restapis", "apigateway", "", "", "!apigateway:CreateRestApi"},
    RouteCase{"unsigned_path", "GET", "/2015-03-31/functions/", "", "", "", "lambda:ListFunctions"},
    RouteCase{"s3_list", "GET", "/bucket?list-type=2&prefix=a", "s3", "", "", "s3:ListObjectsV2"},
    RouteCase{"s3_key_with_slashes", "GET", "/bucket/a/b/", "s3", "", "", "s3:GetObject"},
    RouteCase{"s3_part", "PUT", "/bucket/key?partNumber=1&uploadId=u", "s3", "", "", "s3:UploadPart"},
    RouteCase{"s3_put", "PUT", "/bucket/key", "s3", "", "", "s3:PutObject"},
    RouteCase{"s3_root", "GET", "/", "s3", "", "", "s3:ListBuckets"},
    RouteCase{"s3_subresource", "GET", "/bucket?acl", "s3", "", "", "!s3:GetBucketAcl"}),
    [](const auto& info) { return info.param.name; });

TEST(MatchUri, DecodesLabelsButNotTheirBorders) {
  std::map<std::string, std::string, std::less<>> labels;
  EXPECT_EQ(match_uri("/tags/{arn}", "/tags/arn%3Aaws%2Fx", labels), 1);
  EXPECT_EQ(labels["arn"], "arn:aws/x");
  EXPECT_EQ(match_uri("/tags/{arn}", "/tags/a/b", labels), -1);
  EXPECT_EQ(match_uri("/{Bucket}/{Key+}", "/b/x/y%20z", labels), 0);
  EXPECT_EQ(labels["Key"], "x/y z");
  EXPECT_EQ(match_uri("/{Bucket}/{Key+}", "/b", labels), -1);
}

}  // namespace
}  // namespace parvis::aws
