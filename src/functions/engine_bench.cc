// functions_engine_bench [seconds]: calls per second through Engine::invoke to a Node.js handler that answers an object, at 1 and 32 callers,
// and the time of a first call with and without a pre-booted worker. Prints one line per case; no HTTP, one thread.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "functions/engine.h"

namespace {

using namespace parvis;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

struct Bench {
  asio::io_context context;
  Clock clock;
  Entropy entropy;
  std::filesystem::path folder;
  std::unique_ptr<functions::Engine> engine;
  std::shared_ptr<functions::FunctionSpec> spec = std::make_shared<functions::FunctionSpec>();
  std::vector<double> latencies_us;
  std::size_t failures = 0;
};

awaitable<void> caller(Bench& bench, Steady::time_point until) {
  const std::string payload = "{\"name\":\"" + std::string(1400, 'x') + "\"}";
  while (Steady::now() < until) {
    const auto start = Steady::now();
    functions::Invocation call;
    call.request_id = "00000000-0000-4000-8000-000000000000";
    call.payload = payload;
    const auto result = co_await bench.engine->invoke(bench.spec, std::move(call));
    bench.failures += result.outcome != functions::Outcome::kOk;
    bench.latencies_us.push_back(std::chrono::duration<double, std::micro>(Steady::now() - start).count());
  }
}

void run(Bench& bench, const char* name, int callers, Steady::duration time) {
  bench.latencies_us.clear();
  const auto start = Steady::now();
  for (int i = 0; i < callers; ++i) asio::co_spawn(bench.context, caller(bench, start + time), asio::detached);
  while (Steady::now() < start + time || bench.latencies_us.empty() || bench.engine->stats().busy + bench.engine->stats().waiting > 0) bench.context.run_one_for(50ms);
  auto& all = bench.latencies_us;
  std::sort(all.begin(), all.end());
  if (all.empty()) return;
  std::printf("%-24s %8.0f calls/s  p50 %8.1f us  p99 %8.1f us  workers %u  failures %zu\n", name,
              static_cast<double>(all.size()) / std::chrono::duration<double>(Steady::now() - start).count(), all[all.size() / 2],
              all[all.size() * 99 / 100], bench.engine->stats().workers, bench.failures);
}

}  // namespace

int main(int argc, char** argv) {
  const char* node = std::getenv("PARVIS_NODE");
  Bench bench;
  std::string name = (std::filesystem::temp_directory_path() / "parvis-bench-XXXXXX").string();
  bench.folder = mkdtemp(name.data());
  std::ofstream(bench.folder / "index.js") << "exports.handler = async (e) => ({ statusCode: 200, body: 'hello ' + e.name.length });\n";
  functions::EngineOptions options;
  options.node_path = node != nullptr ? node : PARVIS_TEST_NODE;
  options.scratch_dir = bench.folder / "scratch";
  bench.engine = std::make_unique<functions::Engine>(bench.context, bench.clock, bench.entropy, options);
  *bench.spec = {.key = "a", .name = "bench", .runtime = "nodejs22.x", .handler = "index.handler", .code_dir = bench.folder, .environment = {}};
  run(bench, "first call, cold", 1, 1ms);
  bench.context.run_for(800ms);  // the generic workers boot
  bench.spec = std::make_shared<functions::FunctionSpec>(*bench.spec);
  bench.spec->key = "b";
  run(bench, "first call, pre-booted", 1, 1ms);
  const auto time = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 2);
  run(bench, "warm-up", 1, 1s);
  run(bench, "warm, 1 caller", 1, time);
  run(bench, "warm, 32 callers", 32, time);
  bench.engine->stop();
  bench.context.run_for(200ms);
  std::filesystem::remove_all(bench.folder);
  return bench.failures == 0 ? 0 : 1;
}
