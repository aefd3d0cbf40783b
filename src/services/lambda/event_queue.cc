#include "services/lambda/event_queue.h"

#include <queue>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"

namespace parvis::lambda {
namespace {

constexpr int kAttemptsMax = 3;
constexpr std::chrono::milliseconds kPoll{1000};  // how soon an advanced clock is noticed

struct Event {
  FunctionRef ref;
  functions::Invocation invocation;
  int attempts = 0, throttles = 0;
  Millis due{}, accepted{};
};

std::string to_json(const Event& event) {
  return boost::json::serialize(boost::json::object{{"format", 1}, {"account", event.ref.scope.account},
      {"region", event.ref.scope.region}, {"name", event.ref.name}, {"request_id", event.invocation.request_id},
      {"payload", event.invocation.payload}, {"trace", event.invocation.trace_header}, {"arn", event.invocation.function_arn},
      {"client_context", event.invocation.client_context}, {"attempts", event.attempts}, {"throttles", event.throttles},
      {"due", event.due.time_since_epoch().count()}, {"accepted", event.accepted.time_since_epoch().count()}});
}

std::optional<Event> parse_event(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  const auto time = [&](std::string_view key) { return Millis{std::chrono::milliseconds{o.at(key).as_int64()}}; };
  if (o.at("format").as_int64() != 1) return std::nullopt;
  Event event;
  event.ref = {{text("account"), text("region")}, text("name"), {}};
  event.invocation = {text("request_id"), text("payload"), text("trace"), text("arn"), text("client_context")};
  event.attempts = o.at("attempts").to_number<int>();
  event.throttles = o.at("throttles").to_number<int>();
  event.due = time("due");
  event.accepted = time("accepted");
  return event;
} catch (const std::exception&) {
  return std::nullopt;
}

struct Waiting {
  Millis due;
  std::string key;
  bool operator<(const Waiting& other) const { return due > other.due; }  // the earliest on top
};

}  // namespace

struct EventQueue::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor executor, storage::Store& store, Invoker& invoker, const Clock& clock, Entropy& entropy,
        EventQueueOptions options)
      : strand(asio::make_strand(executor)), timer(strand), store(store), invoker(invoker), clock(clock), entropy(entropy),
        options(options) {}

  asio::strand<asio::any_io_executor> strand;  // guards all that follows, except the atomics
  asio::steady_timer timer;
  storage::Store& store;
  Invoker& invoker;
  const Clock& clock;
  Entropy& entropy;
  EventQueueOptions options;
  std::priority_queue<Waiting> heap;
  std::size_t in_flight = 0;
  std::atomic<std::size_t> total{0};
  std::atomic<std::size_t> running{0};
  std::atomic<bool> stopping{false};

  // From any thread. The event is counted already.
  void push(Waiting waiting) {
    asio::post(strand, [self = shared_from_this(), waiting = std::move(waiting)]() mutable {
      self->heap.push(std::move(waiting));
      self->timer.cancel();
    });
  }

  static awaitable<> loop(std::shared_ptr<State> self) {
    while (!self->stopping) {
      const Millis now = self->clock.due();
      while (!self->heap.empty() && self->heap.top().due <= now && self->in_flight < self->options.in_flight_max) {
        std::string key = self->heap.top().key;
        self->heap.pop();
        ++self->in_flight;
        ++self->running;
        asio::co_spawn(self->strand, deliver(self, std::move(key)), [self](std::exception_ptr failed) {
          if (failed) spdlog::error("lambda: the delivery of an asynchronous event ended with an unexpected error");
          --self->in_flight;
          --self->running;
          self->timer.cancel();
        });
      }
      const bool idle = self->heap.empty() || self->in_flight >= self->options.in_flight_max;
      self->timer.expires_after(idle ? std::chrono::milliseconds(3'600'000)
                                     : std::clamp(self->heap.top().due - now, std::chrono::milliseconds(1), kPoll));
      co_await self->timer.async_wait(asio::as_tuple(use_awaitable));
    }
  }

  enum class Verdict { kDone, kError, kLater };
  static awaitable<Verdict> run_once(std::shared_ptr<State> self, const Event& event) {
    try {
      const CallResult call = co_await self->invoker.run(event.ref, event.invocation);
      co_return call.function_error ? Verdict::kError : Verdict::kDone;
    } catch (const aws::ApiError& failed) {
      if (failed.code() == kTooManyRequests.code || failed.fault() == aws::Fault::kServer) co_return Verdict::kLater;
      spdlog::warn("lambda: an asynchronous event of {} cannot be delivered: {}", event.ref.name, failed.message());
      co_return Verdict::kDone;  // the function is gone
    }
  }

  static awaitable<> deliver(std::shared_ptr<State> self, std::string key) {
    const auto value = co_await self->store.snapshot()->get(key);
    std::optional<Event> event = value ? parse_event(value->bytes) : std::nullopt;
    if (!event) {
      if (value) spdlog::error("lambda: a stored asynchronous event cannot be read and is left where it is");
      --self->total;
      co_return;
    }
    const Verdict verdict = co_await run_once(self, *event);
    if (verdict != Verdict::kDone && self->stopping) co_return;  // the next start finds it
    bool drop = verdict == Verdict::kDone;
    const Millis now = self->clock.due();
    if (verdict == Verdict::kError) {
      drop = ++event->attempts >= kAttemptsMax;
      event->due = now + (event->attempts == 1 ? self->options.first_retry : self->options.second_retry);
    } else if (verdict == Verdict::kLater) {
      event->due = now + std::min(std::chrono::milliseconds(1000) * (1 << std::min(event->throttles++, 9)), std::chrono::milliseconds(300'000));
    }
    if (!drop && event->due - event->accepted > self->options.age_max) drop = true;
    if (drop && verdict != Verdict::kDone) {
      spdlog::warn("lambda: an asynchronous event of {} is dropped after {} attempts (request {})", event->ref.name, event->attempts,
                   event->invocation.request_id);
    }
    co_await settle(self, std::move(key), std::move(*event), drop);
  }

  // Writes the outcome down. While the store refuses, the event stays as it was and is tried again.
  static awaitable<> settle(std::shared_ptr<State> self, std::string key, Event event, bool drop) {
    Millis due = event.due;
    try {
      storage::Commit commit;
      if (drop) commit.erase(key); else commit.put(key, to_json(event));
      co_await commit_plain(self->store, std::move(commit));
      if (drop) {
        --self->total;
        co_return;
      }
    } catch (const aws::ApiError& failed) {
      spdlog::error("lambda: the outcome of an asynchronous event could not be stored: {}", failed.message());
      due = self->clock.due() + std::chrono::seconds(1);
    }
    self->push({due, std::move(key)});
  }

  awaitable<> load_scope(std::string account, std::string region) {
    const std::string prefix = event_prefix(account, region);
    storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix)};
    while (true) {
      const storage::ScanPage page = co_await store.snapshot()->scan(range);
      for (const storage::Entry& entry : page.entries) {
        const std::optional<Event> event = parse_event(entry.value);
        if (!event) {
          spdlog::error("lambda: a stored asynchronous event cannot be read and is left where it is");
          continue;
        }
        ++total;
        push({event->due, entry.key});
      }
      if (!page.more || page.entries.empty()) co_return;
      range.begin = page.entries.back().key + '\0';
    }
  }
};

