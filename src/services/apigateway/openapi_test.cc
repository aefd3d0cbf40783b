#include "services/apigateway/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::apigateway {
namespace {
namespace json = boost::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kUri =
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations";

// As the SAM transform writes it, shortened.
std::string sam_rest() {
  return R"({"swagger":"2.0","info":{"version":"1.0","title":"stack"},"paths":{"/c/{id}":{
    "options":{"summary":"CORS support","consumes":["application/json"],"produces":["application/json"],
      "responses":{"200":{"description":"Default response for CORS method","headers":{"Access-Control-Allow-Origin":{"type":"string"}}}},
      "x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\n  \"statusCode\" : 200\n}\n"},
        "responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":"{}\n"},
          "responseParameters":{"method.response.header.Access-Control-Allow-Origin":"'*'","method.response.header.Access-Control-Allow-Methods":"'GET,POST'"}}}}},
    "x-amazon-apigateway-any-method":{"responses":{},"x-amazon-apigateway-integration":{"httpMethod":"POST","type":"aws_proxy","uri":")" +
         std::string(kUri) + R"("}}}},
    "x-amazon-apigateway-binary-media-types":["image/png"],
    "x-amazon-apigateway-gateway-responses":{"DEFAULT_4XX":{"statusCode":"404","responseParameters":{"gatewayresponse.header.X-A":"'b'"},
      "responseTemplates":{"application/json":"{\"m\":$context.error.messageString}"}}}})";
}

TEST(ImportRest, TakesWhatSamWrites) {
  const Definition got = import_openapi(Protocol::kRest, "abcdefghij", json::parse(sam_rest()));
  ASSERT_EQ(got.routes.size(), 2u);
  const auto& mock = std::get<MockAnswer>(got.routes[0].integration.target);
  EXPECT_EQ(got.routes[0].key(), "OPTIONS /c/{id}");
  EXPECT_EQ(mock.status, 200u);
  EXPECT_THAT(mock.headers, testing::UnorderedElementsAre(NamedValue{"Access-Control-Allow-Origin", "*"}, NamedValue{"Access-Control-Allow-Methods", "GET,POST"},
                                        NamedValue{"Content-Type", "application/json"}));
  const auto& lambda = std::get<LambdaProxy>(got.routes[1].integration.target);
  EXPECT_EQ(got.routes[1].key(), "ANY /c/{id}");
  EXPECT_EQ(lambda.function_arn, "arn:aws:lambda:us-east-1:123456789012:function:f");
  EXPECT_EQ(got.routes[1].integration.timeout, std::chrono::seconds(29));
  EXPECT_EQ(got.routes[1].resource_id.size(), 6u);
  EXPECT_THAT(got.binary_media_types, ElementsAre("image/png"));
  EXPECT_EQ(got.gateway_responses.at("DEFAULT_4XX").status, 404u);
}

TEST(ImportHttp, TakesWhatSamWrites) {
  const Definition got = import_openapi(Protocol::kHttp, "abcdefghij", json::parse(R"({"openapi":"3.0.1","info":{"version":"1.0","title":"s"},
    "paths":{"$default":{"x-amazon-apigateway-any-method":{"isDefaultRoute":true,"responses":{},"x-amazon-apigateway-integration":
      {"httpMethod":"POST","type":"aws_proxy","payloadFormatVersion":"2.0","uri":")" + std::string(kUri) + R"("}}},
      "/d/{id}":{"get":{"responses":{},"parameters":[{"required":true,"name":"id","in":"path"}],"x-amazon-apigateway-integration":
      {"httpMethod":"POST","type":"aws_proxy","payloadFormatVersion":"1.0","timeoutInMillis":2000,"uri":")" + std::string(kUri) + R"("}}}},
    "x-amazon-apigateway-cors":{"allowOrigins":["http://x"],"allowMethods":["GET"],"maxAge":10,"allowCredentials":true},
    "tags":[{"name":"httpapi:createdBy","x-amazon-apigateway-tag-value":"SAM"}]})"));
  ASSERT_EQ(got.routes.size(), 2u);
  EXPECT_EQ(got.routes[0].key(), "$default");
  EXPECT_TRUE(std::get<LambdaProxy>(got.routes[0].integration.target).payload_v2);
  EXPECT_EQ(got.routes[1].integration.timeout, std::chrono::seconds(2));
  EXPECT_FALSE(std::get<LambdaProxy>(got.routes[1].integration.target).payload_v2);
  ASSERT_TRUE(got.cors);
  EXPECT_EQ(got.cors->max_age_s, 10);
}

