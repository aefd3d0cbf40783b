#include "services/apigateway/site.h"

#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/apigateway/keyspace.h"
#include "services/apigateway/resources.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::apigateway {
namespace {
namespace json = boost::json;
using storage::testing::run;
using testing::HasSubstr;

const aws::Scope kScope{"123456789012", "us-east-1"};

struct FakeInvoker final : FunctionInvoker {
  InvokeAnswer answer{InvokeAnswer::Kind::kOk, R"({"statusCode":200,"body":"hi"})"};
  std::chrono::milliseconds delay{0};
  bool throws = false;
  std::string arn, payload;
  aws::CallContext context;
  awaitable<InvokeAnswer> invoke(aws::CallContext call, std::string function_arn, std::string event, std::chrono::milliseconds) override {
    context = std::move(call);
    arn = std::move(function_arn);
    payload = std::move(event);
    if (throws) throw std::runtime_error("broken");
    if (delay.count() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor, delay);
      co_await timer.async_wait(use_awaitable);
    }
    co_return answer;
  }
};

std::string integration(std::string_view payload, std::string_view more = "") {
  return fmt::format(R"({{"x-amazon-apigateway-integration":{{"httpMethod":"POST","type":"aws_proxy","payloadFormatVersion":"{}"{},
    "uri":"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f:${{stageVariables.alias}}/invocations"}},
    "responses":{{}}}})", payload, more);
}
json::object rest_properties(std::string_view extra_path = "") {
  return json::parse(R"({"Body":{"swagger":"2.0","info":{"version":"1.0","title":"travel"},"paths":{"/c/{id}":{"get":)" + integration("1.0") +
                     R"(},"/slow":{"get":)" + integration("1.0", R"(,"timeoutInMillis":50)") + "}" + std::string(extra_path) + "}}}").as_object();
}
json::object http_properties() {
  return json::parse(R"({"Body":{"openapi":"3.0.1","info":{"version":"1.0","title":"mobile"},"paths":{"/c/{id}":{"get":)" + integration("2.0") +
                     R"(}},"x-amazon-apigateway-cors":{"allowOrigins":["http://x"],"allowMethods":["GET"]}}})").as_object();
}

class ApiSiteTest : public testing::Test {
 protected:
  ApiSiteTest() { add_resource_types(types_, catalog_); }

  aws::ResourceRequest request(std::string_view logical_id, json::object properties, std::string physical_id = "") {
    aws::ResourceRequest out;
    out.call.scope = kScope;
    out.stack_id = "stack";
    out.logical_id = logical_id;
    out.properties = std::move(properties);
    out.physical_id = std::move(physical_id);
    out.token = "token";
    return out;
  }
  aws::ResourceResult create(std::string_view type, std::string_view logical_id, json::object properties) {
    return run(types_.find(type)->create(request(logical_id, std::move(properties))));
  }
  std::string make_rest_api() {
    const std::string id = create("AWS::ApiGateway::RestApi", "Api", rest_properties()).physical_id;
    const auto deployment = create("AWS::ApiGateway::Deployment", "Dep1", {{"RestApiId", id}, {"StageName", "Stage"}});
    create("AWS::ApiGateway::Stage", "Stage", {{"RestApiId", id}, {"StageName", "prod"}, {"DeploymentId", deployment.physical_id},
                                               {"Variables", json::object{{"alias", "live"}}}});
    return id;
  }
  std::string make_http_api() {
    const std::string id = create("AWS::ApiGatewayV2::Api", "Http", http_properties()).physical_id;
    create("AWS::ApiGatewayV2::Stage", "HttpStage", {{"ApiId", id}, {"StageName", "$default"}, {"AutoDeploy", true}});
    return id;
  }
  http::Response get(const std::string& api, std::string target, std::string stage = "", std::string method = "GET", std::string body = "",
                     std::vector<NamedValue> headers = {}) {
    http::Request out;
    out.method = std::move(method);
    out.target = std::move(target);
    out.host = "localhost:3000";
    out.body = std::move(body);
    out.remote_address = "127.0.0.1";
    for (auto& [name, value] : headers) out.headers.add(name, value);
    return run(site_.handle(api, std::move(stage), std::move(out), {.trace_id = "1-5759e988-bd862e3fe1be46a994272793", .parent_id = {}, .sampled = true, .lineage = {}}));
  }

  storage::testing::FakeStore store_;
  ManualClock clock_{Millis(std::chrono::milliseconds(1583348638390))};
  Entropy entropy_;
  ApiCatalog catalog_{store_, clock_, entropy_};
  aws::ResourceTypes types_;
  FakeInvoker invoker_;
  std::vector<RequestRecord> records_;
  ApiSite site_{catalog_, invoker_, clock_, entropy_, [this](const RequestRecord& record) { records_.push_back(record); }};
};

TEST_F(ApiSiteTest, RestApiFromTheTransformAnswers) {
  const std::string id = make_rest_api();
  EXPECT_THAT(id, testing::MatchesRegex("[a-z0-9]{10}"));
  const auto got = get(id, "/prod/c/7?a=b");
  EXPECT_EQ(got.status, 200u);
  EXPECT_EQ(got.body, "hi");
  EXPECT_TRUE(got.headers.find("x-amzn-RequestId"));
  EXPECT_TRUE(got.headers.find("x-amz-apigw-id"));
  EXPECT_EQ(got.headers.get("x-amzn-trace-id"), "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
  EXPECT_EQ(invoker_.arn, "arn:aws:lambda:us-east-1:123456789012:function:f:live");
  const auto event = json::parse(invoker_.payload);
  EXPECT_EQ(event.at("path").as_string(), "/c/7");
  EXPECT_EQ(event.at("requestContext").at("path").as_string(), "/prod/c/7");
  EXPECT_EQ(event.at("pathParameters").at("id").as_string(), "7");
  EXPECT_EQ(invoker_.context.scope.account, kScope.account);
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].route, "GET /c/{id}");
  EXPECT_EQ(records_[0].stage, "prod");
  EXPECT_EQ(records_[0].status, 200u);
  EXPECT_EQ(records_[0].function_arn, invoker_.arn);
  // The stage may stand in the URL before the target, too.
  EXPECT_EQ(get(id, "/c/7", "prod").body, "hi");
}

