// Calls, and what functions may do wrong. What is kept without a call: keep_test.cc.
#include "functions/engine_fixture.h"
#include "functions/bundle.h"

#include <gmock/gmock.h>

#include <boost/asio/steady_timer.hpp>

namespace parvis::functions {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST_F(EngineTest, FirstCallIsColdAndTheSecondWarm) {
  const auto spec = function("let n = 0; exports.handler = async (event) => ({ hello: event.name, n: ++n });");
  const InvocationResult first = call(spec, R"({"name":"Zoë"})");
  EXPECT_EQ(first.outcome, Outcome::kOk);
  EXPECT_EQ(first.payload, "{\"hello\":\"Zoë\",\"n\":1}");
  EXPECT_TRUE(first.cold);
  EXPECT_GT(first.init.count(), 0);
  EXPECT_GT(first.memory_peak_bytes, 10u << 20);
  const InvocationResult second = call(spec, R"({"name":"b"})");
  EXPECT_EQ(second.payload, R"({"hello":"b","n":2})");
  EXPECT_FALSE(second.cold);
  EXPECT_THAT(second.log, ContainsRegex("^START RequestId: req-2 Version: \\$LATEST\nEND RequestId: req-2\nREPORT RequestId: req-2\tDuration: [0-9.]+ ms\t"
                                        "Billed Duration: [0-9]+ ms\tMemory Size: 128 MB\tMax Memory Used: [0-9]+ MB\t\n$"));
}

TEST_F(EngineTest, ContextIsComplete) {
  const auto spec = function(R"(exports.handler = (event, context, callback) => {
    callback(null, { id: context.awsRequestId, name: context.functionName, version: context.functionVersion, memory: context.memoryLimitInMB,
      arn: context.invokedFunctionArn, group: context.logGroupName, stream: context.logStreamName, waits: context.callbackWaitsForEmptyEventLoop,
      left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, cwd: process.cwd() }); };)");
  const auto got = boost::json::parse(call(spec).payload);
  EXPECT_EQ(got.at("id"), "req-1");
  EXPECT_EQ(got.at("name"), "greet");
  EXPECT_EQ(got.at("version"), "$LATEST");
  EXPECT_EQ(got.at("memory"), "128");
  EXPECT_EQ(got.at("arn"), "arn:aws:lambda:eu-central-1:000000000000:function:greet");
  EXPECT_EQ(got.at("group"), "/aws/lambda/greet");
  EXPECT_THAT(std::string(got.at("stream").as_string()), ContainsRegex("^[0-9/]+\\[\\$LATEST\\][0-9a-f]+$"));
  EXPECT_EQ(got.at("waits"), true);
  EXPECT_GT(got.at("left").to_number<int>(), 15'000);
  EXPECT_LE(got.at("left").to_number<int>(), 20'000);
  EXPECT_EQ(got.at("trace"), "Root=1-2-3");
  EXPECT_EQ(got.at("cwd").as_string(), boost::json::string_view(code_dir_seen_by(*spec)));
}

TEST_F(EngineTest, CallsRunConcurrentlyInWorkersOfTheirOwn) {
  options.workers_max = 3;
  const auto spec = function("const id = require('crypto').randomUUID(); exports.handler = async () => { await new Promise((r) => setTimeout(r, 300)); return id; };");
  std::vector<std::future<InvocationResult>> open;
  for (int i = 0; i < 6; ++i) open.push_back(begin(spec));
  std::set<std::string> environments;
  for (auto& one : open) environments.insert(one.get().payload);
  EXPECT_GE(environments.size(), 2u);
  EXPECT_LE(environments.size(), 3u);
  EXPECT_LE(engine->stats().workers, 3u);
  EXPECT_EQ(engine->stats().invocations, 6u);
}

TEST_F(EngineTest, WaitingCallsAreBounded) {
  options.workers_max = 1;
  options.queue_max = 2;
  const auto spec = function("exports.handler = async () => { await new Promise((r) => setTimeout(r, 200)); return 1; };");
  std::vector<std::future<InvocationResult>> open;
  for (int i = 0; i < 8; ++i) open.push_back(begin(spec));
  int throttled = 0;
  for (auto& one : open) throttled += one.get().outcome == Outcome::kThrottled;
  EXPECT_GE(throttled, 5);
  EXPECT_LE(throttled, 6);
}

TEST_F(EngineTest, TimeoutEndsTheWorkerAndItsChildren) {
  auto spec = function("exports.handler = async (e) => { if (e.fast) return 1; require('child_process').spawn('sleep', ['1000']); for (;;) {} };");
  spec->timeout = 300ms;
  const InvocationResult result = begin(spec, "{}", "slow").get();
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_EQ(result.payload, R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: slow Error: Task timed out after 0.30 seconds"})");
  EXPECT_THAT(result.log, HasSubstr("Z slow Task timed out after 0.30 seconds\n\nEND RequestId: slow\n"));
  EXPECT_THAT(result.log, HasSubstr("Status: timeout"));
  EXPECT_EQ(call(spec, R"({"fast":1})").payload, "1");
}

struct FailureCase {
  const char* name;
  const char* code;
  Outcome outcome;
  const char* type;
  const char* message;
};
struct Failures : EngineTest, testing::WithParamInterface<FailureCase> {};
TEST_P(Failures, HaveTheRuntimesShape) {
  if (options.sandbox && std::string_view(GetParam().name) == "kills_itself") GTEST_SKIP() << "process 1 of a namespace cannot kill itself";
  const auto spec = function(GetParam().code);
  const InvocationResult result = call(spec);
  EXPECT_EQ(result.outcome, GetParam().outcome) << result.payload;
  EXPECT_EQ(field(result, "errorType"), GetParam().type) << result.payload;
  EXPECT_THAT(field(result, "errorMessage"), HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(Node, Failures, testing::Values(
    FailureCase{"throws", "exports.handler = async () => { throw new TypeError('bad'); };", Outcome::kFunctionError, "TypeError", "bad"},
    FailureCase{"throws_at_once", "exports.handler = () => { throw new RangeError('far'); };", Outcome::kFunctionError, "RangeError", "far"},
    FailureCase{"callback_error", "exports.handler = (e, c, cb) => cb(new Error('no'));", Outcome::kFunctionError, "Error", "no"},
    FailureCase{"rejects_with_text", "exports.handler = async () => { throw 'plain'; };", Outcome::kFunctionError, "string", "plain"},
    FailureCase{"unhandled_rejection", "exports.handler = () => { Promise.reject(new Error('lost')); };", Outcome::kFunctionError, "Runtime.UnhandledPromiseRejection", "Error: lost"},
    FailureCase{"uncaught", "exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('later'); }, 5));", Outcome::kFunctionError, "Error", "later"},
    FailureCase{"never_settles", "exports.handler = async () => { await new Promise(() => {}); };", Outcome::kFunctionError, "Runtime.NodeJsExit", "never settled"},
    FailureCase{"exits", "exports.handler = () => process.exit(3);", Outcome::kCrashed, "Runtime.ExitError", "Runtime exited with error: exit status 3"},
    FailureCase{"kills_itself", "exports.handler = () => process.kill(process.pid, 'SIGKILL');", Outcome::kCrashed, "Runtime.ExitError", "signal: killed"},
    FailureCase{"circular", "exports.handler = async () => { const a = {}; a.a = a; return a; };", Outcome::kFunctionError, "Error", "Unable to stringify response body"},
    FailureCase{"garbage", "exports.handler = async () => { require('fs').writeSync(4, Buffer.alloc(64, 255)); await new Promise((r) => setTimeout(r, 5000)); };", Outcome::kCrashed, "Runtime.ExitError", "invalid message"},
    FailureCase{"writes_where_it_reads", "exports.handler = async () => { require('fs').writeSync(3, Buffer.alloc(64, 255)); };", Outcome::kFunctionError, "Error", "EPIPE"},
    FailureCase{"too_large", "exports.handler = async () => 'x'.repeat(7 << 20);", Outcome::kFunctionError, "Function.ResponseSizeTooLarge", "6291556"},
    FailureCase{"missing_import", "require('no-such-package'); exports.handler = async () => 1;", Outcome::kInitError, "Runtime.ImportModuleError", "Error: Cannot find module 'no-such-package'"},
    FailureCase{"syntax_error", "exports.handler = async () => {{{;", Outcome::kInitError, "Runtime.UserCodeSyntaxError", "SyntaxError: "},
    FailureCase{"no_handler", "exports.other = 1;", Outcome::kInitError, "Runtime.HandlerNotFound", "index.handler is undefined or not exported"},
    FailureCase{"init_throws", "throw new Error('at start');", Outcome::kInitError, "Error", "at start"},
    FailureCase{"init_exits", "process.exit(4);", Outcome::kInitError, "Runtime.ExitError", "exit status 4"},
    FailureCase{"streaming_without_promise", "exports.handler = awslambda.streamifyResponse(() => 1);", Outcome::kFunctionError, "Error", "non-async"}),
    [](const auto& info) { return info.param.name; });

// Remembers what it gets; throws at the write that is told.
struct RecordingSink : ResponseSink {
  awaitable<> begin(StreamHead given) override {
    head = std::move(given);
    ++begins;
    co_return;
  }
  awaitable<> write(std::string bytes) override {
    if (++writes == throw_at) throw std::runtime_error("the client is gone");
    if (delay.count() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor, delay);
      co_await timer.async_wait(use_awaitable);
    }
    body += bytes;
  }
  StreamHead head;
  std::string body;
  int begins = 0, writes = 0, throw_at = 0;
  std::chrono::milliseconds delay{0};
};

struct StreamCase {
  const char* name;
  const char* code;  // of an async function (event, stream)
  bool has_prelude;
  std::string type, prelude, body;
  Outcome outcome;
  const char* error;
};
struct Streams : EngineTest, testing::WithParamInterface<StreamCase> {};
TEST_P(Streams, ReachTheSink) {
  const auto spec = function("exports.handler = awslambda.streamifyResponse(async (event, stream) => {" + std::string(GetParam().code) + "});");
  RecordingSink sink;
  const InvocationResult result = stream(spec, sink);
  EXPECT_EQ(result.outcome, GetParam().outcome) << result.payload;
  EXPECT_THAT(result.payload, HasSubstr(GetParam().error));
  EXPECT_EQ(sink.begins, result.streamed ? 1 : 0);
  EXPECT_EQ(sink.head.content_type, GetParam().type);
  EXPECT_EQ(sink.head.has_prelude, GetParam().has_prelude);
  EXPECT_EQ(sink.head.prelude, GetParam().prelude);
  EXPECT_EQ(sink.body, GetParam().body);
  EXPECT_THAT(result.log, HasSubstr("REPORT RequestId: req-1"));
  EXPECT_EQ(call(function("exports.handler = async () => 1;")).payload, "1");
}
INSTANTIATE_TEST_SUITE_P(Node, Streams, testing::Values(
    StreamCase{"plain", "stream.setContentType('text/plain'); stream.write('one '); await new Promise((r) => setTimeout(r, 20)); stream.write(Buffer.from('two')); stream.end();",
               false, "text/plain", "", "one two", Outcome::kOk, ""},
    StreamCase{"prelude", "const s = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } }); s.write('hi'); s.end();",
               true, "application/vnd.awslambda.http-integration-response", R"({"statusCode":201,"headers":{"a":"b"}})", "hi", Outcome::kOk, ""},
    StreamCase{"prelude_without_body", "awslambda.HttpResponseStream.from(stream, { statusCode: 204 }).end();",
               true, "application/vnd.awslambda.http-integration-response", R"({"statusCode":204})", "", Outcome::kOk, ""},
    StreamCase{"pipeline", "await require('stream/promises').pipeline(require('stream').Readable.from(['a', 'b', 'c']), stream);",
               false, "application/octet-stream", "", "abc", Outcome::kOk, ""},
    StreamCase{"empty", "stream.end();", false, "application/octet-stream", "", "", Outcome::kOk, ""},
    StreamCase{"error_mid_stream", "stream.write('part'); await new Promise((r) => setTimeout(r, 20)); throw new TypeError('broke');",
               false, "application/octet-stream", "", "part", Outcome::kFunctionError, R"({"errorType":"TypeError","errorMessage":"broke")"},
    StreamCase{"error_before", "throw new TypeError('never');", false, "", "", "", Outcome::kFunctionError, "never"},
    StreamCase{"exit_mid_stream", "stream.write('part'); await new Promise((r) => setTimeout(r, 20)); process.exit(3);",
               false, "application/octet-stream", "", "part", Outcome::kCrashed, "exit status 3"},
    StreamCase{"late_content_type", "stream.write('a'); await 1; stream.setContentType('x/y');",
               false, "application/octet-stream", "", "a", Outcome::kFunctionError, "Runtime.InvalidStreamingOperation"},
    StreamCase{"never_ended", "stream.write('a');", false, "application/octet-stream", "", "a", Outcome::kFunctionError, "Runtime.NodeJsExit"}),
    [](const auto& info) { return info.param.name; });

TEST_F(EngineTest, ASlowSinkSlowsTheFunction) {
  const auto spec = function("exports.handler = awslambda.streamifyResponse(async (event, stream) => { for (let i = 0; i < 80; ++i) stream.write(Buffer.alloc(64 << 10, 97)); stream.end(); });");
  RecordingSink sink;
  sink.delay = 2ms;
  EXPECT_EQ(stream(spec, sink).outcome, Outcome::kOk);
  EXPECT_EQ(sink.body.size(), 80u * (64u << 10));
}

TEST_F(EngineTest, AGoneClientDoesNotStopTheFunction) {
  const auto spec = function("exports.handler = awslambda.streamifyResponse(async (event, stream) => { for (let i = 0; i < 40; ++i) stream.write(Buffer.alloc(64 << 10)); console.log('to the end'); stream.end(); });");
  RecordingSink sink;
  sink.throw_at = 1;
  const InvocationResult result = stream(spec, sink);
  EXPECT_EQ(result.outcome, Outcome::kOk);
  EXPECT_THAT(result.log, HasSubstr("to the end"));
}

TEST_F(EngineTest, BufferedAndStreamedCallsMeet) {
  RecordingSink sink;
  EXPECT_EQ(stream(function("exports.handler = async () => ({ a: 1 });"), sink).payload, "");
  EXPECT_EQ(sink.body, R"({"a":1})");
  EXPECT_FALSE(sink.head.streamed);
  const auto spec = function("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'.repeat(event.n)); stream.end('y'); });");
  EXPECT_EQ(call(spec, R"({"n":2})").payload, "xxy");
  EXPECT_EQ(field(call(spec, R"({"n":7000000})"), "errorType"), "Function.ResponseSizeTooLarge");
  EXPECT_EQ(call(spec, R"({"n":2})").payload, "xxy");
}

TEST_F(EngineTest, LargestAnswerAndPayloadPass) {
  const auto spec = function("exports.handler = async (e) => e.text;");
  const std::string text(6'000'000, 'y');
  EXPECT_EQ(call(spec, "{\"text\":\"" + text + "\"}").payload, "\"" + text + "\"");
}

TEST_F(EngineTest, LogLinesAreCapturedInOrderAndLive) {
  const auto spec = function(R"(console.log('loading');
    exports.handler = async () => { console.log('one %d', 1); console.error('two\nlines'); process.stdout.write('raw\n');
      require('child_process').execSync('echo child', { stdio: 'inherit' }); process.stderr.write('unfinished'); return 1; };)");
  const InvocationResult result = call(spec);
  EXPECT_THAT(result.log, ContainsRegex("^20[^\t]+Z\tundefined\tINFO\tloading\nSTART RequestId: req-1 Version: \\$LATEST\n20[^\t]+Z\treq-1\tINFO\tone 1\n"
                                        "20[^\t]+Z\treq-1\tERROR\ttwo\nlines\nraw\nchild\nunfinished\nEND RequestId: req-1\nREPORT "));
  const std::lock_guard lock(mutex);
  EXPECT_THAT(live_lines, testing::Contains(HasSubstr("ERROR\ttwo\nlines")));
  EXPECT_THAT(live_lines, testing::Contains("req-1|raw"));
  EXPECT_THAT(live_lines, testing::Contains(HasSubstr("|REPORT RequestId: req-1")));
}

TEST_F(EngineTest, AFloodOfOutputIsBounded) {
  const auto spec = function("exports.handler = async () => { const s = 'x'.repeat(1 << 20) + '\\n'; for (let i = 0; i < 300; ++i) process.stdout.write(s); return 1; };");
  const InvocationResult result = call(spec);
  EXPECT_EQ(result.payload, "1");
  EXPECT_LT(result.log.size(), 2u << 20);
  EXPECT_THAT(result.log.substr(result.log.size() - 1000), HasSubstr("bytes of log dropped"));
  EXPECT_EQ(call(spec).outcome, Outcome::kOk);
}

TEST_F(EngineTest, CallbackWaitsForAnEmptyEventLoopUnlessTold) {
  const auto spec = function(R"(let late = 0; exports.handler = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = event.wait; const answer = { get late() { return late; } };
    setTimeout(() => { late = 1; }, 150); callback(null, answer); };)");
  EXPECT_EQ(call(spec, R"({"wait":false})").payload, R"({"late":0})");
  EXPECT_EQ(call(spec, R"({"wait":true})").payload, R"({"late":1})");
}

TEST_F(EngineTest, NullWhenNothingIsAnswered) {
  EXPECT_EQ(call(function("exports.handler = () => {};")).payload, "null");
}

TEST_F(EngineTest, EcmaScriptModulesAndTheSdk) {
  const auto module = function("import { DynamoDBClient } from '@aws-sdk/client-dynamodb';\nexport const handler = async () => typeof DynamoDBClient;", "index.mjs");
  const InvocationResult first = call(module);
  EXPECT_EQ(first.payload, "\"function\"") << first.log;
  const auto common = function("const { DynamoDBDocumentClient } = require('@aws-sdk/lib-dynamodb'); exports.handler = async () => typeof DynamoDBDocumentClient.from;");
  EXPECT_EQ(call(common).payload, "\"function\"");
  auto typed = function("export const handler = async () => import.meta.filename.length > 0;");
  std::ofstream(fs::path(typed->code_dir) / "package.json") << R"({"type":"module"})";
  EXPECT_EQ(call(typed).payload, "true");
}

TEST_F(EngineTest, BundledTypeScriptHasStacksOfTheSource) {
  const auto spec = function("");
  std::ofstream(fs::path(spec->code_dir) / "app.ts") << "interface E { name: string }\n\nexport const handler = async (e: E): Promise<string> => {\n  throw new Error(`no ${e.name}`);\n};\n";
  BundleOptions bundling;
  bundling.source_dir = spec->code_dir;
  bundling.out_dir = fs::path(spec->code_dir) / "out";
  bundling.entry_points = {"app.ts"};
  ASSERT_EQ(write_files(Esbuild(from_environment("PARVIS_ESBUILD", PARVIS_TEST_ESBUILD)).bundle(bundling), bundling.out_dir), "");
  spec->code_dir = bundling.out_dir;
  spec->handler = "app.handler";
  const InvocationResult result = call(spec, R"({"name":"luck"})");
  EXPECT_EQ(field(result, "errorMessage"), "no luck");
  EXPECT_THAT(result.payload, HasSubstr("app.ts:4:")) << result.payload;
  EXPECT_THAT(result.log, HasSubstr("\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"no luck\",\"stack\":["));
}

TEST_F(EngineTest, EnvironmentHoldsNothingOfTheHost) {
  setenv("HOST_SECRET", "do not leak", 1);
  auto spec = function("exports.handler = async () => process.env;");
  spec->environment = {{"TABLE", "trips"}};
  const InvocationResult result = call(spec);
  EXPECT_THAT(result.payload, Not(HasSubstr("HOST_SECRET")));
  const auto got = boost::json::parse(result.payload);
  if (const auto* home = got.as_object().if_contains("HOME")) EXPECT_EQ(*home, got.at("TMPDIR"));
  EXPECT_EQ(got.at("TABLE"), "trips");
  EXPECT_EQ(got.at("_HANDLER"), "index.handler");
  EXPECT_EQ(got.at("AWS_LAMBDA_FUNCTION_NAME"), "greet");
  EXPECT_THAT(std::string(got.at("TMPDIR").as_string()), HasSubstr(options.sandbox ? "/tmp" : "/scratch/worker-"));
}

TEST_F(EngineTest, StartUpVariablesOfNodeBootCold) {
  auto spec = function("exports.handler = async () => process.execArgv.length + typeof gc;");
  spec->environment = {{"NODE_OPTIONS", "--expose-gc"}};
  EXPECT_EQ(call(spec).payload, "\"0function\"");
}

TEST_F(EngineTest, RetiredWorkersEnd) {
  const auto spec = function("exports.handler = async () => process.pid;");
  call(spec);
  EXPECT_EQ(engine->stats().workers, 1u);
  engine->retire(spec->key);
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 0; }));
}

