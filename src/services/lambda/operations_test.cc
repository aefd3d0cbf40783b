// The operations over a store in memory and a runner that stands in for the worker engine.
#include <deque>
#include <filesystem>
#include <fstream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "services/lambda/archive.h"
#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/operations.h"
#include "services/lambda/recursion.h"
#include "services/lambda/resources.h"
#include "services/lambda/testing/memory_store.h"

namespace parvis::lambda {
namespace {

using testing::HasSubstr;

class FakeRunner final : public Runner {
 public:
  void prepare(functions::FunctionSpec spec, bool load) override { prepared.push_back(spec.runtime + (load ? " loads" : " boots")); }
  awaitable<functions::InvocationResult> invoke(std::shared_ptr<const functions::FunctionSpec> spec, functions::Invocation call) override {
    specs.push_back(spec);
    calls.push_back(call);
    functions::InvocationResult result;
    if (!outcomes.empty()) {
      result.outcome = outcomes.front();
      outcomes.pop_front();
    }
    result.payload = answer.empty() ? call.payload : answer;
    result.log = "START\nhello\nEND\n";
    if (gate) {
      boost::system::error_code opened;
      co_await gate->async_wait(asio::redirect_error(asio::use_awaitable, opened));
    }
    co_return result;
  }
  awaitable<functions::InvocationResult> invoke_streaming(std::shared_ptr<const functions::FunctionSpec> spec, functions::Invocation call,
                                                          functions::ResponseSink& sink) override {
    functions::InvocationResult result = co_await invoke(std::move(spec), std::move(call));
    if (result.outcome != functions::Outcome::kOk) co_return result;
    co_await sink.begin(head);
    co_await sink.write(std::exchange(result.payload, {}));
    result.streamed = true;
    co_return result;
  }
  void retire(const std::string& key) override {
    retired.push_back(key);
    kept_counts.erase(key);
  }
  void keep(std::shared_ptr<const functions::FunctionSpec> spec, unsigned count) override { kept_counts[spec->key] = count; }
  functions::Engine::Kept kept(const std::string& key) override {
    const auto found = kept_counts.find(key);
    const unsigned wanted = found == kept_counts.end() ? 0 : found->second;
    return {.wanted = wanted, .ready = std::min(wanted, ready_max), .failure = keep_failure};
  }

