#include "services/apigateway/responses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::apigateway {
namespace {

struct AnswerCase {
  const char* name;
  enum { kRest, kV1, kV2 } kind;
  std::string payload;
  unsigned status;  // 0: malformed, 1: bad base64
  std::string body, type;
};
class FunctionAnswer : public testing::TestWithParam<AnswerCase> {};
TEST_P(FunctionAnswer, BecomesTheClients) {
  const AnswerCase& row = GetParam();
  Definition definition;
  definition.binary_media_types = {"image/png"};
  const auto got = row.kind == AnswerCase::kRest ? map_rest(row.payload, definition, "image/png,*/*")
                   : row.kind == AnswerCase::kV1 ? map_http_v1(row.payload)
                                                 : map_http_v2(row.payload);
  if (row.status < 2) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error(), row.status ? MapErrc::kBadBase64 : MapErrc::kMalformed);
    return;
  }
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, row.status);
  EXPECT_EQ(got->body, row.body);
  EXPECT_EQ(got->headers.get("content-type"), row.type);
}
constexpr auto kRest = AnswerCase::kRest;
constexpr auto kV1 = AnswerCase::kV1;
constexpr auto kV2 = AnswerCase::kV2;
constexpr const char* kJson = "application/json";
constexpr const char* kText = "text/plain;charset=UTF-8";
INSTANTIATE_TEST_SUITE_P(Rows, FunctionAnswer, testing::Values(
    AnswerCase{"rest_full", kRest, R"({"statusCode":201,"headers":{"Content-Type":"a/b"},"body":"x"})", 201, "x", "a/b"},
    AnswerCase{"rest_text_status", kRest, R"({"statusCode":"404","body":"x"})", 404, "x", kJson},
    AnswerCase{"rest_empty", kRest, "{}", 200, "", kJson}, AnswerCase{"rest_null_body", kRest, R"({"statusCode":204,"body":null})", 204, "", kJson},
    AnswerCase{"rest_extra_member", kRest, R"({"statusCode":200,"cookies":[]})", 0, "", ""},
    AnswerCase{"rest_plain_value", kRest, "\"hello\"", 0, "", ""}, AnswerCase{"rest_not_json", kRest, "hello", 0, "", ""},
    AnswerCase{"rest_object_body", kRest, R"({"statusCode":200,"body":{}})", 0, "", ""},
    AnswerCase{"rest_bad_status", kRest, R"({"statusCode":"ok"})", 0, "", ""}, AnswerCase{"rest_status_range", kRest, R"({"statusCode":1000})", 0, "", ""},
    AnswerCase{"rest_headers_list", kRest, R"({"statusCode":200,"headers":[]})", 0, "", ""},
    AnswerCase{"rest_split_answer", kRest, R"({"statusCode":200,"headers":{"A":"b\r\nC: d"}})", 0, "", ""},
    AnswerCase{"rest_base64", kRest, R"({"statusCode":200,"body":"aGk=","isBase64Encoded":true})", 200, "hi", kJson},
    AnswerCase{"rest_bad_base64", kRest, R"({"statusCode":200,"body":"?","isBase64Encoded":true})", 1, "", ""},
    AnswerCase{"v1_full", kV1, R"({"statusCode":200,"multiValueHeaders":{"Content-Type":["a/b"]},"body":"x","more":1})", 200, "x", "a/b"},
    AnswerCase{"v1_untyped", kV1, R"({"statusCode":200,"body":"x"})", 200, "x", kText}, AnswerCase{"v1_no_status", kV1, R"({"body":"x"})", 0, "", ""},
    AnswerCase{"v1_base64", kV1, R"({"statusCode":200,"body":"aGk=","isBase64Encoded":true})", 200, "hi", kText},
    AnswerCase{"v2_text", kV2, "\"Hello from Lambda!\"", 200, "Hello from Lambda!", kJson},
    AnswerCase{"v2_object", kV2, R"({"message": "Hello"})", 200, R"({"message": "Hello"})", kJson},
    AnswerCase{"v2_list", kV2, "[1,2]", 200, "[1,2]", kJson}, AnswerCase{"v2_null", kV2, "null", 200, "null", kJson},
    AnswerCase{"v2_full", kV2, R"({"statusCode":201,"headers":{"content-type":"a/b","n":5},"body":"x"})", 201, "x", "a/b"},
    AnswerCase{"v2_base64", kV2, R"({"statusCode":200,"body":"aGk=","isBase64Encoded":true})", 200, "hi", kText},
    AnswerCase{"v2_bad_base64", kV2, R"({"statusCode":200,"body":"aGk","isBase64Encoded":true})", 1, "", ""},
    AnswerCase{"v2_bad_cookie", kV2, R"({"statusCode":200,"cookies":["a\nb"]})", 0, "", ""},
    AnswerCase{"v2_not_json", kV2, "{", 0, "", ""}),
    [](const auto& info) { return info.param.name; });

