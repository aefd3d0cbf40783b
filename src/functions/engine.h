// functions/engine.h: runs function code in worker processes. Knows nothing of HTTP or AWS shapes.
//
// One worker serves one call at a time and one function version for its whole life. Calls that find no free worker
// start one (up to the function's and the engine's limits) or wait; past `queue_max` waiting calls: kThrottled.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "functions/log_format.h"
#include "functions/memory.h"
#include "functions/network/doors.h"
#include "functions/sandbox/sandbox.h"

namespace parvis::functions {

// What one function version runs. Equal `key` means equal contents: workers are kept per key.
struct FunctionSpec {
  std::string key;          // unique per function version and configuration, e.g. ARN + revision id
  std::string name;         // for logs
  std::string account = {};  // what extensions are told
  std::string runtime;      // "nodejs22.x"
  std::string handler;      // "index.handler"
  std::string code_dir;     // unpacked bundle, read-only
  std::string layers_dir;   // what a sandbox shows as /opt, read-only; may be empty. `environment` names it already
  std::map<std::string, std::string> environment;  // the complete environment of the worker, nothing is added but the engine's own
  unsigned memory_mb = 128;
  unsigned tmp_mb = 512;  // what /tmp holds, in a sandbox
  std::chrono::milliseconds timeout{3000};
  unsigned concurrency_max = 1000;
  LogSettings logs = {};
  std::optional<network::Reach> reach = {};  // how far its connections go, where workers have networks of their own; absent: as far as the platform allows
};

struct Invocation {
  std::string request_id;
  std::string payload;           // JSON
  std::string trace_header;      // X-Amzn-Trace-Id
  std::string function_arn;      // as invoked
  std::string client_context;    // JSON, may be empty
};

enum class Outcome { kOk, kFunctionError, kTimedOut, kCrashed, kThrottled, kInitError };

struct InvocationResult {
  Outcome outcome = Outcome::kOk;
  std::string payload;       // the answer, or {"errorMessage":…,"errorType":…,"trace":[…]} as Lambda gives it
  std::string log;           // what the function printed during this call, with START, END and REPORT lines
  bool cold = false;
  std::chrono::microseconds init{0}, duration{0};
  std::uint64_t memory_peak_bytes = 0;
  bool streamed = false;     // begin() of the sink was called: what it got is the answer, or its first part when `outcome` is not kOk
};

// What a function says before the first byte of a streamed answer.
struct StreamHead {
  std::string content_type;  // "application/octet-stream" when the function set none; "application/json" of a buffered answer
  bool has_prelude = false;  // the function used HttpResponseStream.from(), or wrote its form: JSON, eight NUL bytes, body
  std::string prelude;       // JSON as the function gave it: {"statusCode":…,"headers":{…},"cookies":[…]}; not checked
  bool streamed = true;      // false: the handler is not a streaming one, its whole answer follows in one write
};

// Takes an answer while the function makes it. Called in order, one call at a time, on the executor of the coroutine that
// called invoke_streaming. A slow sink slows the function down. When it throws, the rest of the answer is dropped.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual awaitable<> begin(StreamHead head) = 0;       // once, before the first write; not called when the call fails first
  virtual awaitable<> write(std::string bytes) = 0;     // the body, without the prelude
};

// One line that a function printed. Views live for the call alone.
struct LogLine {
  std::string_view request_id, trace_header;  // empty between calls
  std::string_view function, line;
};

// How workers are shut in; absent: they run as the platform's user, beside everything else of that user.
struct SandboxOptions {
  sandbox::Facilities facilities;    // of sandbox::probe
  std::string empty_dir;             // an empty folder
  std::vector<std::string> shelves;  // the folders that hold the code of functions and, in scratch_dir, code-cache
  std::shared_ptr<network::Host> network = {};  // each worker has a network of its own, served by this; null: the host's
  std::shared_ptr<sandbox::Plans> plans = {};  // made by the engine
};

// An installed Java: its major version and JAVA_HOME.
struct Java {
  unsigned major = 0;
  std::string home;
};

// Which functions are debugged, and how (functions/debugging.h).
struct DebugOptions {
  std::function<bool(const std::string& function)> wanted;  // by name; any thread, with the engine locked
  bool wait = false;            // environments load their function once a debugger is there
  std::string debugpy_dir = {};  // the package's folder; empty: where Python itself finds it
  std::function<void(const std::string& function, bool attached)> on_attached = {};
};