TEST_F(EngineTest, RetiredBusyWorkersFinishTheirCall) {
  const auto spec = function("exports.handler = async () => { await new Promise((r) => setTimeout(r, 300)); return 1; };");
  auto open = begin(spec);
  ASSERT_TRUE(eventually([&] { return engine->stats().busy == 1; }));
  engine->retire(spec->key);
  EXPECT_EQ(open.get().payload, "1");
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 0; }));
}

TEST_F(EngineTest, IdleWorkersAreReapedToZero) {
  options.idle_timeout = 100ms;
  call(function("exports.handler = async () => 1;"));
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 0; }));
}

TEST_F(EngineTest, PreparedFunctionsAreLoadedBeforeTheirFirstCall) {
  const auto spec = function("exports.handler = async () => 1;");
  start().prepare(*spec, true);
  ASSERT_TRUE(eventually([&] { return engine->stats().cold_starts == 1; }));
  EXPECT_EQ(call(spec).payload, "1");
  EXPECT_EQ(engine->stats().cold_starts, 1u);
}

TEST_F(EngineTest, MissingInterpreterAndForeignRuntimesAreNamed) {
  options.node_path = "/nowhere/node";
  auto spec = function("exports.handler = async () => 1;");
  InvocationResult result = call(spec);
  EXPECT_EQ(result.outcome, Outcome::kInitError);
  EXPECT_THAT(field(result, "errorMessage"), HasSubstr("'/nowhere/node' cannot be run: No such file"));
  for (const auto& [runtime, part] : {std::pair{"python3.12", "install python3"}, std::pair{"java21", "install a JDK"}, std::pair{"ruby3.3", "ruby3.3 is not supported"}}) {
    spec = function("");
    spec->runtime = runtime;
    result = call(spec);
    EXPECT_EQ(field(result, "errorType"), "Runtime.InvalidRuntime");
    EXPECT_THAT(field(result, "errorMessage"), HasSubstr(part));
  }
}