TEST_F(ApiSiteTest, RestErrors) {
  const std::string id = make_rest_api();
  EXPECT_EQ(get(id, "/prod/nothing").body, R"({"message":"Missing Authentication Token"})");
  EXPECT_EQ(get(id, "/prod/nothing").headers.get("x-amzn-errortype"), "MissingAuthenticationTokenException");
  EXPECT_EQ(get(id, "/other/c/7").body, R"({"message":"Forbidden"})");
  EXPECT_EQ(get(id, "/prod/c/7", "", "GET", std::string(kBodyBytesMax + 1, 'x')).status, 413u);
  invoker_.answer = {InvokeAnswer::Kind::kFunctionError, "{}"};
  EXPECT_EQ(get(id, "/prod/c/7").status, 502u);
  invoker_.answer = {InvokeAnswer::Kind::kThrottled, "{}"};
  EXPECT_EQ(get(id, "/prod/c/7").status, 500u);
  invoker_.answer = {InvokeAnswer::Kind::kOk, "\"text\""};
  EXPECT_EQ(get(id, "/prod/c/7").body, R"({"message": "Internal server error"})");
  invoker_.throws = true;
  EXPECT_EQ(get(id, "/prod/c/7").status, 500u);
  EXPECT_EQ(get("nosuchapi0", "/prod/c/7").status, 403u);
}

TEST_F(ApiSiteTest, TimeoutAnswersWhileTheFunctionGoesOn) {
  const std::string id = make_rest_api();
  invoker_.delay = std::chrono::milliseconds(120);
  const auto got = get(id, "/prod/slow");
  EXPECT_EQ(got.status, 504u);
  EXPECT_EQ(got.body, R"({"message": "Endpoint request timed out"})");
  EXPECT_LT(records_.back().latency, std::chrono::milliseconds(110));
  EXPECT_EQ(site_.open(), 0u);  // run() waits for the function's end
}