  std::vector<std::shared_ptr<const functions::FunctionSpec>> specs;
  std::vector<functions::Invocation> calls;
  std::vector<std::string> prepared, retired;
  std::map<std::string, unsigned> kept_counts;  // by key
  std::shared_ptr<asio::steady_timer> gate;     // what calls wait for
  unsigned ready_max = 1000;
  std::string keep_failure;
  std::deque<functions::Outcome> outcomes;
  std::string answer;
  functions::StreamHead head;
};

class Lambda : public testing::Test {
 protected:
  Lambda() : clock_(Millis{std::chrono::milliseconds{1795428000000}}) {
    std::string pattern = (std::filesystem::temp_directory_path() / "parvis-lambda-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    restart();
  }
  ~Lambda() override {
    service_.reset();
    context_.restart();
    context_.run_for(std::chrono::milliseconds(200));
    std::filesystem::remove_all(folder_);
  }

  // As a new process over the same store.
  void restart() {
    service_.reset();
    ServiceOptions options;
    options.code = {(folder_ / "cache").string(), context_.get_executor(), true};
    options.invoke.endpoint_url = "http://127.0.0.1:4566";
    options.invoke.on_log = [this](FunctionLog log) { logs_.push_back(std::move(log)); };
    service_ = std::make_unique<LambdaService>(context_.get_executor(), store_, runner_, clock_, entropy_, options);
    registry_ = {};
    service_->bind(registry_);
    wait([](LambdaService& service) -> awaitable<> { co_await service.start(); }(*service_));
  }

  void wait(awaitable<> work) {
    std::exception_ptr failed;
    bool done = false;
    asio::co_spawn(context_, std::move(work), [&](std::exception_ptr thrown) { failed = thrown; done = true; });
    context_.restart();
    while (!done && context_.run_one() > 0) {}
    if (failed) std::rethrow_exception(failed);
  }

  template <class Op>
  typename Op::Output call(typename Op::Input in, std::string origin = "http") {
    const aws::Registry::Entry* entry = registry_.find("lambda", std::string_view(Op::model().name));
    std::shared_ptr<void> out;
    aws::CallContext context{.scope = {"123456789012", "us-east-1"}, .principal = {}, .request_id = "req-1", .trace = {},
                             .origin = std::move(origin)};
    context.trace.trace_id = "1-5759e988-bd862e3fe1be46a994272793";
    wait(hold(entry->handler, std::move(context), std::make_shared<typename Op::Input>(std::move(in)), out));
    return *std::static_pointer_cast<typename Op::Output>(out);
  }
  static awaitable<> hold(aws::Registry::Erased handler, aws::CallContext context, std::shared_ptr<void> in, std::shared_ptr<void>& out) {
    out = co_await handler(std::move(context), std::move(in));
  }
  awaitable<> call_later(model::InvokeInput in) {
    const aws::Registry::Entry* entry = registry_.find("lambda", "Invoke");
    aws::CallContext context{.scope = {"123456789012", "us-east-1"}, .principal = {}, .request_id = "req-1", .trace = {}, .origin = "http"};
    co_await entry->handler(std::move(context), std::make_shared<model::InvokeInput>(std::move(in)));
  }
  static awaitable<> discard(awaitable<> work) { co_await std::move(work); }

  template <class Op>
  std::string error(typename Op::Input in) {
    try {
      call<Op>(std::move(in));
      return {};
    } catch (const aws::ApiError& thrown) {
      return thrown.code() + ": " + thrown.message();
    }
  }

  static model::CreateFunctionInput create(std::string name, std::string source = "exports.handler = 1") {
    model::CreateFunctionInput in;
    in.function_name = std::move(name);
    in.runtime = "nodejs22.x";
    in.role = "arn:aws:iam::123456789012:role/r";
    in.handler = "index.handler";
    in.code.emplace();
    in.code->zip_file = make_zip("index.js", source);
    return in;
  }
  static model::InvokeInput invoke(std::string name, std::string payload, std::string type = "RequestResponse") {
    model::InvokeInput in;
    in.function_name = std::move(name);
    in.payload = std::move(payload);
    in.invocation_type = std::move(type);
    return in;
  }
  template <class Input>
  static Input named(std::string name) {
    Input in;
    in.function_name = std::move(name);
    return in;
  }
  void run_background(std::chrono::milliseconds limit = std::chrono::milliseconds(300)) {
    context_.restart();
    context_.run_for(limit);
  }

  asio::io_context context_;
  MemoryStore store_;
  ManualClock clock_;
  Entropy entropy_;
  FakeRunner runner_;
  std::filesystem::path folder_;
  std::vector<FunctionLog> logs_;
  std::unique_ptr<LambdaService> service_;
  aws::Registry registry_;
};

TEST_F(Lambda, CreatesAndDescribes) {
  const model::CreateFunctionInput in = create("hello");
  const auto made = call<model::CreateFunction>(in);
  EXPECT_EQ(made.function_arn, "arn:aws:lambda:us-east-1:123456789012:function:hello");
  EXPECT_EQ(made.state, "Active");
  EXPECT_EQ(made.version, "$LATEST");
  EXPECT_EQ(made.code_sha256, base64_encode(as_bytes(sha256(*in.code->zip_file))));
  EXPECT_EQ(made.timeout, 3);
  const auto read = call<model::GetFunction>(named<model::GetFunctionInput>("hello"));
  EXPECT_EQ(read.configuration->revision_id, made.revision_id);
  EXPECT_EQ(error<model::CreateFunction>(in), "ResourceConflictException: Function already exist: hello");
  EXPECT_EQ(error<model::GetFunction>(named<model::GetFunctionInput>("nope")),
            "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:nope");
}

TEST_F(Lambda, RefusesBadPackagesAndKeepsNothing) {
  auto in = create("hello");
  in.code->zip_file = "no zip";
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr("Could not unzip uploaded file"));
  in.code->zip_file.reset();
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr("Please provide a source for function code."));
  in.code->zip_file = make_zip("../x", "y");
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr("not a plain file or folder"));
  in.code->zip_file = std::string((50u << 20) + 1, 'x');
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr("RequestEntityTooLargeException"));
  in = create("hello");
  in.code->s3_bucket = "b";
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr("Please do not provide other FunctionCode parameters"));
  EXPECT_EQ(store_.count(), 0u);
}

struct RefusedCase { const char* name; std::function<void(model::CreateFunctionInput&)> change; std::string_view error_part; };
class RefusedMember : public Lambda, public testing::WithParamInterface<RefusedCase> {};
TEST_P(RefusedMember, IsNamed) {
  auto in = create("hello");
  GetParam().change(in);
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr(GetParam().error_part));
}
INSTANTIATE_TEST_SUITE_P(Create, RefusedMember, testing::Values(
    RefusedCase{"vpc", [](auto& in) { in.vpc_config.emplace().subnet_ids = std::vector<std::string>{"subnet-1"}; }, "VpcConfig"},
    RefusedCase{"dead_letter", [](auto& in) { in.dead_letter_config.emplace().target_arn = "arn"; }, "DeadLetterConfig"},
    RefusedCase{"publish_to", [](auto& in) { in.publish_to = "LATEST_PUBLISHED"; }, "PublishTo"},
    RefusedCase{"level_of_text_logs", [](auto& in) { in.logging_config.emplace().application_log_level = "WARN"; }, "LogLevel is not supported when LogFormat is set to \"Text\""},
    RefusedCase{"image", [](auto& in) { in.package_type = "Image"; }, "Container images"},
    RefusedCase{"no_handler", [](auto& in) { in.handler.reset(); }, "Runtime and Handler are mandatory"},
    RefusedCase{"reserved_key", [](auto& in) { in.environment.emplace().variables.emplace()["AWS_REGION"] = "x"; }, "reserved keys"}),
    [](const auto& info) { return info.param.name; });

