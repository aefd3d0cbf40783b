// What workers do besides answering: boot, load, fail and end; and time.
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "functions/debugging.h"

namespace parvis::functions {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQueueWaitMax{60'000};
constexpr milliseconds kScaleWaitShort{50};      // for functions whose workers would empty the queue sooner than one starts
constexpr milliseconds kSaturatedWaitMax{500};   // after this a call gets its worker although the processors are busy
constexpr milliseconds kBlockedCheck{50};        // how often calls look again whether a limit has room
constexpr milliseconds kMemoryCheck{25};         // where nothing else bounds memory: how often it is looked at
constexpr milliseconds kEndGrace{500};           // Lambda's shutdown phase

bool wants_telemetry(const Slot& slot) { return slot.door && slot.door->extensions().wants_telemetry(); }

constexpr milliseconds kInitTimeoutMin{10'000};   // Lambda's limit of the init phase

}  // namespace

// --- events, on the home's thread --------------------------------------------------------------------------------------

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
void Slot::kill_process() {
  const auto owner = engine.lock();
  if (!owner) return;
  const std::lock_guard lock(owner->live_mutex);
  if (owner->live.contains(pid())) kill_group(pid());
}
void Slot::drain(unsigned flags) {
  if ((flags & kFlagLogged) != 0) drain_log(true);
  else if (door) drain_log(false);  // knows no marks; what it printed before its answer is in the pipe
}
void Slot::take_log() {
  if (const auto owner = engine.lock()) printed += log.take(owner->printer(*this));
}

LogCapture::OnLine Engine::Impl::printer(const Slot& slot) const {
  if (!options.on_log_line && !wants_telemetry(slot)) return {};
  return [this, &slot](std::string_view line) {  // two pointers: they fit into the function object, which is made for each call
    const bool telemetry = wants_telemetry(slot);
    const bool of_extension = line.starts_with(kExtensionMark);
    if (of_extension) line.remove_prefix(1);
    if (telemetry) asio::post(background, [door = slot.door, of_extension, text = std::string(line)] { door->extensions().record(of_extension ? "extension" : "function", boost::json::string(text)); });
    if (!options.on_log_line) return;
    LogLine printed{.request_id = {}, .trace_header = {}, .function = {}, .line = line};
    if (slot.call) printed.request_id = slot.call->invocation.request_id, printed.trace_header = slot.call->invocation.trace_header;
    if (slot.spec) printed.function = slot.spec->name;
    print(printed);
  };
}

void Engine::Impl::frame_arrived(Slot& slot, char type, unsigned flags, std::string_view body) {
  if (type == 'O' || type == 'F') {
    if (slot.state == Slot::State::kBusy) return answer_arrived(slot, type, flags, body);
  } else if (type == 'P' || type == 'C') {
    if (slot.state == Slot::State::kBusy) return piece_arrived(slot, type, body);
  } else if (type == 'H') {
    Locked locked(*this);
    if (slot.ending) return;
    if (slot.state == Slot::State::kBooting) {
      slot.state = Slot::State::kGeneric;
      --slot.runtime->booting;
      refill();
    }
    return;  // one that is loading already was handed its function before it had booted
  } else if (type == 'D') {
    if (slot.door && slot.ending) return slot.kill();  // its extensions have said goodbye
    if (slot.state == Slot::State::kFinishing) {
      Locked locked(*this);
      if (slot.ending) return;
      --slot.pool->finishing;
      return rest(locked, slot.self());
    }
  } else if (slot.state == Slot::State::kLoading) {
    if (type == 'N' && debugger_told(slot, body)) return;
    if (type == 'R' || type == 'E') return type == 'R' ? loaded(slot, flags) : load_failed(slot, flags, body);
  }
  spdlog::warn("worker {}: unexpected message '{}', ending it", slot.pid(), type);
  slot.kill();  // the open call is answered when the process has ended
}

void Engine::Impl::loaded(Slot& slot, unsigned flags) {
  const auto self = slot.self();
  slot.drain(flags);
  slot.init_log += slot.log.take(printer(slot));
  const std::uint64_t memory = private_memory_bytes(slot.pid());
  Locked locked(*this);
  if (slot.ending || slot.timed_out) return;
  if (slot.log_watched) {
    slot.log_watched = false;
    slot.unwatch_log();
  }
  const auto pool = slot.pool;
  slot.init = std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - slot.since);
  --pool->loading;
  ++cold_starts;
  if (slot.kept) ++pool->kept_ready, pool->keep_failures = 0;
  slot.memory_bytes = memory;
  if (slot.warmed) warm_estimate_bytes = memory;
  slot.remote_calls = 0;
  if (pool->caller && *pool->caller != slot.home()) {
    slot.state = Slot::State::kMoving;
    slot.deadline = Steady::time_point::max();
    locked.after([this, self, home = *pool->caller] {
      self->move_to(home, [this, self] {
        Locked moved(*this);
        if (!self->ending) rest(moved, self);
      });
    });
  } else {
    rest(locked, self);
  }
  tend(locked);
  refill();
}

void Engine::Impl::load_failed(Slot& slot, unsigned flags, std::string_view body) {
  slot.drain(flags);
  std::string log = slot.log.take(printer(slot));
  Locked locked(*this);
  if (slot.ending) return;
  const auto pool = slot.pool;
  end_worker(slot.self());
  fail_load(locked, pool, std::string(body), std::move(log));
  dispatch(locked, pool);
  tend(locked);
}

// The process is gone, and everything that it had sent was read before.
void Engine::Impl::ended(Slot& slot, bool broken) {
  const auto self = slot.self();
  bool was_ending = true;
  {
    Locked locked(*this);  // from here on no call is given to it
    was_ending = std::exchange(slot.ending, true);
    if (slot.pool) std::erase(slot.pool->idle, self);
    if (!stopping) take_back(slot);  // before its ends are closed; dispatched below
  }
  const bool hungry = slot.cell->out_of_memory();
  const ExitStatus status = reap_worker(slot);
  slot.take_log();
  std::optional<Finished> finished;
  {
    Locked locked(*this);
    slots.erase(self);
    if (was_ending) {
      tend(locked);
      return refill();
    }
    const auto pool = slot.pool;
    const Slot::State state = slot.state;
    if (state == Slot::State::kBusy && slot.call) {
      const std::string id = slot.call->invocation.request_id;
      const auto& spec = *slot.call->spec;
      if (stopping) finished = take_finished(slot, Outcome::kCrashed, stopping_payload());
      else if (slot.out_of_memory) finished = take_finished(slot, Outcome::kCrashed, out_of_memory_payload(id));
      else if (slot.timed_out) finished = take_finished(slot, Outcome::kTimedOut, timeout_payload(id, spec.timeout));
      else if (broken) finished = take_finished(slot, Outcome::kCrashed, error_payload("Runtime.ExitError", fmt::format("RequestId: {} Error: Runtime sent an invalid message", id)));
      else finished = take_finished(slot, Outcome::kCrashed, hungry ? out_of_memory_payload(id) : exit_payload(id, status));
    }
    forget(slot);
    if (state == Slot::State::kBooting && !stopping) {
      slot.runtime->boot_failed = true;
      spdlog::error("{} ended while it booted (status {}): {}", slot.runtime->interpreter, status.value, slot.printed);
    }
    if (state == Slot::State::kLoading && !stopping) {
      const std::string id = pool->waiting.empty() ? "" : pool->waiting.front().invocation.request_id;
      fail_load(locked, pool, slot.out_of_memory ? out_of_memory_payload(id) : slot.timed_out ? timeout_payload(id, std::chrono::duration_cast<milliseconds>(slot.deadline - slot.since)) : hungry ? out_of_memory_payload(id) : exit_payload(id, status),
                std::move(slot.printed));
    }
    if (pool && !stopping && !stopped) dispatch(locked, pool);
    tend(locked);
  }
  if (finished) report(std::move(*finished));
}

// --- time ------------------------------------------------------------------------------------------------------------

std::chrono::milliseconds limit_of(const Slot& slot) {
  const milliseconds timeout = slot.call ? slot.call->spec->timeout : slot.spec->timeout;
  return slot.state == Slot::State::kLoading ? std::max(kInitTimeoutMin, timeout) : timeout;
}

// Locked, any thread. The timer itself is touched on `background` only.
void Engine::Impl::wake_at(Steady::time_point when) {
  if (when >= timer_at || stopped) return;
  timer_at = when;
  asio::post(background, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    {
      const std::lock_guard lock(self->mutex);
      if (self->stopped) return;
      self->timer.expires_at(self->timer_at);
    }
    self->timer.async_wait([weak](boost::system::error_code error) {
      if (error) return;
      if (const auto owner = weak.lock()) owner->tick();
    });
  });
}

