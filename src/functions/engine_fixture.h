// functions/engine_fixture.h: an engine with real Node.js workers, for tests: PARVIS_NODE names the interpreter, else the one that
// script/setup installs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "functions/engine.h"
#include "functions/sandbox/facilities.h"

namespace parvis::functions {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

#if __has_feature(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;  // it ends children that share the parent's memory but not its threads
#else
inline constexpr bool kThreadSanitizer = false;
#endif

inline std::string from_environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

struct EngineTest : testing::Test {
  EngineTest() {
    std::string name = (fs::temp_directory_path() / "parvis-engine-XXXXXX").string();
    folder = mkdtemp(name.data());
    options.node_path = from_environment("PARVIS_NODE", PARVIS_TEST_NODE);
    options.node_sdk_dir = PARVIS_TEST_SDK;
    options.scratch_dir = folder / "scratch";
    options.prebooted = 1;
    if (std::getenv("PARVIS_TEST_SANDBOX")) options.sandbox = sandboxed();
    options.on_log_line = [this](const LogLine& printed) {
      const std::string id(printed.request_id), line(printed.line);
      const std::lock_guard lock(mutex);
      live_lines.push_back(id + "|" + line);
    };
  }
  // The same rules hold inside a sandbox: ctest runs this program a second time with PARVIS_TEST_SANDBOX.
  SandboxOptions sandboxed() {
    fs::create_directories(folder / "empty");
    static const sandbox::Facilities host = sandbox::probe((folder / "empty").string());
    return {.facilities = host, .empty_dir = folder / "empty", .shelves = {folder}};
  }
  std::string code_dir_seen_by(const FunctionSpec& spec) const { return options.sandbox && options.sandbox->facilities.namespaces ? "/var/task" : spec.code_dir; }
  ~EngineTest() override {
    if (engine) engine->stop();
    work.reset();
    if (thread.joinable()) thread.join();
    engine.reset();
    fs::remove_all(folder);
  }
  Engine& start() {
    engine = std::make_unique<Engine>(context, clock, entropy, options);
    thread = std::thread([this] { context.run(); });
    return *engine;
  }
  std::shared_ptr<FunctionSpec> function(const std::string& code, const std::string& file = "index.js") {
    const fs::path code_dir = folder / ("code" + std::to_string(functions++));
    fs::create_directories(code_dir);
    std::ofstream(code_dir / file) << code;
    auto spec = std::make_shared<FunctionSpec>();
    spec->key = code_dir;
    spec->name = "greet";
    spec->runtime = "nodejs22.x";
    spec->handler = "index.handler";
    spec->code_dir = code_dir;
    spec->timeout = 20s;
    return spec;
  }
  std::future<InvocationResult> begin(std::shared_ptr<const FunctionSpec> spec, std::string payload = "{}", std::string id = "") {
    if (!engine) start();
    Invocation call{.request_id = id.empty() ? "req-" + std::to_string(++calls) : id, .payload = std::move(payload), .trace_header = "Root=1-2-3",
                    .function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:greet", .client_context = {}};
    return asio::co_spawn(context, engine->invoke(std::move(spec), std::move(call)), asio::use_future);
  }
  InvocationResult call(std::shared_ptr<const FunctionSpec> spec, std::string payload = "{}") { return begin(std::move(spec), std::move(payload)).get(); }
  InvocationResult stream(std::shared_ptr<const FunctionSpec> spec, ResponseSink& sink) {
    if (!engine) start();
    Invocation what{.request_id = "req-" + std::to_string(++calls), .payload = "{}", .trace_header = {}, .function_arn = {}, .client_context = {}};
    return asio::co_spawn(context, engine->invoke_streaming(std::move(spec), std::move(what), sink), asio::use_future).get();
  }
  template <class Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
  }

  fs::path folder;
  EngineOptions options;
  Clock clock;
  Entropy entropy;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::unique_ptr<Engine> engine;
  std::thread thread;
  std::mutex mutex;
  std::vector<std::string> live_lines;
  int functions = 0, calls = 0;
};

inline std::string field(const InvocationResult& result, const char* name) {
  return std::string(boost::json::parse(result.payload).at(name).as_string());
}

}  // namespace parvis::functions
