// functions/engine_impl.h: what the engine's sources share.
//
// Threads: `mutex` guards everything that a comment does not except. Locked says that the caller holds it; callers' answers and
// events of the live log are given after it is released. A slot that is busy, loading or moving belongs to its home's thread:
// its log and its call are touched there alone. Processes are started, and folders removed, on `background`.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>

#include <boost/asio/steady_timer.hpp>

#include "functions/cell.h"
#include "functions/engine.h"
#include "functions/log_capture.h"
#include "functions/messages.h"
#include "functions/response_stream.h"
#include "functions/runtime_api.h"
#include "functions/worker.h"
#include "functions/zygote.h"

namespace parvis::functions {

using Steady = std::chrono::steady_clock;
inline constexpr std::chrono::milliseconds kTakeBackAfter{5};  // a call that was sent ahead waits for another worker after this
inline constexpr std::chrono::milliseconds kScaleWait{5};      // a call that has waited this long starts a worker
inline constexpr std::chrono::milliseconds kLogWatchAfter{20};  // calls that take longer have their output read as it comes

struct Call {
  std::shared_ptr<const FunctionSpec> spec;
  Invocation invocation;
  std::move_only_function<void(InvocationResult)> done;  // called without the lock; may run the caller inline on its own thread
  Steady::time_point queued;
  std::shared_ptr<StreamPipe> stream;  // where a streamed answer goes; none: it is gathered
  std::optional<Home> home;            // the caller's thread, when it is one of an io_context
};

struct Pool;
struct Runtime;
class DebugPort;

// A worker as the engine sees it: booting or generic, then loading one function, then idle and busy in turn.
struct Slot final : Worker {
  enum class State { kBooting, kGeneric, kLoading, kMoving, kIdle, kBusy, kFinishing };  // finishing: the call is answered, the process has not asked for the next one
  Slot(const Home& home, Process process, Ends ends, std::shared_ptr<Engine::Impl> engine);

  void on_frame(char type, unsigned flags, std::string_view body) override;
  bool on_log(std::string_view bytes) override;
  void on_end(bool broken_protocol) override;
  void kill_process() override;
  std::shared_ptr<Slot> self() { return std::static_pointer_cast<Slot>(shared_from_this()); }
  void drain(unsigned flags);  // what was printed before the message with these flags
  void take_log();  // what was printed so far belongs to the open call; home's thread

  std::weak_ptr<Engine::Impl> engine;
  std::unique_ptr<Cell> cell;  // taken away once the process has been reaped
  std::string log_stream, mark;
  std::shared_ptr<Runtime> runtime;
  Fd orders;                         // of a starter that waits for a bootstrap's function: what it will run
  unsigned api_port = 0;
  std::shared_ptr<RuntimeApi> door;  // of a bootstrap, of Java, and where extensions are; closed on `background`

  // Guarded by the engine's mutex.
  std::atomic<State> state = State::kBooting;  // a frame tells the home's thread what it was, without the lock
  std::shared_ptr<Pool> pool;  // from loading on
  std::shared_ptr<const FunctionSpec> spec;
  std::optional<Call> call;
  unsigned debuggers = 0;       // attached
  std::atomic<std::uint16_t> debug_port = 0;  // where its debugger listens
  std::deque<Call> ahead;       // sent already, so that the worker need not sleep between two calls
  bool ending = false, timed_out = false, out_of_memory = false, log_watched = false;
  bool kept = false, warmed = false;  // loaded without a call: as one of those that its pool keeps; by prepare()
  std::uint64_t memory_bytes = 0;     // its private memory when it was last looked at
  Steady::time_point since, deadline = Steady::time_point::max();
  std::optional<Home> caller;   // who made the last calls from elsewhere
  unsigned remote_calls = 0;    // in a row, by `caller`

