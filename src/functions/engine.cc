// Calls: from the door to a worker and back.
#include "functions/engine.h"

#include <limits>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "functions/engine_impl.h"

namespace parvis::functions {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kSlow{20};             // functions whose calls take this long on average get workers without a wait
constexpr milliseconds kMemoryReadEvery{100};
constexpr std::size_t kAheadMax = 3;         // calls that a busy worker has beside its own
constexpr milliseconds kUnfairnessMax{2};     // how long a call may wait for others of the worker's own thread
constexpr std::size_t kSameHomeSearch = 16;
constexpr unsigned kRemoteCallsMax = 4;       // after so many in a row from one other thread a worker moves there

std::string error_type(const std::string& payload) {
  boost::system::error_code error;
  const auto value = boost::json::parse(payload, error);
  if (error || !value.is_object()) return {};
  const auto* type = value.get_object().if_contains("errorType");
  return type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string();
}

// START, and END with REPORT, in the function's format; empty ones are below its level.
std::string start_text(const FunctionSpec& spec, Millis now, const std::string& request_id) {
  return spec.logs.json ? start_record(spec.logs, now, request_id, version_of(spec)) : start_line(request_id, version_of(spec));
}

std::vector<std::string> end_texts(const FunctionSpec& spec, Millis now, const std::string& request_id, const Report& report) {
  if (!spec.logs.json) return {end_line(request_id), report_line(request_id, report)};
  return {runtime_done_record(spec.logs, now, request_id, report), report_record(spec.logs, now, request_id, report)};
}

// The last worker used that lives on the caller's thread, else the last one used.
// Those that are kept come first, so that the others can be given back.
std::shared_ptr<Slot> take_idle(Pool& pool, const std::optional<Home>& home) {
  const bool kept = pool.kept > 0 && std::any_of(pool.idle.begin(), pool.idle.end(), [](const auto& slot) { return slot->kept; });
  auto found = pool.idle.end();
  for (auto at = pool.idle.end(); at != pool.idle.begin();) {
    --at;
    if (kept && !(*at)->kept) continue;
    if (found == pool.idle.end()) found = at;
    if (!home || (*at)->home() == *home) {
      found = at;
      break;
    }
  }
  auto slot = std::move(*found);
  pool.idle.erase(found);
  return slot;
}

// As it is sent ahead: in one piece.
std::string invoke_message(const Call& call) { return invoke_head(call.invocation, call.spec->timeout) + call.invocation.payload; }

// The call that has waited longest, or an only slightly younger one of the worker's own thread, which saves a hop.
Call take_waiting(Pool& pool, const Home& home, Steady::time_point now) {
  auto found = pool.waiting.begin();
  if (found->queued + kUnfairnessMax > now) {
    const auto end = pool.waiting.begin() + static_cast<std::ptrdiff_t>(std::min(pool.waiting.size(), kSameHomeSearch));
    const auto own = std::find_if(found, end, [&](const Call& call) { return call.home == home; });
    if (own != end) found = own;
  }
  Call call = std::move(*found);
  pool.waiting.erase(found);
  return call;
}

}  // namespace

void Engine::Impl::submit(Call call) {
  call.queued = Steady::now();
  Locked locked(*this);
  if (stopped || stopping) return refuse(std::move(call), Outcome::kCrashed, stopping_payload());
  auto found = pools.find(call.spec->key);
  if (found == pools.end()) {
    const auto runtime = runtime_of(call.spec->runtime);
    if (!runtime) {
      std::string payload = error_payload("Runtime.InvalidRuntime", runtime.error() + " (function " + call.spec->name + ")");
      return refuse(std::move(call), Outcome::kInitError, std::move(payload));
    }
    pool_of(call.spec, *runtime);
    found = pools.find(call.spec->key);
  }
  const auto pool = found->second;
  if (call.spec->concurrency_max == 0 || (pool->idle.empty() && pool->waiting.size() >= options.queue_max)) {
    return refuse(std::move(call), Outcome::kThrottled, error_payload("TooManyRequestsException", "Rate Exceeded."));
  }
  pool->caller = call.home;
  if (!pool->idle.empty()) return begin(locked, take_idle(*pool, call.home), std::move(call));
  pool->waiting.push_back(std::move(call));
  ++waiting;
  dispatch(locked, pool);
}

