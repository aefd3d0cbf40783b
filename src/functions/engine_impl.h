// functions/engine_impl.h: what engine.cc (calls) and pool.cc (workers) share. Everything runs on one strand, except
// where a member says otherwise.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>

#include <boost/asio/steady_timer.hpp>

#include "functions/engine.h"
#include "functions/log_capture.h"
#include "functions/messages.h"
#include "functions/response_stream.h"
#include "functions/worker.h"

namespace parvis::functions {

using Steady = std::chrono::steady_clock;

struct Call {
  std::shared_ptr<const FunctionSpec> spec;
  Invocation invocation;
  std::move_only_function<void(InvocationResult)> done;
  Steady::time_point queued;
  std::shared_ptr<StreamPipe> stream;  // where a streamed answer goes; none: it is gathered
};

struct Pool;

// A worker as the engine sees it: booting or generic, then loading one function, then idle and busy in turn.
struct Slot final : Worker {
  enum class State { kBooting, kGeneric, kLoading, kIdle, kBusy };
  Slot(const Strand& strand, Process process, Fd channel, Fd log, std::shared_ptr<Engine::Impl> engine);

  void on_frame(char type, unsigned flags, std::string_view body) override;
  bool on_log(std::string_view bytes) override;
  void on_end(bool broken_protocol) override;
  std::shared_ptr<Slot> self() { return std::static_pointer_cast<Slot>(shared_from_this()); }

  std::weak_ptr<Engine::Impl> engine;
  std::string folder, log_stream, mark;
  State state = State::kBooting;
  std::shared_ptr<Pool> pool;  // from loading on
  std::shared_ptr<const FunctionSpec> spec;
  std::optional<Call> call;
  LogCapture log;
  std::string init_log;
  bool streaming = false;              // the open call's answer comes in pieces
  std::uint64_t streamed_bytes = 0;
  std::string gathered;                // the pieces, when the caller wants them whole
  bool first_call = true, ending = false, timed_out = false;
  Steady::time_point since, deadline = Steady::time_point::max(), memory_read{};
  std::chrono::microseconds init{0};
  std::uint64_t memory_peak = 0;
};

// All workers and waiting calls of one function version.
struct Pool {
  std::shared_ptr<const FunctionSpec> spec;
  std::deque<Call> waiting;
  std::vector<std::shared_ptr<Slot>> idle;  // the most recently used last
  unsigned total = 0, loading = 0;
  bool retired = false;
  std::chrono::microseconds mean{0};  // moving mean of recent durations
};

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  Impl(asio::io_context& context, const Clock& clock_in, Entropy& entropy_in, EngineOptions options_in);

  // engine.cc
  void submit(Call call);
  void dispatch(const std::shared_ptr<Pool>& pool);
  void assign(const std::shared_ptr<Slot>& slot, Call call);
  void frame_arrived(Slot& slot, char type, unsigned flags, std::string_view body);
  void piece_arrived(Slot& slot, char type, std::string_view body);
  void answer_arrived(Slot& slot, char type, unsigned flags, std::string_view body);
  void ended(Slot& slot, bool broken);
  void finish(Slot& slot, Outcome outcome, std::string payload);
  void refuse(Call call, Outcome outcome, std::string payload);
  void fail_load(Pool& pool, std::string payload, std::string log);
  void print(const Slot& slot, std::string_view line) const;
  LogCapture::OnLine printer(const Slot& slot) const;
  void wake_at(Steady::time_point when);
  void tick();
  void shutdown();

  // pool.cc
  std::shared_ptr<Pool> pool_of(const std::shared_ptr<const FunctionSpec>& spec);
  bool scale(const std::shared_ptr<Pool>& pool, unsigned wanted);
  bool start_worker(const std::shared_ptr<Pool>& pool);
  std::expected<std::shared_ptr<Slot>, std::string> boot(std::map<std::string, std::string> environment, std::vector<std::string> flags);
  void load(const std::shared_ptr<Slot>& slot, const std::shared_ptr<Pool>& pool);
  std::map<std::string, std::string> function_environment(const FunctionSpec& spec, const Slot* slot) const;
  bool evict_one(const Pool* except);
  void refill();
  void end_worker(const std::shared_ptr<Slot>& slot);
  void forget(Slot& slot);
  ExitStatus reap_and_forget(Slot& slot);
  Steady::time_point sweep(Steady::time_point now);  // deadlines, idle time, waiting calls; returns when to look again
  void retire(const std::string& key);

  void kill_all();  // any thread

  Strand strand;
  const Clock& clock;
  Entropy& entropy;
  EngineOptions options;
  std::string client_path, setup_error;
  std::unordered_map<std::string, std::shared_ptr<Pool>> pools;
  std::deque<std::shared_ptr<Slot>> generic;  // the oldest first
  std::set<std::shared_ptr<Slot>> slots;
  unsigned prebooted_wanted = 0, next_worker = 0;
  bool stopped = false, boot_failed = false;
  asio::steady_timer timer;
  Steady::time_point timer_at = Steady::time_point::max();
  std::atomic<unsigned> workers{0}, busy{0}, waiting{0};
  std::atomic<std::uint64_t> invocations{0}, cold_starts{0};

  std::mutex live_mutex;  // guards `live` and the start of processes; taken at start and end of a worker only
  std::set<pid_t> live;
  std::atomic<bool> stopping{false};  // set by kill_all() before the strand learns of it in shutdown()
};

}  // namespace parvis::functions
