#include "services/lambda/event_queue.h"

#include <spdlog/spdlog.h>

#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"
#include "storage/retry.h"

namespace parvis::lambda {
namespace {

constexpr std::string_view kKind = "lambda.event";

std::string to_body(const functions::Invocation& invocation) {
  return boost::json::serialize(boost::json::object{{"format", 1}, {"request_id", invocation.request_id}, {"payload", invocation.payload},
      {"trace", invocation.trace_header}, {"arn", invocation.function_arn}, {"client_context", invocation.client_context}});
}

std::optional<functions::Invocation> parse_body(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  if (o.at("format").as_int64() != 1) return std::nullopt;
  return functions::Invocation{text("request_id"), text("payload"), text("trace"), text("arn"), text("client_context")};
} catch (const std::exception&) {
  return std::nullopt;
}

tasks::Task to_task(const FunctionRef& ref, const functions::Invocation& invocation) {
  return {.kind = std::string(kKind), .target = ref.scope.account + "/" + ref.scope.region + "/" + ref.name,
          .account = ref.scope.account, .region = ref.scope.region, .body = to_body(invocation)};
}

std::string name_in(const std::string& target) { return target.substr(target.rfind('/') + 1); }

}  // namespace

EventQueue::EventQueue(asio::any_io_executor executor, storage::Store& store, Invoker& invoker, const Clock& clock, Entropy& entropy,
                       EventQueueOptions options)
    : store_(store), invoker_(invoker), queue_(std::move(executor), store, clock, entropy) {
  tasks::Kind kind;
  kind.run = [this](tasks::Task task) { return run(std::move(task)); };
  kind.on_dead = [this](tasks::Task task, std::string reason) { return drop(std::move(task), std::move(reason)); };
  kind.retry_after = {options.first_retry, options.second_retry};
  kind.age_max = options.age_max;
  kind.running_per_target_max = options.in_flight_max;
  kind.waiting_max = options.waiting_max;
  queue_.add_kind(std::string(kKind), std::move(kind));
}

awaitable<> EventQueue::start() {
  for (const aws::Scope& scope : co_await stored_scopes(store_)) co_await adopt(scope);
  co_await queue_.start();
}

// Events that an earlier version accepted under keys of its own become tasks, each in one commit.
awaitable<> EventQueue::adopt(aws::Scope scope) {
  const std::string prefix = event_prefix(scope.account, scope.region);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix)};
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await store_.snapshot()->scan(range);
    for (const storage::Entry& entry : page.entries) {
      const std::optional<functions::Invocation> invocation = parse_body(entry.value);
      if (!invocation) {
        spdlog::error("lambda: a stored asynchronous event cannot be read and is left where it is");
        continue;
      }
      const FunctionRef ref{scope, invocation->function_arn.substr(invocation->function_arn.rfind(':') + 1), {}};
      storage::Commit commit;
      commit.erase(entry.key);
      if (queue_.add_to(commit, to_task(ref, *invocation))) co_await commit_plain(store_, std::move(commit));
    }
    more = page.more && !page.entries.empty();
    if (more) range.begin = page.entries.back().key + '\0';
  }
}

awaitable<tasks::Outcome> EventQueue::run(tasks::Task task) {
  std::optional<functions::Invocation> invocation = parse_body(task.body);
  if (!invocation) co_return tasks::Outcome{tasks::Verdict::kDead, "the stored event cannot be read"};
  const FunctionRef ref{{task.account, task.region}, name_in(task.target), {}};
  try {
    const CallResult call = co_await invoker_.run(ref, std::move(*invocation));
    if (call.function_error) co_return tasks::Outcome{tasks::Verdict::kFailed, "the function failed"};
    co_return tasks::Outcome{};
  } catch (const aws::ApiError& failed) {
    const bool passes = failed.code() == kTooManyRequests.code || failed.fault() == aws::Fault::kServer;
    // Otherwise the function is gone.
    co_return tasks::Outcome{passes ? tasks::Verdict::kLater : tasks::Verdict::kDead, failed.message()};
  }
}

awaitable<> EventQueue::drop(tasks::Task task, std::string reason) {
  const std::optional<functions::Invocation> invocation = parse_body(task.body);
  spdlog::warn("lambda: an asynchronous event of {} is dropped after {} failures (request {}): {}", name_in(task.target), task.failures,
               invocation ? invocation->request_id : "unknown", reason);
  co_return;
}

awaitable<> EventQueue::submit(FunctionRef ref, functions::Invocation invocation) {
  const auto done = co_await queue_.submit(to_task(ref, invocation));
  if (done) co_return;
  if (done.error().code == storage::StoreErrc::kBusy) throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", "CallerRateLimitExceeded"}});
  throw to_api_error(done.error());
}

awaitable<> EventQueue::stop(std::chrono::milliseconds limit) { return queue_.stop(limit); }

std::size_t EventQueue::waiting() const { return queue_.waiting(std::string(kKind)); }

}  // namespace parvis::lambda