// Gives waiting calls to idle workers, then starts workers. The first one at once; more for a function that is known
// to be slow, or for calls that have waited kScaleWait: starting one takes longer than many a short call.
void Engine::Impl::dispatch(Locked& locked, const std::shared_ptr<Pool>& pool) {
  while (!pool->waiting.empty() && !pool->idle.empty()) {
    Call call = std::move(pool->waiting.front());
    pool->waiting.pop_front();
    --waiting;
    begin(locked, take_idle(*pool, call.home), std::move(call));
  }
  if (pool->waiting.empty()) return;
  if (pool->total == 0) scale(locked, pool, 1);
  else if (pool->mean > kSlow) scale(locked, pool, static_cast<unsigned>(pool->waiting.size()) - std::min(pool->finishing, static_cast<unsigned>(pool->waiting.size())));
  if (!pool->waiting.empty()) wake_at(std::max(pool->waiting.front().queued + kScaleWait, Steady::now() + milliseconds(1)));
}

// The worker is this call's from here on. Messages are sent without the lock.
void Engine::Impl::begin(Locked& locked, const std::shared_ptr<Slot>& slot, Call call) {
  locked.after([slot, head = invoke_head(call.invocation, call.spec->timeout), payload = std::move(call.invocation.payload)] {
    slot->send(head, payload);
  });
  open_call(locked, slot, std::move(call));
}

// Every worker is busy and calls wait: the next ones go to a worker that will be free in a moment, which saves the worker a sleep
// and the kernel a wake-up. Not for a function that may keep it waiting; sweep() takes them back when this once happens all the same.
void Engine::Impl::send_ahead(Locked& locked, const std::shared_ptr<Slot>& slot) {
  Pool& pool = *slot->pool;
  if (slot->door || pool.retired || pool.debugged || pool.mean.count() == 0 || pool.mean > options.ahead_mean_max) return;
  while (!pool.waiting.empty() && slot->ahead.size() < kAheadMax) {
    Call call = take_waiting(pool, slot->home(), Steady::now());
    std::string message = invoke_message(call);
    if (call.stream || message.size() > Worker::kPacketBytes) {
      pool.waiting.push_front(std::move(call));
      break;
    }
    --waiting;
    ++sent_ahead;
    slot->ahead.push_back(std::move(call));
    locked.after([slot, message = std::move(message)] { slot->send(message); });
  }
  if (!slot->ahead.empty()) wake_at(slot->since + kTakeBackAfter);
}

bool Engine::Impl::take_back(Slot& slot) {
  if (slot.ahead.empty()) return false;  // asked of every busy worker, again and again
  std::vector<std::string> messages;
  for (const Call& call : slot.ahead) messages.push_back(invoke_message(call));
  const std::vector<bool> taken = slot.unsend(messages);
  std::deque<Call> unread, read;
  for (std::size_t i = 0; i < taken.size(); ++i) (taken[i] ? unread : read).push_back(std::move(slot.ahead[i]));
  slot.ahead = std::move(read);
  waiting += static_cast<unsigned>(unread.size());
  if (!unread.empty()) slot.pool->waiting.insert(slot.pool->waiting.begin(), std::make_move_iterator(unread.begin()), std::make_move_iterator(unread.end()));
  return !unread.empty();
}

void Engine::Impl::open_call(Locked& locked, const std::shared_ptr<Slot>& slot, Call call) {
  ++busy;
  ++invocations;
  slot->state = Slot::State::kBusy;
  slot->since = Steady::now();
  slot->deadline = slot->since + call.spec->timeout;
  slot->timed_out = false;
  if (call.home == slot->home() || !call.home) {
    slot->remote_calls = 0;
  } else {
    slot->remote_calls = slot->caller == call.home ? slot->remote_calls + 1 : 1;
    slot->caller = call.home;
  }
  slot->call = std::move(call);
  wake_at(std::min(slot->deadline, slot->since + kLogWatchAfter));
  if (prints_reports()) {
    locked.after([this, line = start_text(*slot->spec, clock.wall(), slot->call->invocation.request_id), id = slot->call->invocation.request_id,
                  trace = slot->call->invocation.trace_header, name = slot->spec->name] { if (!line.empty()) print({id, trace, name, line}); });
  }
}

