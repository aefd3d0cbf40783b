#include "aws/protocol.h"

#include <gmock/gmock.h>

#include "aws/json_codec.h"
#include "aws/xml.h"
#include "models/dynamodb.h"
#include "models/iam.h"
#include "models/lambda.h"
#include "models/s3.h"

namespace parvis::aws {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

template <class Op>
typename Op::Input decode(std::string body, Route route = {}, std::vector<std::string>* ignored = nullptr, http::Request request = {}) {
  request.method = "POST";
  if (request.target.empty()) request.target = "/";
  request.body = std::move(body);
  DecodedInput decoded = decode_request(Op::model(), request, route);
  if (ignored) *ignored = decoded.ignored;
  return *std::static_pointer_cast<typename Op::Input>(decoded.input);
}

struct BadJson { const char* name; std::string_view body, message; };
class DecodeJson : public testing::TestWithParam<BadJson> {};
TEST_P(DecodeJson, RefusesWhatIsNotTheShape) {
  try {
    decode<model::dynamodb::CreateTable>(std::string(GetParam().body));
    FAIL() << "accepted";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), "SerializationException");
    EXPECT_THAT(error.message(), HasSubstr(std::string(GetParam().message)));
  }
}
INSTANTIATE_TEST_SUITE_P(Kinds, DecodeJson, testing::Values(
    BadJson{"not_json", "{", "Could not parse request body into json"},
    BadJson{"array_at_top", "[]", "Start of list found"},
    BadJson{"number_for_string", R"({"TableName":1})", "NUMBER_VALUE cannot be converted to String"},
    BadJson{"object_for_string", R"({"TableName":{}})", "Start of structure or map found where not expected"},
    BadJson{"string_for_list", R"({"KeySchema":"a"})", "Expected list or null"},
    BadJson{"string_for_long", R"({"ProvisionedThroughput":{"ReadCapacityUnits":"1"}})", "STRING_VALUE cannot be converted to Long"},
    BadJson{"too_large_for_long", R"({"ProvisionedThroughput":{"ReadCapacityUnits":18446744073709551615}})", "out of the range"},
    BadJson{"fraction_for_long", R"({"ProvisionedThroughput":{"ReadCapacityUnits":1.5}})", "DECIMAL_VALUE cannot be converted to Long"},
    BadJson{"string_for_boolean", R"({"DeletionProtectionEnabled":"true"})", "STRING_VALUE cannot be converted to Boolean"}),
    [](const auto& info) { return info.param.name; });

TEST(DecodeJson, DepthIsLimited) {
  std::string body = R"({"TableName":)";
  for (int i = 0; i < 5000; ++i) body += '[';
  EXPECT_THROW(decode<model::dynamodb::CreateTable>(body), ApiError);
}

TEST(DecodeJson, NullIsAbsentAndUnknownMembersAreReported) {
  std::vector<std::string> ignored;
  const auto in = decode<model::dynamodb::CreateTable>(
      R"({"TableName":null,"New":1,"KeySchema":[{"AttributeName":"a","Odd":2}],"DeletionProtectionEnabled":true})", {}, &ignored);
  EXPECT_FALSE(in.table_name);
  EXPECT_EQ(in.key_schema->at(0).attribute_name, "a");
  EXPECT_TRUE(*in.deletion_protection_enabled);
  EXPECT_THAT(ignored, ElementsAre("New", "KeySchema[0].Odd"));
}

TEST(DecodeQuery, ListsAreNumberedAndSparse) {
  std::vector<std::string> ignored;
  const auto in = decode<model::iam::CreateRole>(
      "Action=CreateRole&Version=2010-05-08&RoleName=r&Tags.member.10.Key=b&Tags.member.2.Key=a&MaxSessionDuration=3600&Foo.1=x", {}, &ignored);
  EXPECT_EQ(in.role_name, "r");
  EXPECT_EQ(in.max_session_duration, 3600);
  ASSERT_EQ(in.tags->size(), 2u);
  EXPECT_EQ(in.tags->at(0).key, "a");
  EXPECT_THAT(ignored, ElementsAre("Foo.1"));
}

