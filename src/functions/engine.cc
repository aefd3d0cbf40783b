#include "functions/engine.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "functions/engine_impl.h"

namespace parvis::functions {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kScaleWait{5};         // a call that has waited this long starts a worker
constexpr milliseconds kSlow{20};             // functions whose calls take this long on average get workers without a wait
constexpr milliseconds kMemoryReadEvery{100};

microseconds since(Steady::time_point start) { return std::chrono::duration_cast<microseconds>(Steady::now() - start); }

std::string stopping_payload() { return error_payload("Runtime.ExitError", "the function engine is stopping"); }

std::string error_type(const std::string& payload) {
  boost::system::error_code error;
  const auto value = boost::json::parse(payload, error);
  if (error || !value.is_object()) return {};
  const auto* type = value.get_object().if_contains("errorType");
  return type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string();
}

}  // namespace

// --- calls -----------------------------------------------------------------------------------------------------------

void Engine::Impl::submit(Call call) {
  call.queued = Steady::now();
  if (stopped || stopping) return refuse(std::move(call), Outcome::kCrashed, stopping_payload());
  if (call.spec->runtime.rfind("nodejs", 0) != 0) {
    const std::string message = "the runtime " + call.spec->runtime + " of function " + call.spec->name + " is not supported yet: only nodejs runtimes are";
    return refuse(std::move(call), Outcome::kInitError, error_payload("Runtime.InvalidRuntime", message));
  }
  if (call.spec->concurrency_max == 0) return refuse(std::move(call), Outcome::kThrottled, error_payload("TooManyRequestsException", "Rate Exceeded."));
  const auto pool = pool_of(call.spec);
  if (!pool->idle.empty()) {
    auto slot = std::move(pool->idle.back());
    pool->idle.pop_back();
    return assign(slot, std::move(call));
  }
  if (pool->waiting.size() >= options.queue_max) return refuse(std::move(call), Outcome::kThrottled, error_payload("TooManyRequestsException", "Rate Exceeded."));
  pool->waiting.push_back(std::move(call));
  ++waiting;
  dispatch(pool);
}

// Gives waiting calls to idle workers, then starts workers. The first one at once; more for a function that is known
// to be slow, or for calls that have waited kScaleWait: starting one takes longer than many a short call.
void Engine::Impl::dispatch(const std::shared_ptr<Pool>& pool) {
  while (!pool->waiting.empty() && !pool->idle.empty()) {
    auto slot = std::move(pool->idle.back());
    pool->idle.pop_back();
    Call call = std::move(pool->waiting.front());
    pool->waiting.pop_front();
    --waiting;
    assign(slot, std::move(call));
  }
  if (pool->waiting.empty()) return;
  if (pool->total == 0) scale(pool, 1);
  else if (pool->mean > kSlow) scale(pool, static_cast<unsigned>(pool->waiting.size()));
  if (!pool->waiting.empty()) wake_at(std::max(pool->waiting.front().queued + kScaleWait, Steady::now() + milliseconds(1)));
}

void Engine::Impl::assign(const std::shared_ptr<Slot>& slot, Call call) {
  ++busy;
  ++invocations;
  slot->state = Slot::State::kBusy;
  slot->since = Steady::now();
  slot->deadline = slot->since + call.spec->timeout;
  slot->call = std::move(call);
  slot->timed_out = false;
  const auto& environment = slot->spec->environment;
  const auto version = environment.find("AWS_LAMBDA_FUNCTION_VERSION");
  print(*slot, start_line(slot->call->invocation.request_id, version == environment.end() ? "$LATEST" : version->second));
  slot->send(invoke_frame(slot->call->invocation, slot->call->spec->timeout));
  wake_at(slot->deadline);
}

void Engine::Impl::refuse(Call call, Outcome outcome, std::string payload) {
  InvocationResult result;
  result.outcome = outcome;
  result.payload = std::move(payload);
  call.done(std::move(result));
}

// A load that failed answers the call that has waited longest; the others get workers of their own, as on Lambda.
void Engine::Impl::fail_load(Pool& pool, std::string payload, std::string log) {
  if (pool.waiting.empty()) {
    spdlog::warn("function {}: loading failed: {}", pool.spec->name, payload);
    return;
  }
  Call call = std::move(pool.waiting.front());
  pool.waiting.pop_front();
  --waiting;
  InvocationResult result{.outcome = Outcome::kInitError, .payload = std::move(payload), .log = std::move(log), .cold = true};
  const std::string& id = call.invocation.request_id;
  const std::string type = error_type(result.payload);
  const Report report{.memory_mb = call.spec->memory_mb, .status = "error", .error_type = type};
  for (const std::string& line : {start_line(id, "$LATEST"), end_line(id), report_line(id, report)}) {
    if (options.on_log_line) options.on_log_line({id, call.invocation.trace_header, call.spec->name, line});
    result.log += line + "\n";
  }
  call.done(std::move(result));
}