struct EngineOptions {
  std::string node_path;            // resolved interpreter
  std::string node_sdk_dir;         // node_modules folder with the AWS SDK v3, may be empty
  std::map<unsigned, std::string> node_majors = {};  // interpreters of nodejs runtimes by major version; node_path for the others
  std::string python_path = {};     // resolved interpreter of python3 runtimes; may be empty
  std::string python_sdk_dir = {};  // folder of packages with boto3, may be empty
  std::vector<Java> javas = {};     // of find_javas (functions/launch.h)
  std::string java_client_dir = {};  // folder with the jars of the Java runtime interface client, may be missing
  std::string scratch_dir;          // for sockets and private /tmp folders
  std::string ca_path = {}, ca_bundle_path = {};  // PEM: the authority that signs AWS's names for the platform, and the system's with it; may be empty
  std::map<std::string, std::string> client_environment = {};  // what our runtime clients are told at their start; functions do not see it
  std::map<std::string, std::string> bootstrap_environment = {};  // what bootstraps find beside the function's own variables, which win
  std::optional<SandboxOptions> sandbox = {};
  unsigned workers_max = 64;
  unsigned prebooted = 2;           // kept ready per runtime once a function of it is known
  unsigned queue_max = 1000;        // waiting calls per function
  std::chrono::microseconds ahead_mean_max{1000};  // functions whose calls take longer on average have none sent ahead
  std::chrono::milliseconds idle_timeout{300'000};
  // Environments that prepare() loads together take at most this much memory; 0: no bound. What it counts are private pages.
  std::uint64_t warm_bytes_max = 0;
  // While less than `memory_reserve_bytes` (0: the smaller of a sixteenth of all and 512 MB) is left, idle environments end, those
  // unused for longest first, and none is loaded without a call. Not set: memory.h; an empty answer says nothing.
  std::function<std::optional<Memory>()> memory = {};
  std::uint64_t memory_reserve_bytes = 0;
  // Each line as it is printed, for the live log; the engine's own (START, END, REPORT) while `report_lines` is true or not set.
  std::function<void(const LogLine&)> on_log_line = {};
  std::function<bool()> report_lines = {};
  std::optional<DebugOptions> debug = {};
};

class Engine {
 public:
  // `context` starts and ends workers; one thread runs it. invoke() may be called from any executor; a worker's events are
  // handled on the caller's thread when that is an io_context's own executor. Such contexts are run by one thread each and
  // must outlive the engine, like `context`.
  Engine(asio::io_context& context, const Clock& clock, Entropy& entropy, EngineOptions options);
  ~Engine();
  // Boots workers for the runtime and, with `load`, loads one environment of this function in the background, if its memory fits
  // into `warm_bytes_max`.
  void prepare(FunctionSpec spec, bool load);
  // From now on `count` initialised environments of this function are there: provisioned concurrency. They start in the background,
  // come beside `workers_max`, take calls first, are replaced when they end, and never end for idleness or want of memory. 0: none.
  // One whose loading fails is tried again after 0.2 s, doubled up to a minute.
  void keep(std::shared_ptr<const FunctionSpec> spec, unsigned count);
  struct Kept { unsigned wanted = 0, ready = 0; std::string failure; };  // failure: what keep() reports once it has failed three times in a row
  Kept kept(const std::string& key) const;
  awaitable<InvocationResult> invoke(std::shared_ptr<const FunctionSpec> spec, Invocation invocation);
  // As invoke, and hands the answer to `sink` as it comes. `payload` of the result is empty, or the error: one that comes after
  // begin() is a mid-stream error. The result comes after the last write has returned. At most 200 MiB, as on Lambda.
  awaitable<InvocationResult> invoke_streaming(std::shared_ptr<const FunctionSpec> spec, Invocation invocation, ResponseSink& sink);
  // No further calls take workers of this key; idle ones end, busy ones end after their call.
  void retire(const std::string& key);
  // Debuggers of this function connect to this port of the loopback interface. The error is the system's.
  std::expected<void, std::string> open_debug_port(const std::string& function, std::uint16_t port);
  void stop();  // ends every worker process
  struct Stats { unsigned workers = 0, busy = 0, waiting = 0; std::uint64_t invocations = 0, cold_starts = 0, sent_ahead = 0; };
  Stats stats() const;

  struct Impl;  // engine_impl.h; for the engine's own sources

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace parvis::functions