TEST_F(EngineTest, AMemoryHogIsEndedAndOthersGoOn) {
  auto spec = function("exports.handler = async (e) => { if (e.ok) return 1; const held = []; for (;;) { held.push(Buffer.alloc(4 << 20, 1)); await new Promise((r) => setTimeout(r, 2)); } };");
  const InvocationResult result = call(spec);
  EXPECT_EQ(result.outcome, Outcome::kCrashed);
  EXPECT_EQ(field(result, "errorType"), "Runtime.OutOfMemory") << result.payload;
  EXPECT_THAT(result.log, HasSubstr("Error Type: Runtime.OutOfMemory"));
  EXPECT_EQ(call(spec, R"({"ok":1})").payload, "1");
}

TEST_F(EngineTest, ListenersOfSigtermRunBeforeTheEnd) {
  if (options.sandbox) GTEST_SKIP() << "what a function writes in its sandbox cannot be seen from here";
  const auto spec = function("process.on('SIGTERM', () => { require('fs').writeFileSync(__dirname + '/said', 'bye'); process.exit(0); }); exports.handler = async () => __dirname;");
  call(spec);
  engine->retire(spec->key);
  EXPECT_TRUE(eventually([&] { return fs::exists(fs::path(spec->code_dir) / "said"); }));
}