void Engine::Impl::rest(Locked& locked, const std::shared_ptr<Slot>& slot) {
  const auto pool = slot->pool;
  const auto now = Steady::now();
  slot->deadline = Steady::time_point::max();
  slot->since = now;
  if (!slot->ahead.empty()) {
    Call call = std::move(slot->ahead.front());
    slot->ahead.pop_front();
    open_call(locked, slot, std::move(call));
    send_ahead(locked, slot);
    return dispatch(locked, pool);
  }
  if (!pool->waiting.empty()) {
    Call call = take_waiting(*pool, slot->home(), now);
    --waiting;
    begin(locked, slot, std::move(call));
    send_ahead(locked, slot);
    return dispatch(locked, pool);
  }
  if (pool->retired || stopped || (slot->kept && pool->kept > pool->keep)) return end_worker(slot);
  if (slot->remote_calls >= kRemoteCallsMax) {
    slot->remote_calls = 0;
    slot->state = Slot::State::kMoving;
    const Home home = *slot->caller;
    return locked.after([this, slot, home] {
      slot->move_to(home, [this, slot] {
        Locked moved(*this);
        if (!slot->ending) rest(moved, slot);
      });
    });
  }
  slot->state = Slot::State::kIdle;
  pool->idle.push_back(slot);
  wake_at(std::min(now + options.idle_timeout, memory_at));
}

// From a thread of the engine's own, because the caller may be in the middle of asking.
void Engine::Impl::refuse(Call call, Outcome outcome, std::string payload) {
  InvocationResult result;
  result.outcome = outcome;
  result.payload = std::move(payload);
  asio::post(background, [call = std::move(call), result = std::move(result)]() mutable { call.done(std::move(result)); });
}

// A load that failed answers the call that has waited longest; the others get workers of their own, as on Lambda.
void Engine::Impl::fail_load(Locked& locked, const std::shared_ptr<Pool>& pool, std::string payload, std::string log) {
  if (pool->waiting.empty()) {
    spdlog::warn("function {}: loading failed: {}", pool->spec->name, payload);
    return;
  }
  Call call = std::move(pool->waiting.front());
  pool->waiting.pop_front();
  --waiting;
  InvocationResult result{.outcome = Outcome::kInitError, .payload = std::move(payload), .log = std::move(log), .cold = true};
  locked.after([this, call = std::move(call), result = std::move(result)]() mutable {
    const std::string& id = call.invocation.request_id;
    const std::string type = error_type(result.payload);
    const Report report{.memory_mb = call.spec->memory_mb, .status = "error", .error_type = type};
    std::vector<std::string> lines = end_texts(*call.spec, clock.wall(), id, report);
    lines.insert(lines.begin(), start_text(*call.spec, clock.wall(), id));
    for (const std::string& line : lines) {
      if (line.empty()) continue;
      if (prints_reports()) print({id, call.invocation.trace_header, call.spec->name, line});
      result.log += line + "\n";
    }
    call.done(std::move(result));
  });
}

// A part of a streamed answer: its content type, then its bytes.
void Engine::Impl::piece_arrived(Slot& slot, char type, std::string_view body) {
  std::shared_ptr<StreamPipe> stream;
  {
    Locked locked(*this);
    if (slot.timed_out || !slot.call) return;
    stream = slot.call->stream;
  }
  if (type == 'P') {
    slot.streaming = true;
    if (stream) stream->push(StreamPipe::Begin{std::string(body)});
    return;
  }
  if (!slot.streaming) return slot.kill();
  slot.streamed_bytes += body.size();
  const std::size_t bytes_max = stream ? kStreamBytesMax : kResponseBytesMax;
  if (slot.streamed_bytes > bytes_max) {
    slot.take_log();
    std::optional<Finished> finished;
    {
      Locked locked(*this);
      if (slot.timed_out || !slot.call) return;
      finished = take_finished(slot, Outcome::kFunctionError, too_large_payload(bytes_max));
      end_worker(slot.self());
      dispatch(locked, slot.pool);
    }
    return report(std::move(*finished));
  }
  if (!stream) {
    slot.gathered += body;
    return;
  }
  stream->push(std::string(body));
  if (stream->pause_when_full([self = slot.self()] { asio::post(self->home(), [self] { self->resume(); }); })) slot.pause();
}