// The first call of a function finds workers of its runtime, after a deployment and after a start.
TEST_F(Lambda, WorkersOfARuntimeBootOnceAFunctionOfItIsKnown) {
  call<model::CreateFunction>(create("one"));
  call<model::CreateFunction>(create("two"));
  EXPECT_THAT(runner_.prepared, testing::ElementsAre("nodejs22.x boots", "nodejs22.x boots"));
  runner_.prepared.clear();
  restart();
  EXPECT_THAT(runner_.prepared, testing::ElementsAre("nodejs22.x boots"));
}

TEST_F(Lambda, EmptyDefaultsOfTheServiceAreAccepted) {
  auto in = create("hello");
  in.vpc_config.emplace().subnet_ids.emplace();
  in.layers.emplace();
  in.snap_start.emplace().apply_on = "None";
  in.logging_config.emplace().log_format = "Text";
  in.kms_key_arn = "";
  EXPECT_EQ(error<model::CreateFunction>(in), "");
}

TEST_F(Lambda, InvokesWithTheServicesEnvironment) {
  auto in = create("hello");
  in.environment.emplace().variables.emplace()["TABLE"] = "t";
  in.memory_size = 256;
  call<model::CreateFunction>(in);
  auto request = invoke("hello", R"({"a":1})");
  request.log_type = "Tail";
  const auto out = call<model::Invoke>(request);
  EXPECT_EQ(out.status_code, 200);
  EXPECT_EQ(out.payload, R"({"a":1})");
  EXPECT_EQ(out.executed_version, "$LATEST");
  EXPECT_FALSE(out.function_error);
  EXPECT_EQ(base64_decode(*out.log_result), "START\nhello\nEND\n");
  const auto& env = runner_.specs.at(0)->environment;
  EXPECT_EQ(env.at("TABLE"), "t");
  EXPECT_EQ(env.at("AWS_LAMBDA_FUNCTION_NAME"), "hello");
  EXPECT_EQ(env.at("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "256");
  EXPECT_EQ(env.at("AWS_LAMBDA_LOG_GROUP_NAME"), "/aws/lambda/hello");
  EXPECT_EQ(env.at("AWS_ACCESS_KEY_ID"), "123456789012");
  EXPECT_EQ(env.at("AWS_ENDPOINT_URL"), "http://127.0.0.1:4566");
  EXPECT_EQ(env.at("AWS_REGION"), "us-east-1");
  EXPECT_EQ(env.at("_HANDLER"), "index.handler");
  EXPECT_EQ(env.at("TZ"), ":UTC");
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(env.at("LAMBDA_TASK_ROOT")) / "index.js"));
  EXPECT_EQ(runner_.calls.at(0).function_arn, "arn:aws:lambda:us-east-1:123456789012:function:hello");
  EXPECT_EQ(runner_.calls.at(0).request_id, "req-1");
  ASSERT_EQ(logs_.size(), 1u);
  EXPECT_EQ(logs_[0].log_group, "/aws/lambda/hello");
  call<model::Invoke>(invoke("hello", ""));
  EXPECT_EQ(runner_.calls.at(1).payload, "{}");
  EXPECT_EQ(runner_.specs.at(1), runner_.specs.at(0)) << "the spec is made once per version";
}