// Under load a worker has its next call before it has answered the last one. That call is not held up, lost, or run twice.
TEST_F(EngineTest, CallsSentAheadFareAsOthersDo) {
  options.workers_max = 2;
  options.ahead_mean_max = 1s;  // however slow the machine is
  const fs::path ran = folder / "ran";
  const auto spec = function("const { appendFileSync } = require('fs'); exports.handler = async (e) => { if (e.warm) return 0;"
                             "console.log('line ' + e.n); appendFileSync('" + ran.string() + "', e.n + '\\n');"
                             "if (e.slow) await new Promise((r) => setTimeout(r, 2000)); if (e.end) process.exit(1); return e.n; };");
  options.sandbox.reset();  // the function writes beside its code
  for (int i = 0; i < 20; ++i) call(spec, R"({"warm":1})");
  for (const char* odd : {"slow", "end"}) {
    const std::uint64_t before = engine->stats().sent_ahead;
    fs::remove(ran);
    std::vector<std::future<InvocationResult>> open;
    for (int i = 0; i < 80; ++i) open.push_back(begin(spec, boost::json::serialize(boost::json::object{{"n", i}, {odd, i == 40}})));
    for (int i = 0; i < 80; ++i) {
      if (i == 40) continue;
      ASSERT_EQ(open[static_cast<std::size_t>(i)].wait_for(1500ms), std::future_status::ready) << odd << " " << i;
      const InvocationResult got = open[static_cast<std::size_t>(i)].get();
      EXPECT_EQ(got.payload, std::to_string(i));
      EXPECT_THAT(got.log, ContainsRegex("^START RequestId: [^\n]*\n[^\n]*line " + std::to_string(i) + "\nEND [^\n]*\nREPORT [^\n]*\n$"));
    }
    EXPECT_EQ(open[40].get().outcome, std::string_view(odd) == "end" ? Outcome::kCrashed : Outcome::kOk);
    EXPECT_GT(engine->stats().sent_ahead, before);
  }
  std::multiset<std::string> lines;
  std::ifstream file(ran);
  for (std::string line; std::getline(file, line);) lines.insert(line);
  for (int i = 0; i < 80; ++i) EXPECT_EQ(lines.count(std::to_string(i)), 1u) << i;
}