TEST_F(ApiSiteTest, RestChangesWaitForADeployment) {
  const std::string id = make_rest_api();
  const std::string extra = R"(,"/new":{"get":)" + integration("1.0") + "}";
  run(types_.find("AWS::ApiGateway::RestApi")->update(request("Api", rest_properties(extra), id)));
  EXPECT_EQ(get(id, "/prod/new").status, 403u);
  const auto second = create("AWS::ApiGateway::Deployment", "Dep2", {{"RestApiId", id}, {"StageName", "Stage"}});
  auto stage = request("Stage", {{"RestApiId", id}, {"StageName", "prod"}, {"DeploymentId", second.physical_id}}, "prod");
  run(types_.find("AWS::ApiGateway::Stage")->update(stage));
  EXPECT_EQ(get(id, "/prod/new").status, 200u);
}

TEST_F(ApiSiteTest, DeploymentInUseStays) {
  const std::string id = make_rest_api();
  const auto first = create("AWS::ApiGateway::Deployment", "Dep1", {{"RestApiId", id}, {"StageName", "Stage"}});  // the same token: the same one
  auto removal = request("Dep1", {{"RestApiId", id}}, first.physical_id);
  auto* type = types_.find("AWS::ApiGateway::Deployment");
  EXPECT_THROW(run(type->remove(removal)), aws::ApiError);
  run(types_.find("AWS::ApiGateway::Stage")->remove(request("Stage", {{"RestApiId", id}}, "prod")));
  run(type->remove(removal));
  run(type->remove(removal));  // gone: succeeds
  EXPECT_TRUE(catalog_.find(id)->api.deployments.empty());
  EXPECT_TRUE(catalog_.find(id)->api.stages.empty());
  run(types_.find("AWS::ApiGateway::RestApi")->remove(request("Api", {}, id)));
  run(types_.find("AWS::ApiGateway::RestApi")->remove(request("Api", {}, id)));
  run(type->remove(removal));
  EXPECT_FALSE(catalog_.find(id));
}

TEST_F(ApiSiteTest, HttpApiAnswers) {
  const std::string id = make_http_api();
  const auto got = get(id, "/c/a%20b", "", "GET", "", {{"Origin", "http://x"}});
  EXPECT_EQ(got.status, 200u);
  EXPECT_TRUE(got.headers.find("apigw-requestid"));
  EXPECT_EQ(got.headers.get("access-control-allow-origin"), "http://x");
  const auto event = json::parse(invoker_.payload);
  EXPECT_EQ(event.at("version").as_string(), "2.0");
  EXPECT_EQ(event.at("rawPath").as_string(), "/c/a b");
  EXPECT_EQ(event.at("pathParameters").at("id").as_string(), "a b");
  EXPECT_EQ(event.at("requestContext").at("requestId").as_string(), std::string(got.headers.get("apigw-requestid")));
  EXPECT_EQ(get(id, "/nothing").body, R"({"message":"Not Found"})");
  invoker_.payload.clear();
  const auto asked = get(id, "/nothing", "", "OPTIONS", "", {{"Origin", "http://x"}, {"Access-Control-Request-Method", "GET"}});
  EXPECT_EQ(asked.status, 204u);
  EXPECT_EQ(asked.headers.get("access-control-allow-origin"), "http://x");
  EXPECT_TRUE(invoker_.payload.empty());
  // Automatic deployment: a change is served at once.
  auto properties = http_properties();
  properties["DisableExecuteApiEndpoint"] = true;
  run(types_.find("AWS::ApiGatewayV2::Api")->update(request("Http", properties, id)));
  EXPECT_EQ(get(id, "/c/7").status, 404u);
}

TEST_F(ApiSiteTest, AttributesAndRepeatedCreation) {
  const auto first = create("AWS::ApiGatewayV2::Api", "Http", http_properties());
  const auto again = create("AWS::ApiGatewayV2::Api", "Http", http_properties());
  EXPECT_EQ(first.physical_id, again.physical_id);
  EXPECT_EQ(first.attributes.at("ApiEndpoint").as_string(), "https://" + first.physical_id + ".execute-api.us-east-1.amazonaws.com");
  EXPECT_EQ(catalog_.list().size(), 1u);
  EXPECT_EQ(catalog_.list()[0]->api.name, "mobile");
  const auto rest = create("AWS::ApiGateway::RestApi", "Api", rest_properties());
  EXPECT_EQ(rest.attributes.at("RootResourceId").as_string().size(), 10u);
}