// --- events of workers -----------------------------------------------------------------------------------------------

void Slot::on_frame(char type, unsigned flags, std::string_view body) {
  if (const auto owner = engine.lock()) owner->frame_arrived(*this, type, flags, body);
}
bool Slot::on_log(std::string_view bytes) {
  const auto owner = engine.lock();
  return owner && log.feed(bytes, owner->printer(*this));
}
void Slot::on_end(bool broken_protocol) {
  if (const auto owner = engine.lock()) owner->ended(*this, broken_protocol);
}

void Engine::Impl::frame_arrived(Slot& slot, char type, unsigned flags, std::string_view body) {
  if (slot.ending) return;
  const auto self = slot.self();
  if (type == 'H' && slot.state == Slot::State::kBooting) {
    slot.state = Slot::State::kGeneric;
    boot_failed = false;
    return refill();
  }
  if (type == 'H') return;  // a worker that got its function while it booted
  if (type == 'R' && slot.state == Slot::State::kLoading) {
    slot.drain_log((flags & kFlagLogged) != 0);
    slot.init_log = slot.log.take(printer(slot));
    slot.init = since(slot.since);
    slot.state = Slot::State::kIdle;
    slot.since = Steady::now();
    slot.deadline = Steady::time_point::max();
    const auto pool = slot.pool;
    --pool->loading;
    ++cold_starts;
    if (pool->retired && pool->waiting.empty()) return end_worker(self);
    pool->idle.push_back(self);
    dispatch(pool);
    wake_at(Steady::now() + options.idle_timeout);
    return refill();
  }
  if (type == 'E' && slot.state == Slot::State::kLoading) {
    slot.drain_log((flags & kFlagLogged) != 0);
    const auto pool = slot.pool;
    std::string log = slot.log.take(printer(slot));
    end_worker(self);
    fail_load(*pool, std::string(body), std::move(log));
    return dispatch(pool);
  }
  if ((type == 'P' || type == 'C') && slot.state == Slot::State::kBusy) return piece_arrived(slot, type, body);
  if ((type == 'O' || type == 'F') && slot.state == Slot::State::kBusy) return answer_arrived(slot, type, flags, body);
  spdlog::warn("worker {}: unexpected message, ending it", slot.pid());
  if (slot.state == Slot::State::kIdle || slot.state == Slot::State::kGeneric) return end_worker(self);
  slot.kill();  // the open call is answered when the process has ended
}

// A part of a streamed answer: its content type, then its bytes.
void Engine::Impl::piece_arrived(Slot& slot, char type, std::string_view body) {
  const auto& stream = slot.call->stream;
  if (type == 'P') {
    slot.streaming = true;
    if (stream) stream->push(StreamPipe::Begin{std::string(body)});
    return;
  }
  if (!slot.streaming) return slot.kill();
  slot.streamed_bytes += body.size();
  if (slot.streamed_bytes > (stream ? kStreamBytesMax : kResponseBytesMax)) {
    finish(slot, Outcome::kFunctionError, too_large_payload(stream ? kStreamBytesMax : kResponseBytesMax));
    end_worker(slot.self());
    return dispatch(slot.pool);
  }
  if (!stream) {
    slot.gathered += body;
    return;
  }
  stream->push(std::string(body));
  if (stream->pause_when_full([this, self = slot.self()] { asio::post(strand, [self] { self->resume(); }); })) slot.pause();
}

void Engine::Impl::answer_arrived(Slot& slot, char type, unsigned flags, std::string_view body) {
  const auto self = slot.self();
  slot.drain_log((flags & kFlagLogged) != 0);
  const bool ends = (flags & kFlagExiting) != 0;
  std::string payload(body);
  if (slot.streaming && type == 'O') payload = std::move(slot.gathered);
  Outcome outcome = type == 'O' ? Outcome::kOk : Outcome::kFunctionError;
  if (payload.size() > kResponseBytesMax) {
    outcome = Outcome::kFunctionError;
    payload = too_large_payload(kResponseBytesMax);
  }
  const auto pool = slot.pool;
  finish(slot, outcome, std::move(payload));
  if (ends || (pool->retired && pool->waiting.empty())) {
    end_worker(self);
    return dispatch(pool);
  }
  slot.state = Slot::State::kIdle;
  slot.deadline = Steady::time_point::max();
  slot.since = Steady::now();
  pool->idle.push_back(self);
  dispatch(pool);
  if (!pool->idle.empty()) wake_at(slot.since + options.idle_timeout);
}