// Calls take about as long as it takes until those behind them are taken back, so the worker reads and the engine takes at once.
TEST_F(EngineTest, CallsTakenBackWhileTheyAreReadKeepTheirAnswers) {
  options.workers_max = 2;
  options.ahead_mean_max = 1s;
  const auto spec = function("exports.handler = async (e) => { const end = performance.now() + (e.n % 5) + 2.5; while (performance.now() < end); console.log('line ' + e.n); return e.n; };");
  for (int i = 0; i < 20; ++i) call(spec, R"({"n":0})");
  std::vector<std::future<InvocationResult>> open;
  for (int i = 0; i < 600; ++i) open.push_back(begin(spec, boost::json::serialize(boost::json::object{{"n", i}})));
  for (int i = 0; i < 600; ++i) {
    const InvocationResult got = open[static_cast<std::size_t>(i)].get();
    ASSERT_EQ(got.payload, std::to_string(i));
    ASSERT_THAT(got.log, ContainsRegex("^START RequestId: [^\n]*\n[^\n]*line " + std::to_string(i) + "\nEND [^\n]*\nREPORT [^\n]*\n$"));
  }
  EXPECT_GT(engine->stats().sent_ahead, 100u);
}

TEST_F(EngineTest, VariablesBehaveAsTheProcesssOwn) {
  const auto spec = function(R"(exports.handler = async () => {
    const child = () => require('child_process').execSync('echo $_X_AMZN_TRACE_ID $ADDED').toString().trim();
    process.env.ADDED = 5;
    const first = [process.env.ADDED, child(), 'ADDED' in process.env, Object.keys(process.env).includes('_X_AMZN_TRACE_ID')];
    delete process.env.ADDED;
    Object.defineProperty(process.env, 'ADDED', { value: 'x', configurable: true, writable: true, enumerable: true });
    const second = [process.env.ADDED, { ...process.env }.ADDED];
    delete process.env.ADDED;
    let symbol; try { process.env.ADDED = Symbol('s'); } catch (error) { symbol = error.name; }
    return [...first, ...second, process.env.ADDED ?? null, child(), symbol]; };)");
  EXPECT_EQ(call(spec).payload, R"(["5","Root=1-2-3 5",true,true,"x","x",null,"Root=1-2-3","TypeError"])");
}

