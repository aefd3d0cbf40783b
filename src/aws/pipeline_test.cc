#include "aws/pipeline.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "models/dynamodb.h"
#include "models/lambda.h"

namespace parvis::aws {
namespace {
using testing::HasSubstr;
namespace ddb = model::dynamodb;

template <class T>
T run(awaitable<T> work) {
  asio::io_context context;
  std::optional<T> result;
  std::exception_ptr error;
  asio::co_spawn(context, std::move(work), [&](std::exception_ptr e, T value) {
    error = e;
    if (!e) result = std::move(value);
  });
  context.run();
  if (error) std::rethrow_exception(error);
  return std::move(*result);
}

awaitable<ddb::ListTablesOutput> list_tables(CallContext call, ddb::ListTablesInput in) {
  if (in.exclusive_start_table_name == "missing") throw ApiError(ddb::errors::kResourceNotFoundException, "no such table");
  if (in.exclusive_start_table_name == "broken") throw std::runtime_error("secret detail");
  ddb::ListTablesOutput out;
  out.table_names = {call.scope.account + "/" + call.scope.region};
  co_return out;
}

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() { registry_.bind<ddb::ListTables>(list_tables); }
  http::Response call(std::string body, std::string operation = "ListTables", std::string key = "123456789012") {
    http::Request request;
    request.method = method_;
    request.target = "/";
    if (!operation.empty()) request.headers.add("X-Amz-Target", "DynamoDB_20120810." + operation);
    if (!content_type_.empty()) request.headers.add("Content-Type", content_type_);
    request.headers.add("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    request.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=" + key + "/20260101/eu-west-1/dynamodb/aws4_request, Signature=0");
    request.body = std::move(body);
    if (!pipeline_) make({});
    return run(pipeline_->handle(std::move(request)));
  }
  void make(PipelineOptions options) {
    options.observe = [this](const CallRecord& r) { record_ = r; };
    pipeline_ = std::make_unique<Pipeline>(registry_, clock_, entropy_, std::move(options));
  }
  Registry registry_;
  Clock clock_;
  Entropy entropy_;
  std::unique_ptr<Pipeline> pipeline_;
  std::string method_ = "POST", content_type_ = "application/x-amz-json-1.0";
  CallRecord record_;
};

TEST_F(PipelineTest, AnswersAndTellsTheObserver) {
  const http::Response response = call(R"({"Limit":5,"Odd":1})");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, R"({"TableNames":["123456789012/eu-west-1"]})");
  EXPECT_EQ(record_.operation, "ListTables");
  EXPECT_EQ(record_.call.trace.trace_id, "1-5759e988-bd862e3fe1be46a994272793");
  EXPECT_THAT(record_.ignored, testing::ElementsAre("Odd"));
  EXPECT_EQ(response.headers.get("x-amzn-RequestId"), record_.call.request_id);
  EXPECT_EQ(pipeline_->counters().at("dynamodb:ListTables").calls, 1u);
}

TEST_F(PipelineTest, OtherKeysBelongToTheDefaultAccount) {
  EXPECT_THAT(call("{}", "ListTables", "AKIAIOSFODNN7EXAMPLE").body, HasSubstr("000000000000/"));
}

TEST_F(PipelineTest, HandlersErrorsAreShaped) {
  const http::Response response = call(R"({"ExclusiveStartTableName":"missing"})");
  EXPECT_EQ(response.status, 400u);
  EXPECT_THAT(response.body, HasSubstr("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"));
  EXPECT_EQ(record_.error_code, "ResourceNotFoundException");
}

TEST_F(PipelineTest, OtherExceptionsBecomeInternalFailureWithoutTheirText) {
  const http::Response response = call(R"({"ExclusiveStartTableName":"broken"})");
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("InternalFailure"));
  EXPECT_THAT(response.body, testing::Not(HasSubstr("secret")));
}

TEST_F(PipelineTest, ConstraintsAreCheckedBeforeTheHandler) {
  const http::Response response = call(R"({"Limit":0})");
  EXPECT_EQ(response.status, 400u);
  EXPECT_THAT(response.body, HasSubstr("Value '0' at 'limit' failed to satisfy constraint"));
}

TEST_F(PipelineTest, NamesWhatIsNotImplemented) {
  const http::Response response = call("{}", "CreateBackup");
  EXPECT_EQ(response.status, 501u);
  EXPECT_THAT(response.body, HasSubstr("dynamodb:CreateBackup"));
  EXPECT_EQ(call("{}", "NoSuchThing").status, 400u);
}

TEST_F(PipelineTest, DynamoDbTakesPostsOfJsonAlone) {
  const auto is_unknown_page = [&](std::string method, std::string content_type) {
    method_ = std::move(method);
    content_type_ = std::move(content_type);
    const http::Response response = call("{}");
    return response.status == 404 && response.body == "<UnknownOperationException/>\n" && response.headers.get("X-Amz-Crc32") == "3552371480";
  };
  EXPECT_TRUE(is_unknown_page("POST", "text/plain"));
  EXPECT_TRUE(is_unknown_page("POST", "application/x-amz-json-1.1"));
  EXPECT_TRUE(is_unknown_page("POST", ""));
  EXPECT_TRUE(is_unknown_page("PUT", "application/json"));
  EXPECT_FALSE(is_unknown_page("POST", "application/json; charset=utf-8"));
}

TEST_F(PipelineTest, WithoutAnOperationTheBodyIsReadFirst) {
  EXPECT_THAT(call("hi", "").body, HasSubstr("com.amazon.coral.service#SerializationException"));
  EXPECT_EQ(call("{}", "").body, R"({"__type":"com.amazon.coral.service#UnknownOperationException"})");
}

awaitable<Identity> refuse(http::Request&, std::string_view service) {
  EXPECT_EQ(service, "dynamodb");
  static constexpr ErrorSpec kSignature{"InvalidSignatureException", 403};
  throw ApiError(kSignature, "wrong");
  co_return Identity{};
}

TEST_F(PipelineTest, AuthenticationComesFirst) {
  make({.authenticate = refuse});
  const http::Response response = call("{");
  EXPECT_EQ(response.status, 403u);
  EXPECT_THAT(response.body, HasSubstr("com.amazon.coral.service#InvalidSignatureException"));
}

TEST_F(PipelineTest, CallsFromInside) {
  make({});
  const CallContext context = pipeline_->make_context({"111122223333", "us-east-1"}, "test");
  EXPECT_EQ(run(pipeline_->call<ddb::ListTables>(context, {})).table_names->at(0), "111122223333/us-east-1");
  boost::json::value out = run(pipeline_->call_json(context, "dynamodb", "ListTables", boost::json::parse(R"({"limit":3})")));
  EXPECT_EQ(out.at("TableNames").at(0).as_string(), "111122223333/us-east-1");
  EXPECT_THROW(run(pipeline_->call_json(context, "dynamodb", "ListTables", boost::json::parse(R"({"Odd":3})"))), ApiError);
  EXPECT_THROW(run(pipeline_->call_json(context, "dynamodb", "CreateBackup", {})), ApiError);
}

TEST(TraceContextTest, ParsesAndPrints) {
  auto trace = TraceContext::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->header(), "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0");
  EXPECT_FALSE(TraceContext::parse("Root=x"));
  EXPECT_FALSE(TraceContext::parse(""));
}

}  // namespace
}  // namespace parvis::aws