// The process is gone, and everything that it had sent was read before.
void Engine::Impl::ended(Slot& slot, bool broken) {
  const auto self = slot.self();
  const auto pool = slot.pool;
  const Slot::State state = slot.state;
  const ExitStatus status = reap_and_forget(slot);
  if (slot.ending) return refill();
  slot.ending = true;
  if (stopping) {  // kill_all() has ended it
    if (state == Slot::State::kBusy) finish(slot, Outcome::kCrashed, stopping_payload());
    forget(slot);
    return shutdown();
  }
  if (state == Slot::State::kBooting || state == Slot::State::kGeneric) {
    if (state == Slot::State::kBooting) {
      boot_failed = true;
      spdlog::error("{} ended while it booted (status {}): {}", options.node_path, status.value, slot.log.take({}));
    }
    return forget(slot);
  }
  if (state == Slot::State::kBusy) {
    const Call& call = *slot.call;
    const std::string& id = call.invocation.request_id;
    if (slot.timed_out) finish(slot, Outcome::kTimedOut, timeout_payload(id, call.spec->timeout));
    else if (broken) finish(slot, Outcome::kCrashed, error_payload("Runtime.ExitError", fmt::format("RequestId: {} Error: Runtime sent an invalid message", id)));
    else finish(slot, Outcome::kCrashed, exit_payload(id, status));
    forget(slot);
  } else if (state == Slot::State::kLoading) {
    std::string log = slot.log.take(printer(slot));
    const std::string id = pool->waiting.empty() ? "" : pool->waiting.front().invocation.request_id;
    std::string payload = slot.timed_out ? timeout_payload(id, std::chrono::duration_cast<milliseconds>(slot.deadline - slot.since)) : exit_payload(id, status);
    forget(slot);
    fail_load(*pool, std::move(payload), std::move(log));
  } else {
    std::erase(pool->idle, self);
    forget(slot);
  }
  if (!stopped) dispatch(pool);
}

// Answers the open call: log with START, END and REPORT, times and memory.
void Engine::Impl::finish(Slot& slot, Outcome outcome, std::string payload) {
  Call call = std::move(*slot.call);
  const std::string& id = call.invocation.request_id;
  InvocationResult result;
  result.outcome = outcome;
  result.payload = std::move(payload);
  result.duration = since(slot.since);
  if (outcome == Outcome::kTimedOut) result.duration = call.spec->timeout;
  result.cold = slot.first_call;
  result.init = slot.first_call ? slot.init : microseconds(0);
  const auto now = Steady::now();
  if (slot.first_call || result.duration > milliseconds(10) || now - slot.memory_read > kMemoryReadEvery) {
    slot.memory_peak = std::max(slot.memory_peak, peak_memory_bytes(slot.pid()));
    slot.memory_read = now;
  }
  result.memory_peak_bytes = slot.memory_peak;

  const auto version = slot.spec->environment.find("AWS_LAMBDA_FUNCTION_VERSION");
  result.log = std::move(slot.init_log);
  slot.init_log.clear();
  result.log += start_line(id, version == slot.spec->environment.end() ? "$LATEST" : version->second) + "\n";
  slot.call = std::move(call);  // print() below names the call's request id
  result.log += slot.log.take(printer(slot));
  Report report{.duration = result.duration, .init = result.init, .cold = result.cold, .memory_mb = slot.spec->memory_mb, .memory_peak_bytes = slot.memory_peak, .status = {}, .error_type = {}};
  std::string type;
  std::vector<std::string> lines;
  if (outcome == Outcome::kTimedOut) {
    lines.push_back(timeout_line(clock.wall(), slot.call->invocation.request_id, slot.spec->timeout));
    report.status = "timeout";
  } else if (outcome == Outcome::kCrashed) {
    type = error_type(result.payload);
    report.status = "error";
    report.error_type = type;
  }
  const std::string request_id = slot.call->invocation.request_id;
  lines.push_back(end_line(request_id));
  lines.push_back(report_line(request_id, report));
  for (const std::string& line : lines) {
    print(slot, line);
    result.log += line + "\n";
  }
  // A worker's first call runs code that is not compiled yet and says little.
  if (!slot.first_call) slot.pool->mean = slot.pool->mean.count() == 0 ? result.duration : (slot.pool->mean * 31 + result.duration) / 32;
  slot.first_call = false;
  slot.streaming = false;
  slot.streamed_bytes = 0;
  slot.gathered.clear();
  --busy;
  auto done = std::move(slot.call->done);
  slot.call.reset();
  done(std::move(result));
}