void Engine::Impl::tick() {
  std::unique_lock look(mutex);
  const bool look_at_memory = !stopped && memory_at <= Steady::now() && !slots.empty();
  look.unlock();
  const std::optional<Memory> memory = look_at_memory ? options.memory() : std::nullopt;
  Locked locked(*this);
  timer_at = Steady::time_point::max();
  if (stopped) return;
  const auto now = Steady::now();
  if (look_at_memory) memory_at = relieve(memory, now);
  wake_at(std::min(sweep(locked, now), slots.empty() ? Steady::time_point::max() : memory_at));
  tend(locked);
}

Steady::time_point Engine::Impl::sweep(Locked& locked, Steady::time_point now) {
  auto next = Steady::time_point::max();
  const std::vector<std::shared_ptr<Slot>> all(slots.begin(), slots.end());
  for (const auto& slot : all) {
    if (slot->ending) {
      if (slot->deadline <= now) slot->kill();
      else next = std::min(next, slot->deadline);
    } else if (slot->state == Slot::State::kBusy || slot->state == Slot::State::kLoading) {
      if (slot->deadline <= now && !renew_limit(*slot, now)) {
        if (slot->timed_out) continue;
        slot->timed_out = true;
        slot->kill();
        continue;
      }
      next = std::min(next, slot->deadline);
      if (slot->since + kLogWatchAfter <= now && !slot->out_of_memory && !slot->pool->debugged) {
        next = std::min(next, now + kMemoryCheck);
        if (private_memory_bytes(slot->pid()) > std::uint64_t(slot->spec->memory_mb) << 20) {
          slot->out_of_memory = slot->timed_out = true;
          slot->kill();
          continue;
        }
      }
      if (!slot->ahead.empty() && slot->since + kTakeBackAfter > now) next = std::min(next, slot->since + kTakeBackAfter);
      else if (take_back(*slot)) dispatch(locked, slot->pool);
      if (slot->log_watched) continue;
      if (slot->since + kLogWatchAfter <= now) {
        // One that was not taken back is at work already, or soon will be: its output must not be read as the open call's.
        if (!slot->ahead.empty()) continue;
        slot->log_watched = true;
        asio::post(slot->home(), [this, slot] {
          const std::lock_guard lock(mutex);
          if (slot->log_watched && !slot->ending) slot->watch_log();
        });
      } else {
        next = std::min(next, slot->since + kLogWatchAfter);
      }
    } else if (slot->state == Slot::State::kFinishing) {
      if (slot->deadline <= now) end_worker(slot);
      else next = std::min(next, slot->deadline);
    } else if (slot->state == Slot::State::kIdle) {
      if (slot->pool->debugged || (slot->kept && slot->pool->kept <= slot->pool->keep)) continue;
      if (slot->since + options.idle_timeout <= now) end_worker(slot);
      else next = std::min(next, slot->since + options.idle_timeout);
    }
  }
  for (auto at = pools.begin(); at != pools.end();) {
    const auto pool = (at++)->second;
    while (!pool->debugged && !pool->waiting.empty() && pool->waiting.front().queued + kQueueWaitMax <= now) {
      Call call = std::move(pool->waiting.front());
      pool->waiting.pop_front();
      --waiting;
      refuse(std::move(call), Outcome::kThrottled, error_payload("TooManyRequestsException", "Rate Exceeded."));
    }
    const bool drains_soon = pool->total > 0 && pool->mean.count() > 0 && pool->mean * pool->waiting.size() / pool->total < kScaleWait;
    const auto patience = drains_soon ? kScaleWaitShort : kScaleWait;
    const auto overdue = std::count_if(pool->waiting.begin(), pool->waiting.end(), [&](const Call& call) { return call.queued + patience <= now; });
    const bool patient = pool->total > 0 && overdue > 0 && pool->waiting.front().queued + kSaturatedWaitMax > now;
    if (overdue > 0 && !(patient && processors_busy())) scale(locked, pool, static_cast<unsigned>(overdue));
    if (!pool->waiting.empty()) next = std::min(next, now + (overdue > 0 ? kBlockedCheck : kScaleWait));
    if (pool->total == 0 && pool->waiting.empty() && pool->keep == 0 && (!pool->debugged || pool->retired)) pools.erase(pool->spec->key);
  }
  return next;
}