TEST(FunctionAnswerHeaders, CookiesAndManyValues) {
  const auto v2 = map_http_v2(R"({"statusCode":200,"cookies":["a=1","b=2; Secure"],"headers":{"Connection":"close","X":"y"}})");
  EXPECT_THAT(v2->headers.all("set-cookie"), testing::ElementsAre("a=1", "b=2; Secure"));
  EXPECT_FALSE(v2->headers.find("connection"));
  const auto rest = map_rest(R"({"headers":{"A":"single","B":"2","Date":"d"},"multiValueHeaders":{"a":["x","y"]}})", {}, "");
  EXPECT_THAT(rest->headers.all("a"), testing::ElementsAre("x", "y"));
  EXPECT_EQ(rest->headers.get("b"), "2");
  EXPECT_EQ(rest->headers.get("x-amzn-remapped-date"), "d");
  EXPECT_FALSE(rest->headers.find("date"));
}

TEST(RestBinary, DecodesOnlyForTheFirstAcceptedType) {
  Definition definition;
  definition.binary_media_types = {"image/png"};
  const char* payload = R"({"body":"aGk=","isBase64Encoded":true})";
  EXPECT_EQ(map_rest(payload, definition, "text/html,image/png")->body, "aGk=");
  EXPECT_EQ(map_rest(payload, definition, "")->body, "aGk=");
  definition.binary_media_types = {"*/*"};
  EXPECT_EQ(map_rest(payload, definition, "")->body, "hi");
}

struct ErrorCase {
  const char* name;
  Protocol protocol;
  GatewayError error;
  unsigned status;
  std::string body;
};
class GatewayErrors : public testing::TestWithParam<ErrorCase> {};
TEST_P(GatewayErrors, HaveTheServicesBodies) {
  const Stage stage;
  Api api;
  api.protocol = GetParam().protocol;
  const RouteMatch match;
  const http::Request http;
  const auto got = gateway_error(GetParam().error, {.api = api, .stage = stage, .definition = api.definition, .match = match, .http = http,
                                                    .path = {}, .deployment_id = {}, .request_id = {}, .extended_request_id = {}, .trace_id = {}});
  EXPECT_EQ(got.status, GetParam().status);
  EXPECT_EQ(got.body, GetParam().body);
}
constexpr auto kR = Protocol::kRest, kH = Protocol::kHttp;
INSTANTIATE_TEST_SUITE_P(Rows, GatewayErrors, testing::Values(
    ErrorCase{"rest_route", kR, GatewayError::kNoRoute, 403, R"({"message":"Missing Authentication Token"})"},
    ErrorCase{"rest_stage", kR, GatewayError::kNoStage, 403, R"({"message":"Forbidden"})"},
    ErrorCase{"rest_timeout", kR, GatewayError::kTimeout, 504, R"({"message": "Endpoint request timed out"})"},
    ErrorCase{"rest_answer", kR, GatewayError::kBadAnswer, 502, R"({"message": "Internal server error"})"},
    ErrorCase{"rest_throttled", kR, GatewayError::kOverload, 500, R"({"message": "Internal server error"})"},
    ErrorCase{"rest_large", kR, GatewayError::kTooLarge, 413, R"({"message":"Request Too Long"})"},
    ErrorCase{"http_route", kH, GatewayError::kNoRoute, 404, R"({"message":"Not Found"})"},
    ErrorCase{"http_timeout", kH, GatewayError::kTimeout, 503, R"({"message":"Service Unavailable"})"},
    ErrorCase{"http_answer", kH, GatewayError::kBadAnswer, 500, R"({"message":"Internal Server Error"})"},
    ErrorCase{"http_large", kH, GatewayError::kTooLarge, 413, R"({"message":"Request Entity Too Large"})"}),
    [](const auto& info) { return info.param.name; });