void Engine::Impl::print(const Slot& slot, std::string_view line) const {
  if (!options.on_log_line) return;
  LogLine printed{.request_id = {}, .trace_header = {}, .function = {}, .line = line};
  if (slot.call) printed.request_id = slot.call->invocation.request_id, printed.trace_header = slot.call->invocation.trace_header;
  if (slot.spec) printed.function = slot.spec->name;
  options.on_log_line(printed);
}

LogCapture::OnLine Engine::Impl::printer(const Slot& slot) const {
  if (!options.on_log_line) return {};
  return [this, &slot](std::string_view line) { print(slot, line); };
}

// --- time ------------------------------------------------------------------------------------------------------------

void Engine::Impl::wake_at(Steady::time_point when) {
  if (when >= timer_at || stopped) return;
  timer_at = when;
  timer.expires_at(when);
  timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (error) return;
    if (const auto self = weak.lock()) self->tick();
  });
}

void Engine::Impl::tick() {
  timer_at = Steady::time_point::max();
  if (stopped) return;
  const auto now = Steady::now();
  wake_at(sweep(now));
}

void Engine::Impl::shutdown() {
  if (stopped) return;
  stopped = true;
  timer.cancel();
  for (auto& [key, pool] : pools) {
    for (Call& call : pool->waiting) {
      --waiting;
      refuse(std::move(call), Outcome::kCrashed, stopping_payload());
    }
    pool->waiting.clear();
    pool->idle.clear();
  }
  const auto all = slots;
  for (const auto& slot : all) {
    if (slot->state == Slot::State::kBusy && slot->call && !slot->ending) finish(*slot, Outcome::kCrashed, stopping_payload());
    end_worker(slot);
  }
  generic.clear();
}

// --- the public door -------------------------------------------------------------------------------------------------

Engine::Engine(asio::io_context& context, const Clock& clock, Entropy& entropy, EngineOptions options)
    : impl_(std::make_shared<Impl>(context, clock, entropy, std::move(options))) {}

Engine::~Engine() { stop(); }

void Engine::prepare(FunctionSpec spec, bool load) {
  auto shared = std::make_shared<const FunctionSpec>(std::move(spec));
  asio::dispatch(impl_->strand, [impl = impl_, shared, load] {
    if (impl->stopped || shared->runtime.rfind("nodejs", 0) != 0) return;
    impl->prebooted_wanted = impl->options.prebooted;
    if (load) {
      const auto pool = impl->pool_of(shared);
      if (pool->total == 0) impl->start_worker(pool);
    }
    impl->refill();
  });
}

awaitable<InvocationResult> Engine::invoke(std::shared_ptr<const FunctionSpec> spec, Invocation invocation) {
  auto start = [impl = impl_](auto handler, std::shared_ptr<const FunctionSpec> function, Invocation what) {
    auto executor = asio::get_associated_executor(handler);
    auto work = asio::make_work_guard(executor);
    auto done = [executor, work = std::move(work), handler = std::move(handler)](InvocationResult result) mutable {
      // Posted, never called: the caller must not run inside the engine.
      asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable { handler(std::move(result)); });
    };
    asio::dispatch(impl->strand, [impl, call = Call{std::move(function), std::move(what), std::move(done), {}, {}}]() mutable { impl->submit(std::move(call)); });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(InvocationResult)>(std::move(start), use_awaitable, std::move(spec), std::move(invocation));
}

awaitable<InvocationResult> Engine::invoke_streaming(std::shared_ptr<const FunctionSpec> spec, Invocation invocation, ResponseSink& sink) {
  auto pipe = std::make_shared<StreamPipe>();
  Call call{std::move(spec), std::move(invocation), [pipe](InvocationResult result) { pipe->push(std::move(result)); }, {}, pipe};
  asio::dispatch(impl_->strand, [impl = impl_, call = std::move(call)]() mutable { impl->submit(std::move(call)); });
  co_return co_await deliver(std::move(pipe), sink);
}

void Engine::retire(const std::string& key) {
  asio::dispatch(impl_->strand, [impl = impl_, key] { impl->retire(key); });
}

void Engine::stop() {
  impl_->kill_all();
  asio::dispatch(impl_->strand, [impl = impl_] { impl->shutdown(); });
}

Engine::Stats Engine::stats() const {
  return {impl_->workers, impl_->busy, impl_->waiting, impl_->invocations, impl_->cold_starts};
}

}  // namespace parvis::functions