TEST_F(Lambda, ProvisionedConcurrencyFollowsAliasesTagsAndRestarts) {
  auto made = create("hello");
  made.publish = true;
  call<model::CreateFunction>(made);
  model::CreateAliasInput alias;
  alias.function_name = "hello", alias.name = "live", alias.function_version = "1";
  call<model::CreateAlias>(alias);
  auto in = named<model::PutProvisionedConcurrencyConfigInput>("hello");
  in.qualifier = "live", in.provisioned_concurrent_executions = 3;
  runner_.ready_max = 1;
  call<model::PutProvisionedConcurrencyConfig>(in);
  const auto counts = [&] {
    std::map<std::string, unsigned> out;  // of versions
    for (const auto& [key, count] : runner_.kept_counts) out[key.substr(key.find(":hello:") + 7, 1)] += count;
    return out;
  };
  EXPECT_EQ(counts(), (std::map<std::string, unsigned>{{"1", 3}}));
  auto get = named<model::GetProvisionedConcurrencyConfigInput>("hello");
  get.qualifier = "live";
  auto now = call<model::GetProvisionedConcurrencyConfig>(get);
  EXPECT_EQ(now.status, "IN_PROGRESS");
  EXPECT_EQ(now.allocated_provisioned_concurrent_executions, 1);
  runner_.keep_failure = "FUNCTION_ERROR_INIT_FAILURE";
  now = call<model::GetProvisionedConcurrencyConfig>(get);
  EXPECT_EQ(now.status, "FAILED");
  EXPECT_EQ(now.status_reason, "FUNCTION_ERROR_INIT_FAILURE");
  runner_.ready_max = 1000;
  EXPECT_EQ(call<model::GetProvisionedConcurrencyConfig>(get).status, "READY");

  // As in a new process: nothing is kept until the restore has run, which start() does not wait for.
  runner_.kept_counts.clear();
  restart();
  run_background();
  EXPECT_EQ(counts(), (std::map<std::string, unsigned>{{"1", 3}}));

  // Another network is another specification: its environments are the ones to keep, those of the former are retired.
  const std::string key = runner_.kept_counts.begin()->first;
  model::TagResourceInput tag;
  tag.resource = "arn:aws:lambda:us-east-1:123456789012:function:hello", tag.tags = {{std::string(kNetworkTag), "none"}};
  call<model::TagResource>(tag);
  call<model::Invoke>(invoke("hello:live", "{}"));
  EXPECT_EQ(counts(), (std::map<std::string, unsigned>{{"1", 3}}));
  EXPECT_FALSE(runner_.kept_counts.contains(key));

  auto update = named<model::UpdateFunctionCodeInput>("hello");
  update.zip_file = make_zip("index.js", "exports.handler = 2"), update.publish = true;
  call<model::UpdateFunctionCode>(update);
  model::UpdateAliasInput move;
  move.function_name = "hello", move.name = "live", move.function_version = "2";
  call<model::UpdateAlias>(move);
  EXPECT_EQ(counts(), (std::map<std::string, unsigned>{{"1", 0}, {"2", 3}}));
  call<model::DeleteFunction>(named<model::DeleteFunctionInput>("hello"));
  EXPECT_EQ(counts()["2"], 0u);
  EXPECT_EQ(runner_.kept_counts.size(), 0u);
  runner_.kept_counts.clear();
  restart();
  run_background();
  EXPECT_TRUE(runner_.kept_counts.empty());
  EXPECT_EQ(store_.count(), 0u) << "the start has forgotten the mark of the function";
}

// What one function reserves, or has provisioned, the others do not have; 100 are always shared.
TEST_F(Lambda, ReservedAndProvisionedConcurrencyIsTakenOffWhatOthersShare) {
  call<model::CreateFunction>(create("reserving"));
  call<model::CreateFunction>(create("sharing"));
  auto provisioned = create("provisioned");
  provisioned.publish = true;
  call<model::CreateFunction>(provisioned);
  auto reserve = named<model::PutFunctionConcurrencyInput>("reserving");
  reserve.reserved_concurrent_executions = 890;
  call<model::PutFunctionConcurrency>(reserve);
  auto put = named<model::PutProvisionedConcurrencyConfigInput>("provisioned");
  put.qualifier = "1", put.provisioned_concurrent_executions = 11;
  EXPECT_THAT(error<model::PutProvisionedConcurrencyConfig>(put), HasSubstr("decreases account's UnreservedConcurrentExecution below its minimum value of [100]"));
  put.provisioned_concurrent_executions = 10;
  call<model::PutProvisionedConcurrencyConfig>(put);
  EXPECT_EQ(call<model::GetAccountSettings>({}).account_limit->unreserved_concurrent_executions, 100);

  for (const bool after_restart : {false, true}) {
    if (after_restart) restart(), run_background();
    runner_.gate = std::make_shared<asio::steady_timer>(context_, asio::steady_timer::time_point::max());
    unsigned done = 0;
    const auto begin = [&](const std::string& name, unsigned count) {
      for (; count > 0; --count) asio::co_spawn(context_, discard(call_later(invoke(name, "{}"))), [&done](std::exception_ptr failed) { done += failed ? 0 : 1; });
      context_.restart();
      context_.poll();
    };
    begin("provisioned:1", 10);  // its own
    begin("sharing", 100);
    const std::string throttled = "TooManyRequestsException: Rate Exceeded.";
    EXPECT_EQ(error<model::Invoke>(invoke("sharing", "{}")), throttled);
    EXPECT_EQ(error<model::Invoke>(invoke("provisioned:1", "{}")), throttled) << "more than is provisioned comes from what is shared";
    begin("reserving", 890);
    EXPECT_EQ(error<model::Invoke>(invoke("reserving", "{}")), throttled);
    runner_.gate->cancel();
    context_.restart();
    context_.poll();
    EXPECT_EQ(done, 1000u);
    runner_.gate.reset();
    EXPECT_EQ(error<model::Invoke>(invoke("sharing", "{}")), "");
  }
  call<model::DeleteFunction>(named<model::DeleteFunctionInput>("reserving"));
  EXPECT_EQ(call<model::GetAccountSettings>({}).account_limit->unreserved_concurrent_executions, 990);
}