TEST_F(ApiSiteTest, BadPropertiesAreRefusedByName) {
  const auto refused = [&](std::string_view type, json::object properties, std::string_view part) {
    try {
      create(type, "X", std::move(properties));
      ADD_FAILURE() << part << " was accepted";
    } catch (const aws::ApiError& error) {
      EXPECT_THAT(error.message(), HasSubstr(std::string(part)));
    }
  };
  auto merge = rest_properties();
  merge["Mode"] = "merge";
  refused("AWS::ApiGateway::RestApi", merge, "Mode");
  refused("AWS::ApiGateway::RestApi", {}, "name is required");
  refused("AWS::ApiGatewayV2::Api", {{"Name", "a"}, {"ProtocolType", "WEBSOCKET"}}, "ProtocolType");
  refused("AWS::ApiGateway::Deployment", {{"RestApiId", "nothing"}}, "Invalid API identifier");
  const std::string id = make_http_api();
  refused("AWS::ApiGatewayV2::Stage", {{"ApiId", id}, {"StageName", "a"}}, "AutoDeploy");
  refused("AWS::ApiGatewayV2::Stage", {{"ApiId", id}, {"StageName", "a b"}, {"AutoDeploy", "true"}}, "a-zA-Z0-9_-");
}

TEST_F(ApiSiteTest, ComesBackFromTheStore) {
  const std::string rest = make_rest_api(), http = make_http_api();
  // Foreign keys before, between and after do not disturb.
  storage::Commit foreign;
  foreign.put(storage::TupleWriter().string("000000000000").string("eu-west-1").string("x").take(), "1");
  foreign.put(storage::TupleWriter().string("123456789012").string("us-east-1").string("zeta").take(), "1");
  foreign.put("\x03" "broken", "1");
  foreign.put("\x05" "12345678", "1");
  ASSERT_TRUE(run(store_.commit(std::move(foreign))));
  ApiCatalog fresh(store_, clock_, entropy_);
  run(fresh.load());
  EXPECT_EQ(fresh.list().size(), 2u);
  EXPECT_EQ(json::serialize(to_json(fresh.find(rest)->api)), json::serialize(to_json(catalog_.find(rest)->api)));
  EXPECT_TRUE(fresh.find(http)->stages.contains("$default"));
  EXPECT_THROW(fresh.get({"999999999999", "us-east-1"}, rest), aws::ApiError);
  storage::Commit damage;
  damage.put(api_key(kScope, "zzzzzzzzzz"), "{");
  ASSERT_TRUE(run(store_.commit(std::move(damage))));
  EXPECT_THROW(run(fresh.load()), std::runtime_error);
}

// Property: with an unkind store every change takes effect once. Method: forced conflicts and unknown outcomes.
TEST(ApiCatalogProperty, SurvivesAnUnkindStore) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  storage::testing::FakeStore store({.seed = seed, .latency_max = std::chrono::microseconds(200), .unknown_outcome = 0.2, .forced_conflict = 0.2});
  ManualClock clock(Millis(std::chrono::milliseconds(1)));
  Entropy entropy;
  ApiCatalog catalog(store, clock, entropy);
  for (int i = 0; i < 20; ++i) {
    NewApi details{.protocol = Protocol::kHttp, .name = "n", .description = {}, .tags = {}, .token = "t" + std::to_string(i), .define = {}};
    const Api api = run(catalog.create(kScope, details));
    run(catalog.put_stage(kScope, api.id, {.name = "$default", .auto_deploy = true}, true));
    if (i % 3 == 0) run(catalog.remove(kScope, api.id));
  }
  EXPECT_EQ(catalog.list().size(), 13u);
  ApiCatalog fresh(store, clock, entropy);
  run(fresh.load());
  EXPECT_EQ(fresh.list().size(), 13u);
}

}  // namespace
}  // namespace parvis::apigateway