TEST(DecodeRest, PathHeadersAndPayload) {
  Route route;
  route.labels["FunctionName"] = "travel";
  http::Request request;
  request.target = "/2015-03-31/functions/travel/invocations?Qualifier=live";
  request.headers.add("x-amz-invocation-type", "Event");
  const auto in = decode<model::lambda::Invoke>("{\"a\":1}", route, nullptr, request);
  EXPECT_EQ(in.function_name, "travel");
  EXPECT_EQ(in.qualifier, "live");
  EXPECT_EQ(in.invocation_type, "Event");
  EXPECT_EQ(in.payload, "{\"a\":1}");
}

TEST(DecodeXml, FlattenedListsAndUnknownElements) {
  std::vector<std::string> ignored;
  const auto in = decode<model::s3::DeleteObjects>(
      "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key></Object>"
      "<Quiet>true</Quiet><Odd/></Delete>", {}, &ignored);
  ASSERT_EQ(in.delete_->objects->size(), 2u);
  EXPECT_EQ(in.delete_->objects->at(0).key, "a&b");
  EXPECT_EQ(in.delete_->quiet, true);
  EXPECT_THAT(ignored, ElementsAre("Delete.Odd"));
}

TEST(DecodeRest, NamesPartsThatNoMemberBinds) {
  std::vector<std::string> ignored;
  http::Request request;
  request.target = "/2015-03-31/functions/travel/invocations?Qualifier=live&Turbo=1&Turbo=2&X-Amz-Signature=s&x-id=Invoke";
  for (const char* name : {"X-Amz-Invocation-Type", "x-amz-date", "X-Amzn-Trace-Id", "X-Amz-Turbo", "Accept"}) request.headers.add(name, "Event");
  decode<model::lambda::Invoke>("{}", {}, &ignored, request);
  EXPECT_THAT(ignored, ElementsAre("?Turbo", "x-amz-turbo:"));
}

TEST(DecodeRest, KnowsPartsOfTheUriAndPrefixes) {
  std::vector<std::string> ignored;
  http::Request request;
  request.target = "/bucket?list-type=2&prefix=a&x-amz-acl=private";
  decode<model::s3::ListObjectsV2>("", {}, &ignored, request);
  EXPECT_THAT(ignored, ElementsAre("?x-amz-acl"));
  ignored.clear();
  request = {};
  request.headers.add("x-amz-meta-a", "1");
  request.headers.add("x-amz-checksum-crc32", "AAAAAA==");
  decode<model::s3::PutObject>("", {}, &ignored, request);
  EXPECT_THAT(ignored, ElementsAre());
}

TEST(DecodeXml, RefusesEntitiesAndDepth) {
  EXPECT_FALSE(parse_xml("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>").has_value());
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<a>";
  EXPECT_FALSE(parse_xml(deep).has_value());
}

TEST(EncodeJson, EscapesAndLeavesAbsentOut) {
  model::dynamodb::ListTablesOutput out;
  out.table_names = {"a\"\\\n\x01", "ü"};
  const http::Response response = encode_response(model::dynamodb::ListTables::model(), std::make_shared<decltype(out)>(out), "REQ");
  EXPECT_EQ(response.body, "{\"TableNames\":[\"a\\\"\\\\\\n\\u0001\",\"ü\"]}");
  EXPECT_EQ(response.headers.get("Content-Type"), "application/x-amz-json-1.0");
  EXPECT_EQ(response.headers.get("x-amzn-RequestId"), "REQ");
  EXPECT_FALSE(response.headers.get("X-Amz-Crc32").empty());
}