TEST_F(EngineTest, CallersOfOtherThreadsShareTheWorkers) {
  const auto spec = function("let n = 0; exports.handler = async (e) => { ++n; return e; };");
  ASSERT_EQ(call(spec, "1").payload, "1");
  asio::io_context second;
  auto keep = asio::make_work_guard(second);
  std::thread other([&] { second.run(); });
  std::atomic<int> wrong{0}, done{0};
  const auto caller = [&](asio::io_context& where) {
    asio::co_spawn(where, [](EngineTest& test, std::shared_ptr<FunctionSpec> what, std::atomic<int>& bad) -> awaitable<> {
      for (int i = 0; i < 200; ++i) {
        Invocation one{.request_id = std::to_string(i), .payload = std::to_string(i), .trace_header = {}, .function_arn = {}, .client_context = {}};
        const InvocationResult got = co_await test.engine->invoke(what, std::move(one));
        bad += got.payload != std::to_string(i);
      }
    }(*this, spec, wrong), [&](std::exception_ptr) { ++done; });
  };
  for (int i = 0; i < 3; ++i) caller(context), caller(second);
  EXPECT_TRUE(eventually([&] { return done == 6; }));
  EXPECT_EQ(wrong, 0);
  engine->stop();
  // Workers that are at home on the second thread must be gone before its context is.
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 0; }));
  keep.reset();
  second.stop();
  other.join();
}

