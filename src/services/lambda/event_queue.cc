#include "services/lambda/event_queue.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/time_format.h"
#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"
#include "storage/retry.h"

namespace parvis::lambda {
namespace {

constexpr std::string_view kKind = "lambda.event";

std::string to_body(const FunctionRef& ref, const functions::Invocation& invocation) {
  return boost::json::serialize(boost::json::object{{"format", 1}, {"qualifier", ref.qualifier}, {"request_id", invocation.request_id}, {"payload", invocation.payload},
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

std::string qualifier_in(std::string_view body) {
  const boost::json::value value = boost::json::parse(body);
  const auto* qualifier = value.as_object().if_contains("qualifier");
  return qualifier ? std::string(qualifier->as_string()) : std::string();
}

tasks::Task to_task(const FunctionRef& ref, const functions::Invocation& invocation) {
  return {.kind = std::string(kKind), .target = ref.scope.account + "/" + ref.scope.region + "/" + ref.name,
          .account = ref.scope.account, .region = ref.scope.region, .body = to_body(ref, invocation)};
}

std::string name_in(const std::string& target) { return target.substr(target.rfind('/') + 1); }

}  // namespace

EventQueue::EventQueue(asio::any_io_executor executor, storage::Store& store, Invoker& invoker, const Clock& clock, Entropy& entropy,
                       EventQueueOptions options)
    : store_(store), invoker_(invoker), clock_(clock), entropy_(entropy), options_(options), queue_(std::move(executor), store, clock, entropy) {
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
  const FunctionRef ref{{task.account, task.region}, name_in(task.target), qualifier_in(task.body)};
  std::optional<CallResult> call;
  std::string reason = fmt::format("the function failed, attempt {}", task.failures + 1);
  try {
    call = co_await invoker_.run(ref, *invocation);
  } catch (const aws::ApiError& failed) {
    const bool passes = failed.code() == kTooManyRequests.code || failed.fault() == aws::Fault::kServer;
    if (!passes) co_return tasks::Outcome{tasks::Verdict::kDead, failed.message()};  // the function is gone
    reason = failed.message();
  }
  EventRules rules;
  if (options_.rules) rules = co_await options_.rules(ref);
  if (call && !call->function_error) {
    co_await tell(task, *invocation, rules.on_success, "Success", std::move(call));
    co_return tasks::Outcome{};
  }
  const bool last = call && task.failures + 1 >= rules.attempts_max;
  const std::chrono::milliseconds wait = !call ? std::min(std::chrono::milliseconds(1000) * (1 << std::min(task.delays, 9)), std::chrono::milliseconds(300'000))
                                         : task.failures == 0 ? options_.first_retry : options_.second_retry;
  const bool expired = clock_.due() + wait - task.accepted > rules.age_max;
  const tasks::Verdict verdict = last || expired ? tasks::Verdict::kDead : call ? tasks::Verdict::kFailed : tasks::Verdict::kLater;
  if (verdict == tasks::Verdict::kDead) {
    co_await tell(task, *invocation, rules.on_failure, last ? "RetriesExhausted" : "EventAgeExceeded", std::move(call));
  }
  co_return tasks::Outcome{verdict, std::move(reason)};
}

// The record that a destination receives. Source: Developer Guide, "Adding a destination" (example records).
awaitable<> EventQueue::tell(const tasks::Task& task, const functions::Invocation& invocation, std::string destination,
                             std::string_view condition, std::optional<CallResult> call) {
  if (destination.empty()) co_return;
  boost::json::error_code ignored;
  const auto json = [&](const std::string& text) { return text.empty() ? boost::json::value(nullptr) : boost::json::parse(text, ignored); };
  const FunctionRef ref{{task.account, task.region}, name_in(task.target), qualifier_in(task.body)};
  boost::json::object record{{"version", "1.0"}, {"timestamp", format_iso8601(clock_.due())},
      {"requestContext", {{"requestId", invocation.request_id},
                          {"functionArn", ref.qualifier.empty() ? ref.arn() + ":$LATEST" : ref.qualified_arn()},
                          {"condition", condition}, {"approximateInvokeCount", task.failures + (call ? 1 : 0)}}},
      {"requestPayload", json(invocation.payload)}};
  if (call) {
    boost::json::object context{{"statusCode", 200}, {"executedVersion", call->version}};
    if (call->function_error) context["functionError"] = "Unhandled";
    record["responseContext"] = std::move(context);
    record["responsePayload"] = json(call->result.payload);
  }
  FunctionRef to = parse_function_ref(ref.scope, destination);
  co_await submit(std::move(to), {entropy_.uuid(), boost::json::serialize(record), invocation.trace_header, destination, {}});
}

awaitable<> EventQueue::drop(tasks::Task task, std::string reason) {
  const std::optional<functions::Invocation> invocation = parse_body(task.body);
  spdlog::warn("lambda: an asynchronous event of {} is dropped (request {}): {}", name_in(task.target),
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