TEST_F(Lambda, FunctionErrorsAndThrottles) {
  call<model::CreateFunction>(create("hello"));
  runner_.answer = R"({"errorMessage":"boom"})";
  runner_.outcomes = {functions::Outcome::kFunctionError, functions::Outcome::kTimedOut, functions::Outcome::kThrottled};
  for (int i = 0; i < 2; ++i) {
    const auto out = call<model::Invoke>(invoke("hello", "{}"));
    EXPECT_EQ(out.status_code, 200);
    EXPECT_EQ(out.function_error, "Unhandled");
    EXPECT_EQ(out.payload, R"({"errorMessage":"boom"})");
  }
  EXPECT_EQ(error<model::Invoke>(invoke("hello", "{}")), "TooManyRequestsException: Rate Exceeded.");
  runner_.answer = "\"" + std::string(7u << 20, 'x') + "\"";
  EXPECT_THAT(*call<model::Invoke>(invoke("hello", "{}")).payload, HasSubstr("Function.ResponseSizeTooLarge"));
  EXPECT_THAT(error<model::Invoke>(invoke("hello", "{oops")), HasSubstr("InvalidRequestContentException: Could not parse"));
  EXPECT_THAT(error<model::Invoke>(invoke("hello:1", "{}")), HasSubstr("Function not found: arn:aws:lambda:us-east-1:123456789012:function:hello:1"));
  EXPECT_EQ(call<model::Invoke>(invoke("hello", "", "DryRun")).status_code, 204);
}

TEST_F(Lambda, UpdatesRetireTheOldWorkersAndCheckRevisions) {
  const auto made = call<model::CreateFunction>(create("hello"));
  call<model::Invoke>(invoke("hello", "{}"));
  model::UpdateFunctionCodeInput code;
  code.function_name = "hello";
  code.zip_file = make_zip("index.js", "new");
  code.revision_id = "other";
  EXPECT_THAT(error<model::UpdateFunctionCode>(code), HasSubstr("PreconditionFailedException"));
  code.revision_id = made.revision_id;
  const std::size_t before = store_.count();
  const auto updated = call<model::UpdateFunctionCode>(code);
  EXPECT_NE(updated.revision_id, made.revision_id);
  EXPECT_NE(updated.code_sha256, made.code_sha256);
  EXPECT_EQ(store_.count(), before + 2) << "of the old package, its chunk and a marker stay for an hour: a worker may be reading it";
  ASSERT_EQ(runner_.retired.size(), 1u);
  EXPECT_EQ(runner_.retired[0], runner_.specs[0]->key);
  auto configuration = named<model::UpdateFunctionConfigurationInput>("hello");
  configuration.timeout = 1000;
  EXPECT_THAT(error<model::UpdateFunctionConfiguration>(configuration), HasSubstr("'timeout' failed to satisfy constraint"));
  configuration.timeout = 10;
  call<model::UpdateFunctionConfiguration>(configuration);
  call<model::Invoke>(invoke("hello", "{}"));
  EXPECT_EQ(runner_.specs.back()->timeout, std::chrono::seconds(10));
  clock_.set(clock_.wall() + std::chrono::hours(2));
  EXPECT_EQ(call<model::DeleteFunction>(named<model::DeleteFunctionInput>("hello")).status_code, 204);
  EXPECT_EQ(store_.count(), 2u) << "the one that was just removed";
  EXPECT_THAT(error<model::Invoke>(invoke("hello", "{}")), HasSubstr("Function not found"));
}