TEST_F(EngineTest, ASandboxedFunctionSeesLambdasPlacesAndNothingOfTheHost) {
  if (!kThreadSanitizer) options.sandbox = sandboxed();
  if (kThreadSanitizer || !options.sandbox->facilities.namespaces) GTEST_SKIP() << "this host allows no namespaces, or a sanitizer no clone that shares memory";
  std::ofstream(folder / "secret") << "secret";
  const auto spec = function("const fs = require('fs'); exports.handler = async (event) => { let found = []; for (const p of event) { try { fs.readFileSync(p); found.push(p); } catch {} }"
                             " fs.writeFileSync('/tmp/mine', 'x'); return { found, cwd: process.cwd(), root: process.env.LAMBDA_TASK_ROOT, task: fs.readdirSync('/var/task'), pid: process.pid, uid: process.getuid() }; };");
  const auto result = call(spec, boost::json::serialize(boost::json::value{(folder / "secret").string(), "/etc/shadow", "/root/.bashrc", "/var/task/index.js"}));
  EXPECT_EQ(result.payload, R"({"found":["/var/task/index.js"],"cwd":"/var/task","root":"/var/task","task":["index.js"],"pid":1,"uid":993})") << result.log;
}

TEST_F(EngineTest, ASandboxedFunctionThatTakesTooMuchMemoryIsEnded) {
  if (!kThreadSanitizer) options.sandbox = sandboxed();
  if (kThreadSanitizer || options.sandbox->facilities.cgroups.memory.empty()) GTEST_SKIP() << "no memory group here, or a sanitizer allows no clone that shares memory";
  auto spec = function("exports.handler = async () => { const all = []; for (;;) all.push(Buffer.alloc(16 << 20, 1)); };");
  const auto result = call(spec);
  EXPECT_EQ(result.outcome, Outcome::kCrashed);
  EXPECT_THAT(result.payload, HasSubstr("Runtime.OutOfMemory"));
}

TEST_F(EngineTest, StopAnswersOpenCalls) {
  const auto spec = function("exports.handler = async () => { await new Promise((r) => setTimeout(r, 20000)); };");
  auto open = begin(spec);
  ASSERT_TRUE(eventually([&] { return engine->stats().busy == 1; }));
  engine->stop();
  ASSERT_EQ(open.wait_for(5s), std::future_status::ready);
  EXPECT_EQ(open.get().outcome, Outcome::kCrashed);
}

}  // namespace
}  // namespace parvis::functions