TEST(EncodeQuery, WrapsTheResult) {
  model::iam::GetRoleOutput out;
  out.role = model::iam::Role{};
  out.role->role_name = "a<b";
  out.role->create_date = Timestamp{1700000000};
  const http::Response response = encode_response(model::iam::GetRole::model(), std::make_shared<decltype(out)>(out), "REQ");
  EXPECT_THAT(response.body, HasSubstr("<GetRoleResult><Role><RoleName>a&lt;b</RoleName>"));
  EXPECT_THAT(response.body, HasSubstr("<CreateDate>2023-11-14T22:13:20Z</CreateDate>"));
  EXPECT_THAT(response.body, HasSubstr("<RequestId>REQ</RequestId>"));
}

TEST(EncodeRest, StatusHeadersAndPayload) {
  model::lambda::InvokeOutput out;
  out.status_code = 202;
  out.function_error = "Unhandled";
  out.payload = "{}";
  const http::Response response = encode_response(model::lambda::Invoke::model(), std::make_shared<decltype(out)>(out), "REQ");
  EXPECT_EQ(response.status, 202u);
  EXPECT_EQ(response.headers.get("X-Amz-Function-Error"), "Unhandled");
  EXPECT_EQ(response.body, "{}");
}

struct ErrorCase { const char* name; const ServiceModel* service; ErrorSpec spec; const char* want; };
class EncodeError : public testing::TestWithParam<ErrorCase> {};
TEST_P(EncodeError, ShapesItForTheProtocol) {
  const ErrorCase& c = GetParam();
  const http::Response response = encode_error(c.service, c.service->protocol, ApiError(c.spec, "m<"), "REQ");
  EXPECT_EQ(response.status, c.spec.http_status);
  EXPECT_THAT(response.body, HasSubstr(c.want));
}
INSTANTIATE_TEST_SUITE_P(Protocols, EncodeError, testing::Values(
    ErrorCase{"json", &model::dynamodb::service_model(), model::dynamodb::errors::kResourceNotFoundException,
              R"({"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"m<"})"},
    ErrorCase{"json_framework", &model::dynamodb::service_model(), {"ValidationException"},
              R"({"__type":"com.amazon.coral.validate#ValidationException","message":"m<"})"},
    ErrorCase{"json_capital_message", &model::dynamodb::service_model(), model::dynamodb::errors::kTransactionCanceledException,
              R"(#TransactionCanceledException","Message":"m<"})"},
    ErrorCase{"rest_json", &model::lambda::service_model(), model::lambda::errors::kResourceNotFoundException,
              R"({"Type":"User","Message":"m<"})"},
    ErrorCase{"query", &model::iam::service_model(), model::iam::errors::kNoSuchEntityException,
              "<Code>NoSuchEntity</Code>\n    <Message>m&lt;</Message>"},
    ErrorCase{"rest_xml", &model::s3::service_model(), {"NoSuchKey", 404}, "<Error><Code>NoSuchKey</Code><Message>m&lt;</Message>"}),
    [](const auto& info) { return info.param.name; });

TEST(RestXmlError, HasTheMembersOfS3) {
  ServiceModel s3{};
  s3.service = "s3";
  s3.protocol = Protocol::kRestXml;
  const ApiError missing(ErrorSpec{"NoSuchKey", 404, Fault::kClient}, "The specified key does not exist.", {{"Key", "a&b"}});
  EXPECT_EQ(encode_error(&s3, Protocol::kRestXml, missing, "REQ").body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
            "<Key>a&amp;b</Key><RequestId>REQ</RequestId><HostId>UkVR</HostId></Error>");
  const http::Response unchanged = encode_error(&s3, Protocol::kRestXml, ApiError(ErrorSpec{"NotModified", 304, Fault::kClient}, "Not Modified"), "REQ");
  EXPECT_EQ(unchanged.body, "");
  EXPECT_EQ(unchanged.headers.get("x-amz-request-id"), "REQ");
}

}  // namespace
}  // namespace parvis::aws