TEST(StoredForm, ReadsBackWhatItWrote) {
  Api api;
  api.id = "abcdefghij";
  api.scope = {"123456789012", "us-east-1"};
  api.name = "n";
  api.definition = import_openapi(Protocol::kRest, api.id, json::parse(sam_rest()));
  api.definition.cors = Cors{{"*"}, {"GET"}, {"a"}, {"b"}, false, 5};
  api.deployments["d1"] = Deployment{"d1", "first", Millis(std::chrono::milliseconds(7)), "t", "Stage", api.definition};
  api.stages["prod"] = Stage{"prod", "d1", false, "", {{"A", "b"}}, {}};
  const Api got = api_from_json(json::parse(json::serialize(to_json(api))));
  EXPECT_EQ(got.definition, api.definition);
  EXPECT_EQ(got.deployments.at("d1").definition, api.definition);
  EXPECT_EQ(got.stages.at("prod").variables.at("A"), "b");
  EXPECT_EQ(json::serialize(to_json(got)), json::serialize(to_json(api)));
}

TEST(StoredForm, RefusesDamage) {
  EXPECT_ANY_THROW(api_from_json(json::parse("{}")));
  EXPECT_ANY_THROW(api_from_json(json::parse("[]")));
  EXPECT_ANY_THROW(api_from_json(json::parse(R"({"format":99})")));
}

struct RefusalCase {
  const char* name;
  Protocol protocol;
  std::string body, message;
};
std::string with_path(std::string item, std::string path = "/a") {
  return R"({"openapi":"3.0.1","paths":{")" + path + R"(":)" + item + "}}";
}
std::string with_integration(std::string integration) { return with_path(R"({"get":{"x-amazon-apigateway-integration":)" + integration + "}}"); }
std::string proxy(std::string more = "") { return R"({"type":"aws_proxy","uri":")" + std::string(kUri) + "\"" + more + "}"; }
std::string with_operation(std::string more) { return with_path(R"({"get":{"x-amazon-apigateway-integration":)" + proxy() + more + "}}"); }