  // The home's thread.
  LogCapture log;
  std::string init_log, printed;
  bool streaming = false;       // the open call's answer comes in pieces
  std::uint64_t streamed_bytes = 0;
  std::string gathered;         // the pieces, when the caller wants them whole
  bool first_call = true;
  std::chrono::microseconds init{0};
  std::uint64_t memory_peak = 0;
  Steady::time_point memory_read{};
};

inline constexpr unsigned kKeepFailuresMax = 3;  // after so many loads in a row that failed, what is kept counts as failed
inline constexpr std::string_view kInitFailure = "FUNCTION_ERROR_INIT_FAILURE";  // as Lambda says it

std::string version_of(const FunctionSpec& spec);  // "$LATEST" or a number
std::chrono::milliseconds limit_of(const Slot& slot);  // how long what it does now, a call or loading, may take
bool processors_busy();  // everything that this machine can run at once is running

// All workers and waiting calls of one function version.
struct Pool {
  std::shared_ptr<const FunctionSpec> spec;
  std::shared_ptr<Runtime> runtime;
  std::deque<Call> waiting;
  std::vector<std::shared_ptr<Slot>> idle;  // the most recently used last
  unsigned total = 0, loading = 0, finishing = 0;  // booting ones for this function included
  bool debugged = false;
  bool retired = false, cold = false;       // cold: its workers need its environment when they start
  unsigned keep = 0, kept = 0, kept_ready = 0;  // how many are to be kept, are there or starting, are initialised
  std::shared_ptr<const FunctionSpec> kept_spec;  // what those run: `spec`, and they say so in their environment
  unsigned keep_failures = 0;               // in a row
  Steady::time_point keep_again{};
  std::optional<Home> caller;               // who called last
  std::chrono::microseconds mean{0};        // moving mean of recent durations
};

// One interpreter: how its workers start, and those that wait for a function.
struct Runtime {
  enum class Kind { kNode, kPython, kHttp, kJava };  // kHttp: the function's own bootstrap, over the public Runtime API, as kJava
  std::string name = {}, interpreter = {}, client = {};
  Kind kind = Kind::kNode;
  std::optional<Java> java = {};
  bool speaks_http() const { return kind == Kind::kHttp || kind == Kind::kJava; }
  std::deque<std::shared_ptr<Slot>> generic = {};  // the oldest first
  bool wanted = false;       // a function of it is known
  unsigned booting = 0;
  bool boot_failed = false;

  // On `background` alone: the prepared interpreter that workers are forked from, and what waits until it is ready.
  std::unique_ptr<Zygote> zygote = {};
  unsigned zygote_failures = 0;
  std::vector<std::move_only_function<void()>> when_prepared = {};
};

// A call that its worker has answered, or will never answer.
struct Finished {
  Call call;
  InvocationResult result;
  std::string version, function;
  unsigned memory_mb = 128;
  std::shared_ptr<RuntimeApi> door = {};  // when somebody reads its telemetry
};

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  Impl(asio::io_context& context, const Clock& clock_in, Entropy& entropy_in, EngineOptions options_in);

  // Holds the mutex; what was put off runs when it ends.
  class Locked {
   public:
    explicit Locked(Impl& impl) : lock_(impl.mutex) {}
    ~Locked() {
      lock_.unlock();
      for (auto& action : after_) action();
    }
    void after(std::move_only_function<void()> action) { after_.push_back(std::move(action)); }

   private:
    std::unique_lock<std::mutex> lock_;
    std::vector<std::move_only_function<void()>> after_;
  };

  // engine.cc: calls
  void submit(Call call);
  void begin(Locked& locked, const std::shared_ptr<Slot>& slot, Call call);
  void open_call(Locked& locked, const std::shared_ptr<Slot>& slot, Call call);
  void send_ahead(Locked& locked, const std::shared_ptr<Slot>& slot);
  bool take_back(Slot& slot);  // locked: its calls that were sent ahead and not read yet wait again; false: none
  void dispatch(Locked& locked, const std::shared_ptr<Pool>& pool);
  void rest(Locked& locked, const std::shared_ptr<Slot>& slot);  // the worker is free: next call, idle, or another home
  void refuse(Call call, Outcome outcome, std::string payload);
  void fail_load(Locked& locked, const std::shared_ptr<Pool>& pool, std::string payload, std::string log);
  void piece_arrived(Slot& slot, char type, std::string_view body);
  void answer_arrived(Slot& slot, char type, unsigned flags, std::string_view body);
  LogCapture::OnLine printer(const Slot& slot) const;
  Finished take_finished(Slot& slot, Outcome outcome, std::string payload);
  void report(Finished finished);
  void print(const LogLine& line) const;
  bool prints_reports() const;

  // supervise.cc: what workers do besides answering, and time
  void frame_arrived(Slot& slot, char type, unsigned flags, std::string_view body);
  void loaded(Slot& slot, unsigned flags);
  void load_failed(Slot& slot, unsigned flags, std::string_view body);
  void ended(Slot& slot, bool broken);
  void wake_at(Steady::time_point when);  // locked
  void tick();
  Steady::time_point sweep(Locked& locked, Steady::time_point now);  // deadlines, idle time, waiting calls; when to look again
  void shutdown();
  void kill_all();  // any thread, no lock