TEST(GatewayResponses, ReplaceTheDefault) {
  const Stage stage{.name = "prod"};
  Api api;
  api.definition.gateway_responses["DEFAULT_4XX"] = {.status = 418, .headers = {{"X-A", "'b'"}, {"X-O", "method.request.header.Origin"}},
                                                     .templates = {{"text/plain", "$context.error.responseType $context.error.messageString $context.stage"}}};
  const RouteMatch match;
  http::Request http;
  http.headers.add("origin", "http://o");
  const ProxyRequest request{.api = api, .stage = stage, .definition = api.definition, .match = match, .http = http,
                             .path = {}, .deployment_id = {}, .request_id = {}, .extended_request_id = {}, .trace_id = {}};
  const auto got = gateway_error(GatewayError::kNoRoute, request);
  EXPECT_EQ(got.status, 418u);
  EXPECT_EQ(got.headers.get("x-a"), "b");
  EXPECT_EQ(got.headers.get("x-o"), "http://o");
  EXPECT_EQ(got.headers.get("content-type"), "text/plain");
  EXPECT_EQ(got.body, R"(MISSING_AUTHENTICATION_TOKEN "Missing Authentication Token" prod)");
  EXPECT_EQ(gateway_error(GatewayError::kTimeout, request).status, 504u);
}

http::Request request_of(std::string method, std::vector<NamedValue> headers) {
  http::Request out;
  out.method = std::move(method);
  for (auto& [name, value] : headers) out.headers.add(name, value);
  return out;
}

TEST(HttpApiCors, AnswersPreflights) {
  const Cors cors{{"http://a", "https://*"}, {"GET", "PUT"}, {"x-one", "x-two"}, {"x-out"}, true, 60};
  EXPECT_FALSE(preflight(cors, request_of("GET", {{"Origin", "http://a"}})));
  EXPECT_FALSE(preflight(cors, request_of("OPTIONS", {{"Origin", "http://a"}})));
  const auto good = preflight(cors, request_of("OPTIONS", {{"Origin", "https://any.where"}, {"Access-Control-Request-Method", "PUT"}}));
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 204u);
  EXPECT_EQ(good->headers.get("access-control-allow-origin"), "https://any.where");
  EXPECT_EQ(good->headers.get("access-control-allow-methods"), "GET,PUT");
  EXPECT_EQ(good->headers.get("access-control-allow-headers"), "x-one,x-two");
  EXPECT_EQ(good->headers.get("access-control-max-age"), "60");
  EXPECT_EQ(good->headers.get("access-control-allow-credentials"), "true");
  for (const char* origin : {"http://b", "http://a.b"}) {
    const auto bad = preflight(cors, request_of("OPTIONS", {{"Origin", origin}, {"Access-Control-Request-Method", "PUT"}}));
    EXPECT_EQ(bad->status, 204u);
    EXPECT_FALSE(bad->headers.find("access-control-allow-origin"));
  }
  const auto method = preflight(cors, request_of("OPTIONS", {{"Origin", "http://a"}, {"Access-Control-Request-Method", "DELETE"}}));
  EXPECT_FALSE(method->headers.find("access-control-allow-origin"));
}

TEST(HttpApiCors, ReplacesTheFunctionsHeaders) {
  const Cors cors{{"*"}, {"*"}, {}, {"x-out"}, false, {}};
  http::Response response;
  response.headers.add("Access-Control-Allow-Origin", "http://from.function");
  apply_cors(cors, request_of("GET", {{"Origin", "http://a"}}), response);
  EXPECT_THAT(response.headers.all("access-control-allow-origin"), testing::ElementsAre("*"));
  EXPECT_EQ(response.headers.get("access-control-expose-headers"), "x-out");
  apply_cors(cors, request_of("GET", {}), response);
  EXPECT_FALSE(response.headers.find("access-control-allow-origin"));
}

}  // namespace
}  // namespace parvis::apigateway
