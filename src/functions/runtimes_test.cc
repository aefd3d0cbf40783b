// Python functions and bootstraps, with real processes. PARVIS_TEST_PYTHON: an interpreter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "functions/engine_fixture.h"

namespace parvis::functions {
namespace {

using testing::HasSubstr;

// A bootstrap in Python's standard library alone. `answer(call)` is the test's: call has id, event, headers.
constexpr std::string_view kBootstrap = R"(#!/usr/bin/python3
import http.client, json, os
api = os.environ['AWS_LAMBDA_RUNTIME_API']
def request(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(api)
    connection.request(method, '/2018-06-01/runtime/' + path, body, headers)
    got = connection.getresponse()
    return got.status, got.read().decode(), got.headers
def post(path, body, headers={}): return request('POST', path, body, headers)
def garbage(sent):
    import socket
    with socket.create_connection(api.split(':')) as raw:
        raw.sendall(sent)
        got = http.client.HTTPResponse(raw)
        got.begin()
        body = got.read().decode()
        return got.status, body if body.startswith('{') else '', got.headers
CODE
while True:
    status, body, headers = request('GET', 'invocation/next')
    handle(headers['Lambda-Runtime-Aws-Request-Id'], body, headers)
)";

struct RuntimesTest : EngineTest {
  RuntimesTest() {
    options.node_path = "/nowhere/node";
    options.node_sdk_dir.clear();
    options.python_path = PARVIS_TEST_PYTHON;
    options.on_log_line = {};
    start();
  }
  std::shared_ptr<FunctionSpec> make(const std::string& runtime, const std::string& file, const std::string& code) {
    auto spec = function(code, file);
    fs::permissions(fs::path(spec->code_dir) / file, fs::perms(0755));
    spec->runtime = runtime;
    spec->handler = "app.handler";
    return spec;
  }
  std::shared_ptr<FunctionSpec> python(const std::string& code) { return make("python3.12", "app.py", code); }
  std::shared_ptr<FunctionSpec> bootstrap(const std::string& code) {
    std::string text(kBootstrap);
    text.replace(text.find("CODE"), 4, code);
    return make("provided.al2023", "bootstrap", text);
  }
  InvocationResult call(std::shared_ptr<const FunctionSpec> spec, std::string payload = "{}") {
    Invocation what{.request_id = "req-" + std::to_string(++calls), .payload = std::move(payload), .trace_header = "Root=1-2-3",
                    .function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:greet", .client_context = R"({"custom":{"a":"b"}})"};
    return asio::co_spawn(context, engine->invoke(std::move(spec), std::move(what)), asio::use_future).get();
  }
};

struct FailureCase {
  const char* name;
  const char* code;
  Outcome outcome;
  const char* type;
  const char* message;
};

struct PythonFailures : RuntimesTest, testing::WithParamInterface<FailureCase> {};
TEST_P(PythonFailures, HaveTheRuntimesShape) {
  const InvocationResult result = call(python(GetParam().code));
  EXPECT_EQ(result.outcome, GetParam().outcome) << result.payload;
  const auto got = boost::json::parse(result.payload);
  EXPECT_EQ(got.at("errorType"), GetParam().type) << result.payload;
  EXPECT_THAT(std::string(got.at("errorMessage").as_string()), HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(Python, PythonFailures, testing::Values(
    FailureCase{"raises", "def handler(e, c): raise ValueError('bad')", Outcome::kFunctionError, "ValueError", "bad"},
    FailureCase{"exits", "import sys\ndef handler(e, c): sys.exit(3)", Outcome::kCrashed, "Runtime.ExitError", "exit status 3"},
    FailureCase{"segfaults", "import ctypes\ndef handler(e, c): ctypes.string_at(0)", Outcome::kCrashed, "Runtime.ExitError", "signal: segmentation fault"},
    FailureCase{"not_json", "def handler(e, c): return {1, 2}", Outcome::kFunctionError, "Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON serializable"},
    FailureCase{"too_large", "def handler(e, c): return 'x' * 7000000", Outcome::kFunctionError, "Function.ResponseSizeTooLarge", "6291556"},
    FailureCase{"missing_import", "import no_such_module", Outcome::kInitError, "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'no_such_module'"},
    FailureCase{"syntax_error", "def handler(:", Outcome::kInitError, "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"},
    FailureCase{"no_handler", "x = 1", Outcome::kInitError, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"},
    FailureCase{"init_raises", "raise KeyError('gone')", Outcome::kInitError, "KeyError", "gone"}),
    [](const auto& info) { return info.param.name; });

TEST_F(RuntimesTest, PythonHasContextEnvironmentAndLog) {
  auto spec = python(R"(
import logging, os
print('loading')
log = logging.getLogger(); log.setLevel('INFO')
def handler(event, context):
    print('one'); log.info('two\nlines')
    return {'id': context.aws_request_id, 'arn': context.invoked_function_arn, 'left': context.get_remaining_time_in_millis() > 1000,
            'custom': context.client_context.custom, 'trace': os.environ['_X_AMZN_TRACE_ID'], 'table': os.environ['TABLE'], 'event': event['n'], 'home': os.environ.get('HOME', os.environ['TMPDIR']) == os.environ['TMPDIR']}
)");
  spec->environment = {{"TABLE", "trips"}};
  const InvocationResult result = call(spec, R"({"n":"ü"})");
  EXPECT_EQ(result.payload, R"({"id": "req-1", "arn": "arn:aws:lambda:eu-central-1:000000000000:function:greet", "left": true, "custom": {"a": "b"}, "trace": "Root=1-2-3", "table": "trips", "event": "ü", "home": true})");
  EXPECT_THAT(result.log, testing::ContainsRegex("^loading\nSTART RequestId: req-1 Version: \\$LATEST\none\n\\[INFO\\]\t20[^\t]+Z\treq-1\ttwo\nlines\nEND RequestId: req-1\nREPORT "));
  EXPECT_EQ(call(spec, R"({"n":1})").cold, false);
}

// A layer's packages are found by a worker that was there before its function, unless libraries have to be found by its start.
TEST_F(RuntimesTest, LayersNeedNoColdStart) {
  fs::create_directories(folder / "layer/python");
  std::ofstream(folder / "layer/python/shared.py") << "VALUE = 7\n";
  const auto with_layer = [&] {
    auto spec = python("import os, shared\ndef handler(e, c): return [shared.VALUE, open('/proc/self/cmdline').read().split('\\0')[-2][:9]]");
    spec->layers_dir = folder / "layer";
    spec->environment = {{"PYTHONPATH", spec->layers_dir + "/python"}, {"LD_LIBRARY_PATH", spec->code_dir + ":" + spec->code_dir + "/lib:" + spec->layers_dir + "/lib"}};
    return spec;
  };
  EXPECT_EQ(call(with_layer()).payload, R"([7, "import os"])");  // forked: the command line of the prepared interpreter
  fs::create_directories(folder / "layer/lib");
  EXPECT_THAT(call(with_layer()).payload, HasSubstr("[7, \"/"));
}

TEST_F(RuntimesTest, ABootstrapGetsTheDocumentedHeaders) {
  const InvocationResult result = call(bootstrap(R"(
import time
def handle(id, body, headers):
    print('working', flush=True)
    post(f'invocation/{id}/response', json.dumps({'event': json.loads(body), 'arn': headers['Lambda-Runtime-Invoked-Function-Arn'], 'trace': headers['Lambda-Runtime-Trace-Id'],
      'left': 10000 < int(headers['Lambda-Runtime-Deadline-Ms']) - time.time() * 1000 <= 20000, 'context': headers['Lambda-Runtime-Client-Context'], 'task': os.getcwd() == os.environ['LAMBDA_TASK_ROOT']}))
)"), "[1]");
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.payload << result.log;
  EXPECT_EQ(result.payload, R"({"event": [1], "arn": "arn:aws:lambda:eu-central-1:000000000000:function:greet", "trace": "Root=1-2-3", "left": true, "context": "{\"custom\":{\"a\":\"b\"}}", "task": true})");
  EXPECT_THAT(result.log, HasSubstr("START RequestId: req-1 Version: $LATEST\nworking\nEND"));
}

struct ApiCase {
  const char* name;
  const char* act;   // an expression whose value (status, body, headers) is answered
  const char* want;
};
struct RuntimeApiAbuse : RuntimesTest, testing::WithParamInterface<ApiCase> {};
TEST_P(RuntimeApiAbuse, IsRefusedAndTheCallGoesOn) {
  const auto spec = bootstrap(std::string("def handle(id, body, headers):\n    got = ") + GetParam().act + "\n    post(f'invocation/{id}/response', json.dumps([got[0], json.loads(got[1] or '{}').get('errorType')]))\n");
  const InvocationResult first = call(spec);
  EXPECT_EQ(first.payload, GetParam().want) << first.log;
  EXPECT_EQ(call(spec).payload, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Calls, RuntimeApiAbuse, testing::Values(
    ApiCase{"foreign_id", "post('invocation/other/response', '1')", R"([400, "InvalidRequestID"])"},
    ApiCase{"foreign_error", "post('invocation/other/error', '{}')", R"([400, "InvalidRequestID"])"},
    ApiCase{"next_while_open", "request('GET', 'invocation/next')", R"([403, "InvalidStateTransition"])"},
    ApiCase{"late_init_error", "post('init/error', '{}')", R"([403, "InvalidStateTransition"])"},
    ApiCase{"unknown_path", "post('invocation/x/else', '')", "[404, null]"},
    ApiCase{"foreign_id_of_the_same_length", "post(f'invocation/{id[:-1]}x/response', '1')", R"([400, "InvalidRequestID"])"},
    ApiCase{"id_in_another_case", "post(f'invocation/{id.upper()}/response', '1')", R"([400, "InvalidRequestID"])"},
    ApiCase{"empty_id", "post('invocation//response', '1')", R"([400, "InvalidRequestID"])"},
    ApiCase{"id_and_more", "post(f'invocation/{id}/response/x', '1')", "[404, null]"},
    ApiCase{"extra_error_of_a_foreign_call", "post('invocation/other/error', 'no json', {'Lambda-Runtime-Function-Error-Type': 'x' * 5000})", R"([400, "InvalidRequestID"])"},
    ApiCase{"another_version", "garbage(b'GET /2019-01-01/runtime/invocation/next HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')", R"([404, "NotFound"])"},
    ApiCase{"no_http", "garbage(b'\\0\\1\\2garbage\\r\\n\\r\\n')", "[400, null]"},
    ApiCase{"two_lengths", "garbage(b'POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nContent-Length: 1\\r\\nContent-Length: 2\\r\\n\\r\\nxx')", "[400, null]"},
    ApiCase{"next_by_post", "post('invocation/next', '')", "[405, null]"},
    ApiCase{"wrong_method", "request('GET', f'invocation/{id}/response')", "[405, null]"}),
    [](const auto& info) { return info.param.name; });

TEST_F(RuntimesTest, ASecondAnswerIsRefused) {
  const auto spec = bootstrap("def handle(id, body, headers):\n    post(f'invocation/{id}/response', '1')\n    print(post(f'invocation/{id}/response', '2')[0], flush=True)\n");
  EXPECT_EQ(call(spec).payload, "1");
  const InvocationResult second = call(spec);
  EXPECT_EQ(second.payload, "1");
  EXPECT_THAT(second.log, HasSubstr("400\n"));
}

TEST_F(RuntimesTest, OneThatEndsAfterItsAnswerIsReplacedBeforeTheNextCall) {
  const auto spec = bootstrap("import time\ndef handle(id, body, headers):\n    post(f'invocation/{id}/response', str(os.getpid()))\n    time.sleep(0.05)\n    os._exit(1)\n");
  for (int i = 0; i < 3; ++i) {
    const InvocationResult result = call(spec);
    EXPECT_EQ(result.outcome, Outcome::kOk) << result.payload;
    EXPECT_TRUE(result.cold);
  }
}

struct BootstrapFailures : RuntimesTest, testing::WithParamInterface<FailureCase> {};
TEST_P(BootstrapFailures, HaveTheRuntimesShape) {
  const auto spec = bootstrap(GetParam().code);
  const InvocationResult result = call(spec);
  EXPECT_EQ(result.outcome, GetParam().outcome) << result.payload;
  const auto got = boost::json::parse(result.payload);
  EXPECT_EQ(got.at("errorType"), GetParam().type) << result.payload;
  EXPECT_THAT(std::string(got.at("errorMessage").as_string()), HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(Bootstrap, BootstrapFailures, testing::Values(
    FailureCase{"error", "def handle(id, body, headers): post(f'invocation/{id}/error', json.dumps({'errorType': 'My.Error', 'errorMessage': 'no'}))", Outcome::kFunctionError, "My.Error", "no"},
    FailureCase{"error_is_no_json", "def handle(id, body, headers): post(f'invocation/{id}/error', 'oops', {'Lambda-Runtime-Function-Error-Type': 'My.Type'})", Outcome::kFunctionError, "My.Type", "oops"},
    FailureCase{"init_error", "post('init/error', json.dumps({'errorType': 'My.Init', 'errorMessage': 'early'}))", Outcome::kInitError, "My.Init", "early"},
    FailureCase{"exits", "def handle(id, body, headers): os._exit(7)", Outcome::kCrashed, "Runtime.ExitError", "exit status 7"},
    FailureCase{"exits_at_start", "os._exit(5)", Outcome::kInitError, "Runtime.ExitError", "exit status 5"},
    FailureCase{"too_large", "def handle(id, body, headers): post(f'invocation/{id}/response', json.dumps('x' * 7000000))", Outcome::kFunctionError, "Function.ResponseSizeTooLarge", "6291556"}),
    [](const auto& info) { return info.param.name; });

TEST_F(RuntimesTest, ABootstrapStreams) {
  const auto spec = bootstrap(R"(
def handle(id, body, headers):
    connection = http.client.HTTPConnection(api)
    connection.request('POST', f'/2018-06-01/runtime/invocation/{id}/response', iter([b'one ', b'two']),
      {'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Content-Type': 'text/plain'}, encode_chunked=True)
    connection.getresponse().read()
)");
  EXPECT_EQ(call(spec).payload, "one two");
}

TEST_F(RuntimesTest, AMissingBootstrapIsNamed) {
  const InvocationResult result = call(make("provided.al2", "other", ""));
  EXPECT_EQ(result.outcome, Outcome::kInitError);
  EXPECT_THAT(result.payload, HasSubstr("Runtime.InvalidEntrypoint"));
  EXPECT_THAT(result.payload, HasSubstr("Couldn't find valid bootstrap(s)"));
}

}  // namespace
}  // namespace parvis::functions