  // pool.cc (runtime_of: runtimes.cc): workers
  std::shared_ptr<Pool> pool_of(const std::shared_ptr<const FunctionSpec>& spec, const std::shared_ptr<Runtime>& runtime);
  std::expected<std::shared_ptr<Runtime>, std::string> runtime_of(const std::string& name);
  void scale(Locked& locked, const std::shared_ptr<Pool>& pool, unsigned wanted);
  enum class Why { kCall, kKept, kWarm };
  void start_worker(Locked& locked, const std::shared_ptr<Pool>& pool, Why why = Why::kCall);
  void begin_loading(const std::shared_ptr<Slot>& slot, const std::shared_ptr<Pool>& pool, Why why);  // locked
  void boot_for(const std::shared_ptr<Pool>& pool, Why why);  // background, not locked
  struct Lines;  // boot.cc, as the next six
  std::expected<Lines, std::string> open_lines(const Runtime& runtime, const FunctionSpec* spec, bool has_door, bool own_network);
  std::map<std::string, std::string> start_environment(const Runtime& runtime, const FunctionSpec* spec, const Cell& cell, const std::string& log_stream) const;
  std::vector<std::string> runtime_arguments(const Runtime& runtime, const FunctionSpec* spec, const Cell& cell) const;
  std::expected<std::shared_ptr<Slot>, std::string> boot(const std::shared_ptr<Runtime>& runtime, const FunctionSpec* spec, bool own_environment);  // spec null: generic
  void load(const std::shared_ptr<Slot>& slot, const std::shared_ptr<Pool>& pool);
  void give_orders(const std::shared_ptr<Slot>& slot, const FunctionSpec& spec);
  bool prepared(const std::shared_ptr<Runtime>& runtime, std::move_only_function<void()> then);  // prepared.cc, as the next two; background
  std::expected<Process, std::string> start_process(Runtime& runtime, const ProcessSpec& spec, int our_channel, bool forkable);
  void drop_zygote(Runtime& runtime, const std::string& why);
  std::map<std::string, std::string> function_environment(const FunctionSpec& spec, const WorkerPlaces& places, const std::string& log_stream) const;
  bool evict_one(const Pool* except);
  void refill();
  void boot_generic(const std::shared_ptr<Runtime>& runtime);
  void end_worker(const std::shared_ptr<Slot>& slot);
  void forget(Slot& slot);
  ExitStatus reap_worker(Slot& slot);  // not locked, home
  void retire(const std::string& key);

  // keep.cc: environments without a call, and memory. Locked, all of them.
  void keep(Locked& locked, const std::shared_ptr<const FunctionSpec>& spec, unsigned count);
  void tend(Locked& locked);  // starts what is to be kept and to be warm, as far as processors and memory allow
  bool tend_kept(Locked& locked, const std::shared_ptr<Pool>& pool, unsigned& loading);
  bool room_for_warm(Steady::time_point now);
  void keep_failed(Pool& pool);
  Steady::time_point relieve(const std::optional<Memory>& memory, Steady::time_point now);  // when to look again
  std::shared_ptr<Slot> longest_unused(const Pool* except = nullptr, bool warmed_only = false) const;

  // debugging.cc
  bool debugs(const FunctionSpec& spec) const;
  bool debugger_told(Slot& slot, std::string_view body);
  bool renew_limit(Slot& slot, Steady::time_point now) const;
  std::shared_ptr<Slot> debugged_slot(const std::string& function, bool may_start, bool& starting);
  Fd socket_beside(Slot& slot);

  asio::io_context& context;
  Home background;
  const Clock& clock;
  Entropy& entropy;
  EngineOptions options;
  std::string setup_error;

  std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<Pool>> pools;
  std::map<std::string, std::shared_ptr<Runtime>> runtimes;       // by interpreter
  std::map<std::string, std::shared_ptr<Runtime>> runtime_names;  // "nodejs22.x" and its like
  std::set<std::shared_ptr<Slot>> slots;
  std::vector<std::shared_ptr<DebugPort>> debug_ports;
  bool stopped = false;
  Steady::time_point timer_at = Steady::time_point::max();
  unsigned kept = 0;                                              // over all pools
  std::deque<std::shared_ptr<const FunctionSpec>> to_warm;
  std::unordered_map<std::string, std::string> unkeepable;        // by key: why there can be no pool
  std::uint64_t warm_estimate_bytes = 40u << 20;                  // of an environment that loads
  bool memory_short = false, warm_bound_told = false;
  Steady::time_point memory_at{};                                 // when it is looked at next
  asio::steady_timer timer;  // background
  std::atomic<unsigned> workers{0}, busy{0}, waiting{0}, next_worker{0};
  std::atomic<std::uint64_t> invocations{0}, cold_starts{0}, sent_ahead{0};

  std::mutex live_mutex;  // guards `live`, the start and the reaping of processes; taken at start and end of a worker only
  std::set<pid_t> live;
  std::atomic<bool> stopping{false};  // set by kill_all() before the rest learns of it in shutdown()
};

}  // namespace parvis::functions
