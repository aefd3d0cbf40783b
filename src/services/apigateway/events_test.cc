#include "services/apigateway/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/utf8.h"
#include "core/hash.h"

namespace parvis::apigateway {
namespace {
namespace json = boost::json;

struct Fixture {
  Api api;
  Stage stage;
  Definition definition;
  Route route;
  RouteMatch match;
  http::Request http;
  std::string path = "/my/path";
  explicit Fixture(Protocol protocol) {
    api.id = "abcdefghij";
    api.scope = {"123456789012", "us-east-1"};
    api.protocol = protocol;
    stage.name = protocol == Protocol::kRest ? "prod" : "$default";
    route = {.method = "GET", .path = "/my/{what}", .resource_id = "res123", .integration = {}};
    match = {&route, {{"what", "path"}}};
    http.method = "GET";
    http.target = "/my/path";
    http.host = "api.localhost:4566";
    http.remote_address = "192.0.2.1";
    http.headers.add("Header1", "value1");
    http.headers.add("Header2", "value1");
    http.headers.add("header2", "value2");
    http.headers.add("User-Agent", "agent");
  }
  ProxyRequest request() {
    return {.api = api, .stage = stage, .definition = definition, .match = match, .http = http, .path = path, .deployment_id = "dep123",
            .request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", .extended_request_id = "JKJaXmPLvHcESHA=",
            .trace_id = "1-5759e988-bd862e3fe1be46a994272793", .now = Millis(std::chrono::milliseconds(1583348638390))};
  }
};

// After the Developer Guide's example of format 2.0, with our ids.
TEST(EventV2, GoldenRequest) {
  Fixture f(Protocol::kHttp);
  f.http.method = "POST";
  f.http.target = "/my/path?parameter1=value1&parameter1=value2&parameter2=a%20b";
  f.http.headers.add("Cookie", "cookie1=a; cookie2=b");
  f.http.headers.add("Content-Type", "application/json");
  f.http.body = R"({"a":1})";
  f.stage.variables = {{"stageVariable1", "value1"}};
  EXPECT_EQ(json::parse(make_event_v2(f.request())), json::parse(R"({
    "version":"2.0","routeKey":"GET /my/{what}","rawPath":"/my/path",
    "rawQueryString":"parameter1=value1&parameter1=value2&parameter2=a%20b",
    "cookies":["cookie1=a","cookie2=b"],
    "headers":{"header1":"value1","header2":"value1,value2","user-agent":"agent","content-type":"application/json",
      "x-amzn-trace-id":"Root=1-5759e988-bd862e3fe1be46a994272793","x-forwarded-for":"192.0.2.1","x-forwarded-port":"4566","x-forwarded-proto":"http"},
    "queryStringParameters":{"parameter1":"value1,value2","parameter2":"a b"},
    "requestContext":{"accountId":"123456789012","apiId":"abcdefghij","domainName":"abcdefghij.execute-api.us-east-1.amazonaws.com",
      "domainPrefix":"abcdefghij","http":{"method":"POST","path":"/my/path","protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"agent"},
      "requestId":"JKJaXmPLvHcESHA=","routeKey":"GET /my/{what}","stage":"$default","time":"04/Mar/2020:19:03:58 +0000","timeEpoch":1583348638390},
    "body":"{\"a\":1}","pathParameters":{"what":"path"},"isBase64Encoded":false,"stageVariables":{"stageVariable1":"value1"}})"));
}

TEST(EventV2, LeavesOutWhatIsEmpty) {
  Fixture f(Protocol::kHttp);
  f.match.path_parameters.clear();
  const auto got = json::parse(make_event_v2(f.request())).as_object();
  for (const char* name : {"cookies", "queryStringParameters", "body", "pathParameters", "stageVariables"}) EXPECT_FALSE(got.contains(name)) << name;
  EXPECT_EQ(got.at("rawQueryString").as_string(), "");
}

TEST(EventV2, NamedStageStandsInThePath) {
  Fixture f(Protocol::kHttp);
  f.stage.name = "v1";
  const auto got = json::parse(make_event_v2(f.request())).as_object();
  EXPECT_EQ(got.at("rawPath").as_string(), "/v1/my/path");
  EXPECT_EQ(got.at("requestContext").at("http").at("path").as_string(), "/v1/my/path");
}

TEST(EventV1, GoldenRestRequest) {
  Fixture f(Protocol::kRest);
  f.http.target = "/my/path?parameter1=value1&parameter1=value2&parameter2=value";
  EXPECT_EQ(json::parse(make_event_v1(f.request())), json::parse(R"({
    "resource":"/my/{what}","path":"/my/path","httpMethod":"GET",
    "headers":{"Header1":"value1","Header2":"value2","User-Agent":"agent",
      "X-Amzn-Trace-Id":"Root=1-5759e988-bd862e3fe1be46a994272793","X-Forwarded-For":"192.0.2.1","X-Forwarded-Port":"4566","X-Forwarded-Proto":"http"},
    "multiValueHeaders":{"Header1":["value1"],"Header2":["value1","value2"],"User-Agent":["agent"],
      "X-Amzn-Trace-Id":["Root=1-5759e988-bd862e3fe1be46a994272793"],"X-Forwarded-For":["192.0.2.1"],"X-Forwarded-Port":["4566"],"X-Forwarded-Proto":["http"]},
    "queryStringParameters":{"parameter1":"value2","parameter2":"value"},
    "multiValueQueryStringParameters":{"parameter1":["value1","value2"],"parameter2":["value"]},
    "pathParameters":{"what":"path"},"stageVariables":null,
    "requestContext":{"resourceId":"res123","resourcePath":"/my/{what}","httpMethod":"GET","extendedRequestId":"JKJaXmPLvHcESHA=",
      "requestTime":"04/Mar/2020:19:03:58 +0000","path":"/prod/my/path","accountId":"123456789012","protocol":"HTTP/1.1","stage":"prod",
      "domainPrefix":"abcdefghij","requestTimeEpoch":1583348638390,"requestId":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
      "identity":{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,"sourceIp":"192.0.2.1",
        "principalOrgId":null,"accessKey":null,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,
        "userAgent":"agent","user":null},
      "domainName":"abcdefghij.execute-api.us-east-1.amazonaws.com","deploymentId":"dep123","apiId":"abcdefghij"},
    "body":null,"isBase64Encoded":false})"));
}

TEST(EventV1, OfAnHttpApi) {
  Fixture f(Protocol::kHttp);
  f.stage.name = "v1";
  const auto got = json::parse(make_event_v1(f.request())).as_object();
  EXPECT_EQ(got.at("version").as_string(), "1.0");
  EXPECT_EQ(got.at("path").as_string(), "/v1/my/path");
  EXPECT_EQ(got.at("headers").at("header2").as_string(), "value2");
  EXPECT_EQ(got.at("multiValueHeaders").at("header2").as_array().size(), 2u);
  EXPECT_EQ(got.at("requestContext").at("resourceId").as_string(), "GET /my/{what}");
  EXPECT_FALSE(got.at("requestContext").as_object().contains("deploymentId"));
  EXPECT_TRUE(got.at("queryStringParameters").is_null());
}

struct BodyCase {
  const char* name;
  Protocol protocol;
  std::vector<std::string> binary;
  const char *content_type, *body;
  bool base64;
};
class EventBody : public testing::TestWithParam<BodyCase> {};
TEST_P(EventBody, IsTextOrBase64) {
  const BodyCase& row = GetParam();
  Fixture f(row.protocol);
  f.definition.binary_media_types = row.binary;
  if (*row.content_type) f.http.headers.add("Content-Type", row.content_type);
  f.http.body = row.body;
  const auto got = json::parse(row.protocol == Protocol::kRest ? make_event_v1(f.request()) : make_event_v2(f.request())).as_object();
  EXPECT_EQ(got.at("isBase64Encoded").as_bool(), row.base64);
  EXPECT_EQ(got.at("body").as_string(), row.base64 ? base64_encode(row.body) : to_utf8(row.body));
}
INSTANTIATE_TEST_SUITE_P(Rows, EventBody, testing::Values(
    BodyCase{"rest_text", Protocol::kRest, {}, "image/png", "x", false}, BodyCase{"rest_binary", Protocol::kRest, {"image/png"}, "image/PNG; a=b", "x", true},
    BodyCase{"rest_other", Protocol::kRest, {"image/png"}, "text/plain", "x", false}, BodyCase{"rest_all", Protocol::kRest, {"*/*"}, "text/plain", "x", true},
    BodyCase{"rest_family", Protocol::kRest, {"image/*"}, "image/gif", "x", true},
    BodyCase{"rest_bytes_as_text", Protocol::kRest, {}, "image/png", "a\xff", false},
    BodyCase{"http_json", Protocol::kHttp, {}, "application/json; charset=utf-8", "{}", false}, BodyCase{"http_text", Protocol::kHttp, {}, "text/csv", "x", false},
    BodyCase{"http_form", Protocol::kHttp, {}, "application/x-www-form-urlencoded", "a=b", true},
    BodyCase{"http_untyped", Protocol::kHttp, {}, "", "x", true}, BodyCase{"http_broken_text", Protocol::kHttp, {}, "text/plain", "\xff", true}),
    [](const auto& info) { return info.param.name; });

TEST(EventHeaders, ClientCannotClaimTheGatewaysOwn) {
  Fixture f(Protocol::kRest);
  f.http.tls = true;
  f.http.host = "api.localhost";
  f.http.headers.add("X-Forwarded-For", "198.51.100.1");
  f.http.headers.add("X-Forwarded-Proto", "gopher");
  f.http.headers.add("x-amzn-trace-id", "Root=1-0-0");
  f.http.headers.add("X-Bytes", "a\xff" "b");
  const auto got = json::parse(make_event_v1(f.request())).at("headers").as_object();
  EXPECT_EQ(got.at("X-Forwarded-For").as_string(), "198.51.100.1, 192.0.2.1");
  EXPECT_EQ(got.at("X-Forwarded-Proto").as_string(), "https");
  EXPECT_EQ(got.at("X-Forwarded-Port").as_string(), "443");
  EXPECT_EQ(got.at("X-Amzn-Trace-Id").as_string(), "Root=1-5759e988-bd862e3fe1be46a994272793");
  EXPECT_FALSE(got.contains("x-amzn-trace-id"));
  EXPECT_EQ(got.at("X-Bytes").as_string(), "a\xEF\xBF\xBD" "b");
}

TEST(Utf8, RejectsOverlongAndSurrogates) {
  EXPECT_TRUE(is_utf8("h\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"));
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xC3"}) EXPECT_FALSE(is_utf8(bad));
}

TEST(StageVariables, FillArns) {
  const Stage stage{.name = "s", .variables = {{"a", "live"}}};
  EXPECT_EQ(with_stage_variables("f:${stageVariables.a}", stage), "f:live");
  EXPECT_EQ(with_stage_variables("f:${stageVariables.b}x", stage), "f:x");
  EXPECT_EQ(with_stage_variables("f:${stageVariables.b", stage), "f:${stageVariables.b");
}

}  // namespace
}  // namespace parvis::apigateway