EventQueue::EventQueue(asio::any_io_executor executor, storage::Store& store, Invoker& invoker, const Clock& clock, Entropy& entropy,
                       EventQueueOptions options)
    : state_(std::make_shared<State>(std::move(executor), store, invoker, clock, entropy, options)) {}

EventQueue::~EventQueue() {
  state_->stopping = true;
  asio::post(state_->strand, [state = state_] { state->timer.cancel(); });
}

awaitable<> EventQueue::start() {
  for (const aws::Scope& scope : co_await stored_scopes(state_->store)) co_await state_->load_scope(scope.account, scope.region);
  asio::co_spawn(state_->strand, State::loop(state_), asio::detached);
}

awaitable<> EventQueue::submit(FunctionRef ref, functions::Invocation invocation) {
  if (state_->total >= state_->options.waiting_max) {
    throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", "CallerRateLimitExceeded"}});
  }
  const Millis now = state_->clock.due();
  Event event{.ref = std::move(ref), .invocation = std::move(invocation), .due = now, .accepted = now};
  const std::string key = event_key(event.ref.scope.account, event.ref.scope.region, state_->entropy.uuid());
  storage::Commit commit;
  commit.put(key, to_json(event));
  co_await commit_plain(state_->store, std::move(commit));
  ++state_->total;
  state_->push({now, key});
}

awaitable<> EventQueue::stop(std::chrono::milliseconds limit) {
  state_->stopping = true;
  asio::post(state_->strand, [state = state_] { state->timer.cancel(); });
  asio::steady_timer wait(co_await asio::this_coro::executor);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (state_->running > 0 && std::chrono::steady_clock::now() < deadline) {
    wait.expires_after(std::chrono::milliseconds(20));
    co_await wait.async_wait(asio::as_tuple(use_awaitable));
  }
}

std::size_t EventQueue::waiting() const { return state_->total; }

}  // namespace parvis::lambda