void Engine::Impl::shutdown() {
  Locked locked(*this);
  if (stopped) return;
  stopped = true;
  asio::post(background, [self = shared_from_this()] { self->timer.cancel(); });
  for (auto& [key, pool] : pools) {
    for (Call& call : pool->waiting) {
      --waiting;
      refuse(std::move(call), Outcome::kCrashed, stopping_payload());
    }
    pool->waiting.clear();
    pool->idle.clear();
  }
  to_warm.clear();
  for (auto& [name, runtime] : runtimes) runtime->generic.clear();
  for (const auto& port : debug_ports) port->close();
  debug_ports.clear();
}

void Engine::Impl::kill_all() {
  const std::lock_guard lock(live_mutex);
  stopping = true;
  for (const pid_t pid : live) kill_group(pid);
  for (const pid_t pid : live) reap(pid, true);
  live.clear();
}

// The worker takes no further call and is out of all counts. One that is at rest may say goodbye; sweep() ends it for good.
void Engine::Impl::end_worker(const std::shared_ptr<Slot>& slot) {
  if (slot->ending) return;
  const bool asks = slot->state == Slot::State::kIdle || slot->state == Slot::State::kBusy || slot->state == Slot::State::kFinishing;
  const bool at_rest = asks && !slot->call && !stopping;
  slot->ending = true;
  forget(*slot);
  const auto grace = slot->door ? slot->door->extensions().shutdown_grace() : kEndGrace;
  if (!at_rest || grace <= milliseconds(0)) return slot->kill();
  slot->deadline = Steady::now() + grace;
  slot->send(frame('T', {}));
  wake_at(slot->deadline);
}

// Takes the worker out of all counts. Its process may live a little longer.
void Engine::Impl::forget(Slot& slot) {
  const auto self = slot.self();
  if (slot.state == Slot::State::kBooting) --slot.runtime->booting;
  std::erase(slot.runtime->generic, self);
  if (!slot.pool) return;
  if (!stopping && !stopped) take_back(slot);
  for (Call& call : slot.ahead) {
    const std::string id = call.invocation.request_id;
    refuse(std::move(call), Outcome::kCrashed, stopping || stopped ? stopping_payload() : exit_payload(id, {}));
  }
  slot.ahead.clear();
  std::erase(slot.pool->idle, self);
  if (slot.state == Slot::State::kLoading) --slot.pool->loading;
  if (slot.state == Slot::State::kFinishing) --slot.pool->finishing;
  --slot.pool->total;
  --workers;
  if (!slot.kept) return;
  --slot.pool->kept;
  --kept;
  if (slot.state == Slot::State::kLoading) keep_failed(*slot.pool);
  else --slot.pool->kept_ready;
}

}  // namespace parvis::functions