class ImportRefusal : public testing::TestWithParam<RefusalCase> {};
TEST_P(ImportRefusal, NamesThePlace) {
  try {
    import_openapi(GetParam().protocol, "abcdefghij", json::parse(GetParam().body));
    FAIL() << "was accepted";
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "BadRequestException");
    EXPECT_THAT(error.message(), HasSubstr(GetParam().message));
  }
}
constexpr auto kRest = Protocol::kRest, kHttp = Protocol::kHttp;
INSTANTIATE_TEST_SUITE_P(Rows, ImportRefusal, testing::Values(
    RefusalCase{"no_object", kRest, "[]", "Body: must be an object"}, RefusalCase{"no_version", kRest, "{}", "'swagger' or 'openapi' is missing"},
    RefusalCase{"openapi_31", kRest, R"({"openapi":"3.1.0"})", "Body.openapi"},
    RefusalCase{"swagger_http", kHttp, R"({"swagger":"2.0"})", "Body.swagger"},
    RefusalCase{"unknown_top", kRest, R"({"openapi":"3.0.1","x-amazon-apigateway-policy":{}})", "Body.x-amazon-apigateway-policy: is not supported"},
    RefusalCase{"base_path", kRest, R"({"swagger":"2.0","basePath":"/v1"})", "Body.basePath"},
    RefusalCase{"validators", kRest, R"({"openapi":"3.0.1","x-amazon-apigateway-request-validators":{}})", "x-amazon-apigateway-request-validators"},
    RefusalCase{"authorizer", kRest, R"({"swagger":"2.0","securityDefinitions":{"a":{}}})", "Body.securityDefinitions: authorizers"},
    RefusalCase{"scheme", kHttp, R"({"openapi":"3.0.1","components":{"securitySchemes":{"a":{}}}})", "Body.components.securitySchemes"},
    RefusalCase{"security", kRest, with_operation(R"(,"security":[{"api_key":[]}])"), "Body.paths./a.get.security"},
    RefusalCase{"validator", kRest, with_operation(R"(,"x-amazon-apigateway-request-validator":"all")"), "Body.paths./a.get.x-amazon-apigateway-request-validator"},
    RefusalCase{"no_integration", kRest, with_path(R"({"get":{}})"), "Body.paths./a.get: no integration"},
    RefusalCase{"method", kRest, with_path(R"({"trace":{}})"), "Body.paths./a.trace: is not a method"},
    RefusalCase{"http_integration", kRest, with_integration(R"({"type":"http_proxy","uri":"http://x"})"), "Body.paths./a.get.x-amazon-apigateway-integration.type"},
    RefusalCase{"vtl_lambda", kRest, with_integration(R"({"type":"aws","uri":"x"})"), "'AWS' integrations are not supported"},
    RefusalCase{"uri", kRest, with_integration(R"({"type":"aws_proxy","uri":"arn:aws:apigateway:us-east-1:sqs:path/1/q"})"), "integration.uri"},
    RefusalCase{"payload_2_on_rest", kRest, with_integration(proxy(R"(,"payloadFormatVersion":"2.0")")), "payloadFormatVersion"},
    RefusalCase{"timeout", kRest, with_integration(proxy(R"(,"timeoutInMillis":29001)")), "from 50 to 29000, not 29001"},
    RefusalCase{"cache", kRest, with_integration(proxy(R"(,"cacheNamespace":"x")")), "integration.cacheNamespace: is not supported"},
    RefusalCase{"mapping", kHttp, with_integration(proxy(R"(,"requestParameters":{"a":"b"})")), "integration.requestParameters"},
    RefusalCase{"mock_http", kHttp, with_integration(R"({"type":"mock"})"), "'MOCK' integrations"},
    RefusalCase{"mock_vtl", kRest, with_integration(R"({"type":"mock","responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":"$input"}}}})"), "mapping templates"},
    RefusalCase{"mock_request_vtl", kRest, with_integration(R"({"type":"mock","requestTemplates":{"application/json":"#set"},"responses":{}})"), "requestTemplates.application/json"},
    RefusalCase{"header_injection", kRest, with_integration(R"({"type":"mock","responses":{"default":{"statusCode":"200","responseParameters":{"method.response.header.A":"'a\r\nB: c'"}}}})"), "is not a valid header"},
    RefusalCase{"path", kRest, with_path("{}", "a"), "begins with '/'"}, RefusalCase{"greedy_inside", kRest, with_path("{}", "/{a+}/b"), "must be the last"},
    RefusalCase{"half_variable", kRest, with_path("{}", "/a{b}"), "whole segments"},
    RefusalCase{"twice", kRest, with_path("{}", "/{b}/{b}"), "appears twice"},
    RefusalCase{"default_on_rest", kRest, with_path("{}", "$default"), "no $default"},
    RefusalCase{"gateway_type", kRest, R"({"openapi":"3.0.1","x-amazon-apigateway-gateway-responses":{"X":{}}})", "is not a gateway response type"},
    RefusalCase{"gateway_variable", kRest, R"({"openapi":"3.0.1","x-amazon-apigateway-gateway-responses":{"THROTTLED":{"responseTemplates":{"a/b":"$util.x"}}}})", "$util.x"},
    RefusalCase{"cors_star_credentials", kHttp, R"({"openapi":"3.0.1","x-amazon-apigateway-cors":{"allowOrigins":["*"],"allowCredentials":true}})", "allowCredentials"},
    RefusalCase{"siblings", kRest, R"({"openapi":"3.0.1","paths":{"/{a}":{"get":{"x-amazon-apigateway-integration":)" + proxy() +
                R"(}},"/{b}/c":{"get":{"x-amazon-apigateway-integration":)" + proxy() + "}}}}", "A sibling ({a})"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::apigateway