void Engine::Impl::answer_arrived(Slot& slot, char type, unsigned flags, std::string_view body) {
  const auto self = slot.self();
  slot.drain(flags);
  slot.take_log();
  std::string payload = slot.streaming && type == 'O' ? std::move(slot.gathered) : std::string(body);
  Outcome outcome = type == 'O' ? Outcome::kOk : Outcome::kFunctionError;
  if (payload.size() > kResponseBytesMax) {
    outcome = Outcome::kFunctionError;
    payload = too_large_payload(kResponseBytesMax);
  }
  std::optional<Finished> finished;
  {
    Locked locked(*this);
    if (slot.timed_out || !slot.call) return;  // it is being ended for its slowness: ended() answers
    finished = take_finished(slot, outcome, std::move(payload));
    if ((flags & kFlagExiting) != 0) {
      end_worker(self);
      dispatch(locked, slot.pool);
    } else if (slot.door) {  // it may end, or be at work, until it asks for the next call
      ++slot.pool->finishing;
      slot.state = Slot::State::kFinishing;
      slot.since = Steady::now();
      slot.deadline = slot.since + slot.spec->timeout;
      wake_at(slot.deadline);
    } else {
      rest(locked, self);
    }
  }
  report(std::move(*finished));
}

// Takes the open call out of the slot, with its log (take_log() came before) and its times. Home's thread, locked: it is short.
Finished Engine::Impl::take_finished(Slot& slot, Outcome outcome, std::string payload) {
  Finished out{.call = std::move(*slot.call), .result = {}, .version = version_of(*slot.spec), .function = slot.spec->name, .memory_mb = slot.spec->memory_mb, .door = {}};
  if (slot.door && slot.door->extensions().wants_telemetry()) out.door = slot.door;
  InvocationResult& result = out.result;
  const auto now = Steady::now();
  result.outcome = outcome;
  result.payload = std::move(payload);
  result.duration = outcome == Outcome::kTimedOut ? microseconds(out.call.spec->timeout) : std::chrono::duration_cast<microseconds>(now - slot.since);
  result.cold = slot.first_call;
  result.init = slot.first_call ? slot.init : microseconds(0);
  if (slot.log_watched) {
    slot.log_watched = false;
    slot.unwatch_log();
  }
  if (slot.first_call || result.duration > milliseconds(10) || now - slot.memory_read > kMemoryReadEvery) {
    slot.memory_peak = std::max(slot.memory_peak, peak_memory_bytes(slot.pid()));
    slot.memory_read = now;
  }
  result.memory_peak_bytes = slot.memory_peak;
  const auto add_record = [&](const std::string& line) {
    if (!line.empty()) result.log += line + "\n";
  };
  if (slot.first_call && slot.spec->logs.json) add_record(init_start_record(slot.spec->logs, clock.wall() - std::chrono::duration_cast<milliseconds>(now - slot.since + slot.init), slot.spec->runtime, slot.spec->name, out.version));
  result.log += std::exchange(slot.init_log, {});
  add_record(start_text(*slot.spec, clock.wall() - std::chrono::duration_cast<milliseconds>(now - slot.since), out.call.invocation.request_id));
  result.log += std::exchange(slot.printed, {});
  // A worker's first call runs code that is not compiled yet and says little.
  if (!slot.first_call) slot.pool->mean = slot.pool->mean.count() == 0 ? result.duration : (slot.pool->mean * 31 + result.duration) / 32;
  slot.first_call = false;
  slot.streaming = false;
  slot.streamed_bytes = 0;
  slot.gathered.clear();
  slot.call.reset();
  --busy;
  return out;
}

// Answers a call: log with START, END and REPORT, times and memory.
void Engine::Impl::report(Finished finished) {
  InvocationResult& result = finished.result;
  const std::string& id = finished.call.invocation.request_id;
  Report report{.duration = result.duration, .init = result.init, .cold = result.cold, .memory_mb = finished.memory_mb, .memory_peak_bytes = result.memory_peak_bytes, .status = {}, .error_type = {}};
  std::string type;
  const auto add = [&](const std::string& line, bool prints) {
    if (line.empty()) return;
    if (prints) print({id, finished.call.invocation.trace_header, finished.function, line});
    result.log += line;
    result.log += '\n';
  };
  const bool prints = prints_reports();
  if (result.outcome == Outcome::kTimedOut) {
    report.status = "timeout";
    if (!finished.call.spec->logs.json) add(timeout_line(clock.wall(), id, finished.call.spec->timeout), true);
  } else if (result.outcome == Outcome::kCrashed) {
    type = error_type(result.payload);
    report.status = "error";
    report.error_type = type;
  }
  for (const std::string& line : end_texts(*finished.call.spec, clock.wall(), id, report)) add(line, prints);
  if (finished.door) {
    const std::string record = report_record({.json = true, .system = LogLevel::kTrace}, clock.wall(), id, report);
    asio::post(background, [door = std::move(finished.door), record] { door->extensions().record("platform.report", boost::json::parse(record).at("record")); });
  }
  finished.call.done(std::move(result));
}