TEST_F(Lambda, CodeIsUnpackedAgainAfterARestart) {
  call<model::CreateFunction>(create("hello", std::string(300'000, 'x')));
  restart();
  call<model::Invoke>(invoke("hello", "{}"));
  EXPECT_EQ(std::filesystem::file_size(std::filesystem::path(runner_.specs.back()->code_dir) / "index.js"), 300'000u);
}

// A crash between the commit that stores a package and the one that names it, and after the one that stops naming it.
TEST_F(Lambda, PackagesWithoutAnOwnerAreCollectedAtStart) {
  call<model::CreateFunction>(create("kept"));
  const std::size_t keys = store_.count();
  CodeStore code(store_, entropy_, clock_, {(folder_ / "other").string(), context_.get_executor(), false});
  const aws::Scope scope{"123456789012", "us-east-1"};
  wait([](CodeStore& code, aws::Scope scope, std::string zip) -> awaitable<> { co_await code.put(scope, std::move(zip)); }(
      code, scope, *create("lost").code->zip_file));
  EXPECT_GT(store_.count(), keys);
  restart();
  EXPECT_EQ(store_.count(), keys);
  EXPECT_EQ(*call<model::Invoke>(invoke("kept", "{}")).status_code, 200);
}

TEST_F(Lambda, DeletedFunctionsLeaveNothingBehind) {
  const std::size_t keys = store_.count();
  call<model::CreateFunction>(create("f"));
  model::UpdateFunctionCodeInput update;
  update.function_name = "f";
  update.zip_file = create("f", "exports.handler = 2").code->zip_file;
  call<model::UpdateFunctionCode>(std::move(update));
  model::DeleteFunctionInput gone;
  gone.function_name = "f";
  call<model::DeleteFunction>(std::move(gone));
  restart();
  EXPECT_EQ(store_.count(), keys);
}

TEST_F(Lambda, VersionsShareAPackageUntilTheLastOfThemGoes) {
  const std::size_t empty = store_.count();
  call<model::CreateFunction>(create("f"));
  EXPECT_EQ(call<model::PublishVersion>(named<model::PublishVersionInput>("f")).version, "1");
  EXPECT_EQ(call<model::PublishVersion>(named<model::PublishVersionInput>("f")).version, "1") << "nothing is new";
  auto update = named<model::UpdateFunctionCodeInput>("f");
  update.zip_file = make_zip("index.js", "two");
  update.publish = true;
  const auto second = call<model::UpdateFunctionCode>(update);
  EXPECT_EQ(second.version, "2");
  EXPECT_EQ(second.function_arn, "arn:aws:lambda:us-east-1:123456789012:function:f:2");
  restart();
  const auto out = call<model::Invoke>(invoke("f:1", "{}"));
  EXPECT_EQ(out.executed_version, "1");
  EXPECT_EQ(runner_.specs.back()->environment.at("AWS_LAMBDA_FUNCTION_VERSION"), "1");
  EXPECT_NE(call<model::GetFunctionConfiguration>(named<model::GetFunctionConfigurationInput>("f:1")).code_sha256, second.code_sha256);
  const std::size_t before = store_.count();
  EXPECT_EQ(call<model::DeleteFunction>(named<model::DeleteFunctionInput>("f:2")).status_code, 204);
  EXPECT_EQ(store_.count(), before - 1) << "$LATEST has the package, too";
  call<model::DeleteFunction>(named<model::DeleteFunctionInput>("f:1"));
  restart();  // collects what the deletion left for readers
  EXPECT_EQ(store_.count(), before - 4) << "two records, and the first package: its description and its bytes";
  call<model::DeleteFunction>(named<model::DeleteFunctionInput>("f"));
  restart();
  EXPECT_EQ(store_.count(), empty);
}

TEST_F(Lambda, ADeletionThatACrashCutOffGoesOnAtStart) {
  const std::size_t empty = store_.count();
  call<model::CreateFunction>(create("f"));
  call<model::PublishVersion>(named<model::PublishVersionInput>("f"));
  auto update = named<model::UpdateFunctionCodeInput>("f");
  update.zip_file = make_zip("index.js", "two");
  call<model::UpdateFunctionCode>(update);
  model::CreateAliasInput alias;
  alias.function_name = "f";
  alias.name = "live";
  alias.function_version = "1";
  call<model::CreateAlias>(alias);
  wait([](storage::Store& store) -> awaitable<> {  // the first commit of DeleteFunction alone
    const auto value = co_await store.snapshot()->get(function_key("123456789012", "us-east-1", "f"));
    const FunctionRecord record = parse_record(value->bytes).value();
    storage::Commit commit;
    CodeStore::let_go(record.scope, record.code, commit);
    commit.put(gone_key(record.scope.account, record.scope.region, record.id), "");
    commit.erase(function_key("123456789012", "us-east-1", "f"));
    co_await store.commit(std::move(commit));
  }(store_));
  restart();
  EXPECT_EQ(store_.count(), empty);
}

TEST_F(Lambda, DeletedLayersStayForThoseThatHaveThem) {
  model::PublishLayerVersionInput in;
  in.layer_name = "l";
  in.content.emplace().zip_file = make_zip("nodejs/node_modules/x/index.js", "1");
  const auto layer = call<model::PublishLayerVersion>(in);
  auto function = create("f");
  function.layers = std::vector<std::string>{*layer.layer_version_arn};
  call<model::CreateFunction>(function);
  model::DeleteLayerVersionInput gone;
  gone.layer_name = "l";
  gone.version_number = 1;
  call<model::DeleteLayerVersion>(gone);
  restart();
  call<model::Invoke>(invoke("f", "{}"));
  const std::string folder = runner_.specs.back()->layers_dir;
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(folder) / "nodejs/node_modules/x/index.js"));
  EXPECT_THAT(runner_.specs.back()->environment.at("NODE_PATH"), testing::StartsWith(folder + "/nodejs/node22/node_modules:" + folder + "/nodejs/node_modules"));
  const std::size_t before = store_.count();
  call<model::DeleteFunction>(named<model::DeleteFunctionInput>("f"));
  restart();
  EXPECT_EQ(store_.count(), before - 6) << "record, package and layer version with its package; the layer's next number stays";
}

TEST_F(Lambda, ChainsOfFunctionsAreCounted) {
  Lineage lineage;
  for (int calls = 1; calls <= 3; ++calls) {
    lineage = extend_lineage(lineage.text, "arn:a");
    EXPECT_EQ(lineage.calls, calls);
  }
  lineage = extend_lineage(lineage.text, "arn:b");
  EXPECT_EQ(lineage.calls, 1);
  EXPECT_EQ(extend_lineage(lineage.text, "arn:a").calls, 4);
  for (const char* bad : {"x", "12345678:", "12345678:-1", "12345678:1x", "|||", "123456789:1"}) EXPECT_EQ(extend_lineage(bad, "arn:a").text.size(), 10u) << bad;
  std::string text;
  for (int i = 0; i < 50; ++i) text = extend_lineage(text, "arn:" + std::to_string(i)).text;
  EXPECT_LE(text.size(), 8 * 12u);
}

TEST_F(Lambda, UnknownOutcomesOfTheStoreAreResolved) {
  store_.unknown = 2;
  EXPECT_EQ(error<model::CreateFunction>(create("hello")), "");
}

TEST_F(Lambda, LocalFoldersAreForTemplatesOnly) {
  std::filesystem::create_directories(folder_ / "src");
  std::ofstream(folder_ / "src" / "index.js") << "x";
  auto in = create("hello");
  in.code->zip_file.reset();
  in.code->s3_bucket = std::string(kLocalBucket);
  in.code->s3_key = (folder_ / "src").string();
  EXPECT_THAT(error<model::CreateFunction>(in), HasSubstr("Code from S3 is not available"));
  const auto made = call<model::CreateFunction>(in, "template");
  EXPECT_EQ(made.code_size, 1);
  call<model::Invoke>(invoke("hello", "{}"));
  EXPECT_EQ(runner_.specs.back()->code_dir, (folder_ / "src").string());
}

TEST_F(Lambda, PoliciesAreStoredAndReadable) {
  call<model::CreateFunction>(create("hello"));
  model::AddPermissionInput in;
  in.function_name = "hello";
  in.statement_id = "api";
  in.action = "lambda:InvokeFunction";
  in.principal = "apigateway.amazonaws.com";
  in.source_arn = "arn:aws:execute-api:us-east-1:123456789012:abc/*";
  EXPECT_THAT(*call<model::AddPermission>(in).statement, HasSubstr(R"("Principal":{"Service":"apigateway.amazonaws.com"})"));
  EXPECT_THAT(error<model::AddPermission>(in), HasSubstr("The statement id (api) provided already exists"));
  EXPECT_THAT(*call<model::GetPolicy>(named<model::GetPolicyInput>("hello")).policy,
              HasSubstr(R"("ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:123456789012:abc/*"})"));
  auto remove = named<model::RemovePermissionInput>("hello");
  remove.statement_id = "api";
  call<model::RemovePermission>(remove);
  EXPECT_THAT(error<model::RemovePermission>(remove), HasSubstr("ResourceNotFoundException"));
  EXPECT_THAT(error<model::GetPolicy>(named<model::GetPolicyInput>("hello")), HasSubstr("ResourceNotFoundException"));
}

TEST_F(Lambda, ListsInPages) {
  for (const char* name : {"c", "a", "b"}) call<model::CreateFunction>(create(name));
  model::ListFunctionsInput in;
  in.max_items = 2;
  auto page = call<model::ListFunctions>(in);
  ASSERT_EQ(page.functions->size(), 2u);
  EXPECT_EQ(page.functions->at(0).function_name, "a");
  in.marker = page.next_marker;
  page = call<model::ListFunctions>(in);
  ASSERT_EQ(page.functions->size(), 1u);
  EXPECT_EQ(page.functions->at(0).function_name, "c");
  EXPECT_FALSE(page.next_marker);
}

TEST_F(Lambda, ReservedConcurrencyOfZeroRefusesCalls) {
  call<model::CreateFunction>(create("hello"));
  auto in = named<model::PutFunctionConcurrencyInput>("hello");
  in.reserved_concurrent_executions = 0;
  call<model::PutFunctionConcurrency>(in);
  EXPECT_THAT(error<model::Invoke>(invoke("hello", "{}")), HasSubstr("TooManyRequestsException"));
  call<model::DeleteFunctionConcurrency>(named<model::DeleteFunctionConcurrencyInput>("hello"));
  EXPECT_EQ(error<model::Invoke>(invoke("hello", "{}")), "");
}

TEST_F(Lambda, EventsAreTriedThreeTimes) {
  call<model::CreateFunction>(create("hello"));
  runner_.outcomes = {functions::Outcome::kFunctionError, functions::Outcome::kThrottled, functions::Outcome::kCrashed,
                      functions::Outcome::kFunctionError};
  const std::size_t before = store_.count();
  EXPECT_EQ(call<model::Invoke>(invoke("hello", R"({"n":1})", "Event")).status_code, 202);
  run_background();
  EXPECT_EQ(runner_.calls.size(), 1u);
  EXPECT_EQ(store_.count(), before + 1);
  for (std::size_t want : {2u, 3u, 4u}) {  // a throttle is no attempt
    clock_.set(clock_.wall() + std::chrono::minutes(3));
    run_background(std::chrono::milliseconds(1500));
    EXPECT_EQ(runner_.calls.size(), want);
  }
  EXPECT_EQ(store_.count(), before) << "dropped after the third error";
  EXPECT_EQ(service_->events().waiting(), 0u);
}

TEST_F(Lambda, AcceptedEventsSurviveARestart) {
  call<model::CreateFunction>(create("hello"));
  runner_.outcomes = {functions::Outcome::kFunctionError};
  call<model::Invoke>(invoke("hello", R"({"n":1})", "Event"));
  run_background();
  EXPECT_EQ(runner_.calls.size(), 1u);
  restart();
  clock_.set(clock_.wall() + std::chrono::minutes(2));
  run_background(std::chrono::milliseconds(1500));
  ASSERT_EQ(runner_.calls.size(), 2u);
  EXPECT_EQ(runner_.calls[1].payload, R"({"n":1})");
  EXPECT_EQ(runner_.calls[1].request_id, runner_.calls[0].request_id);
  EXPECT_EQ(service_->events().waiting(), 0u);
}

// ---- resource types, over an ApiClient that records
class RecordingApi final : public aws::ApiClient {
 public:
  awaitable<boost::json::value> call_json(aws::CallContext, std::string_view, std::string_view operation, boost::json::value input) override {
    calls.emplace_back(std::string(operation), input.as_object());
    if (operation == "CreateFunction" && conflict) throw lambda::error(kResourceConflict, "Function already exist");
    if (operation == "ListTags") co_return boost::json::object{{"Tags", tags}};
    co_return boost::json::object{};
  }
  awaitable<std::shared_ptr<void>> invoke(aws::CallContext, const aws::OperationModel&, std::shared_ptr<void>) override { co_return nullptr; }
  std::vector<std::pair<std::string, boost::json::object>> calls;
  boost::json::object tags;
  bool conflict = false;
};

class Resource : public Lambda {
 protected:
  Resource() { add_resource_types(types_, api_); }
  static awaitable<> made(aws::ResourceType* type, aws::ResourceRequest request, aws::ResourceResult& out) {
    out = co_await type->create(std::move(request));
  }
  static awaitable<> updated(aws::ResourceType* type, aws::ResourceRequest request) { co_await type->update(std::move(request)); }
  static aws::ResourceRequest request() {
    aws::ResourceRequest out;
    out.call.scope = {"123456789012", "us-east-1"};
    out.stack_id = "arn:stack";
    out.stack_name = "travel";
    out.logical_id = "Hello";
    out.token = "0123456789abcdef0123456789abcdef";
    out.properties = {{"FunctionName", "hello"}, {"Runtime", "nodejs22.x"}, {"Handler", "index.handler"}, {"Role", "r"},
                      {"Timeout", "10"}, {"Code", {{"LocalDir", "/src"}}}, {"Environment", {{"Variables", {{"N", 1}}}}}};
    return out;
  }
  RecordingApi api_;
  aws::ResourceTypes types_;
};

TEST_F(Resource, FunctionIsMadeFromProperties) {
  aws::ResourceResult result;
  wait(made(types_.find("AWS::Lambda::Function"), request(), result));
  EXPECT_EQ(result.physical_id, "hello");
  EXPECT_EQ(result.attributes.at("Arn"), "arn:aws:lambda:us-east-1:123456789012:function:hello");
  ASSERT_FALSE(api_.calls.empty());
  const boost::json::object& input = api_.calls[0].second;
  EXPECT_EQ(input.at("Timeout"), 10);
  EXPECT_EQ(std::string_view(input.at("Code").at("S3Bucket").as_string()), kLocalBucket);
  EXPECT_EQ(input.at("Environment").at("Variables").at("N"), "1");
  EXPECT_EQ(input.at("Tags").at("aws:cloudformation:logical-id"), "Hello");
}

TEST_F(Resource, ARepeatedStepTakesTheFunctionItMade) {
  api_.conflict = true;
  aws::ResourceResult result;
  EXPECT_THROW(wait(made(types_.find("AWS::Lambda::Function"), request(), result)), aws::ApiError);
  api_.tags = {{"aws:cloudformation:stack-id", "arn:stack"}, {"aws:cloudformation:logical-id", "Hello"}};
  wait(made(types_.find("AWS::Lambda::Function"), request(), result));
  EXPECT_EQ(result.physical_id, "hello");
}

TEST_F(Resource, UpdateCallsOnlyWhatChanged) {
  aws::ResourceRequest change = request();
  change.physical_id = "hello";
  change.old_properties = change.properties;
  change.properties["Code"] = boost::json::object{{"LocalDir", "/new"}};
  wait(updated(types_.find("AWS::Lambda::Function"), change));
  ASSERT_EQ(api_.calls.size(), 2u);
  EXPECT_EQ(api_.calls[0].first, "UpdateFunctionCode");
  EXPECT_EQ(api_.calls[1].first, "GetFunctionConcurrency");
}

}  // namespace
}  // namespace parvis::lambda