bool Engine::Impl::prints_reports() const { return options.on_log_line && (!options.report_lines || options.report_lines()); }

void Engine::Impl::print(const LogLine& line) const {
  if (options.on_log_line) options.on_log_line(line);
}

// --- the public door -------------------------------------------------------------------------------------------------

namespace {

std::optional<Home> home_of(const asio::any_io_executor& executor) {
  const auto* found = executor.target<Home>();
  return found ? std::optional<Home>(*found) : std::nullopt;
}

}  // namespace

Engine::Engine(asio::io_context& context, const Clock& clock, Entropy& entropy, EngineOptions options)
    : impl_(std::make_shared<Impl>(context, clock, entropy, std::move(options))) {}

Engine::~Engine() { stop(); }

void Engine::prepare(FunctionSpec spec, bool load) {
  auto shared = std::make_shared<const FunctionSpec>(std::move(spec));
  Impl::Locked locked(*impl_);
  if (impl_->stopped || impl_->stopping) return;
  const auto runtime = impl_->runtime_of(shared->runtime);
  if (!runtime) return;
  if (load) impl_->to_warm.push_back(std::move(shared));
  impl_->tend(locked);
  impl_->refill();
}

void Engine::keep(std::shared_ptr<const FunctionSpec> spec, unsigned count) {
  Impl::Locked locked(*impl_);
  impl_->keep(locked, spec, count);
}

Engine::Kept Engine::kept(const std::string& key) const {
  const Impl::Locked locked(*impl_);
  if (const auto failed = impl_->unkeepable.find(key); failed != impl_->unkeepable.end()) return {.wanted = 1, .ready = 0, .failure = failed->second};
  const auto found = impl_->pools.find(key);
  if (found == impl_->pools.end()) return {};
  const Pool& pool = *found->second;
  if (pool.debugged) return {.wanted = 0, .ready = std::numeric_limits<unsigned>::max(), .failure = {}};  // its one environment stands for all
  Kept out{.wanted = pool.keep, .ready = pool.kept_ready, .failure = {}};
  if (out.ready >= out.wanted) return out;
  if (pool.keep_failures >= kKeepFailuresMax) out.failure = kInitFailure;
  else if (impl_->memory_short) out.failure = "This machine has not enough free memory.";
  return out;
}

awaitable<InvocationResult> Engine::invoke(std::shared_ptr<const FunctionSpec> spec, Invocation invocation) {
  auto start = [impl = impl_](auto handler, std::shared_ptr<const FunctionSpec> function, Invocation what) {
    asio::any_io_executor executor = asio::get_associated_executor(handler);
    auto home = home_of(executor);
    auto work = asio::make_work_guard(executor);
    // Runs the caller at once when the answer arrives on its own thread, where no lock is held.
    auto done = [executor, work = std::move(work), handler = std::move(handler)](InvocationResult result) mutable {
      asio::dispatch(executor, [handler = std::move(handler), result = std::move(result)]() mutable { handler(std::move(result)); });
    };
    impl->submit(Call{std::move(function), std::move(what), std::move(done), {}, {}, std::move(home)});
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(InvocationResult)>(std::move(start), use_awaitable, std::move(spec), std::move(invocation));
}

awaitable<InvocationResult> Engine::invoke_streaming(std::shared_ptr<const FunctionSpec> spec, Invocation invocation, ResponseSink& sink) {
  auto pipe = std::make_shared<StreamPipe>();
  impl_->submit(Call{std::move(spec), std::move(invocation), [pipe](InvocationResult result) { pipe->push(std::move(result)); }, {}, pipe,
                     home_of(co_await asio::this_coro::executor)});
  co_return co_await deliver(std::move(pipe), sink);
}

void Engine::retire(const std::string& key) {
  Impl::Locked locked(*impl_);
  impl_->retire(key);
}

void Engine::stop() {
  impl_->kill_all();
  impl_->shutdown();
}

Engine::Stats Engine::stats() const {
  return {impl_->workers, impl_->busy, impl_->waiting, impl_->invocations, impl_->cold_starts, impl_->sent_ahead};
}

}  // namespace parvis::functions
