// lambda/event_queue.h: asynchronous invocations: durable before they are accepted, run as tasks (tasks/task_queue.h),
// tried three times. What was accepted survives a crash; a crash during a run makes it run again (at least once, as on AWS).
//
// A function error is tried again after 1 and then 2 minutes. A throttle waits 1 s, doubled up to 5 minutes, and counts as
// no attempt. After 6 hours, or the third error (or what the function's event invoke config says), the event is dropped with a
// warning (no dead-letter queues yet). A destination's event is stored before the one it tells of ends: a crash may bring it twice.
// Source: Developer Guide, "Retain records of asynchronous invocations", "How Lambda handles errors and retries".
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "services/lambda/invoke.h"
#include "storage/store.h"
#include "tasks/task_queue.h"

namespace parvis::lambda {

// How events of a function are treated: its event invoke config. Destinations are ARNs of functions, or empty.
struct EventRules {
  int attempts_max = 3;
  std::chrono::milliseconds age_max{6 * 3'600'000};
  std::string on_success, on_failure;
};

struct EventQueueOptions {
  std::size_t in_flight_max = 64;     // of one function
  std::size_t waiting_max = 100'000;  // past it: TooManyRequestsException
  std::chrono::milliseconds first_retry{60'000}, second_retry{120'000}, age_max{6 * 3'600'000};
  std::function<awaitable<EventRules>(FunctionRef)> rules = {};  // not set: the defaults
};

class EventQueue {  // thread-safe; it and everything given outlive the io_context's run
 public:
  EventQueue(asio::any_io_executor executor, storage::Store& store, Invoker& invoker, const Clock& clock, Entropy& entropy,
             EventQueueOptions options = {});
  // Finds the events of an earlier run and begins to work. Call once.
  awaitable<> start();
  // Durable when it returns. Throws TooManyRequestsException, ServiceException.
  awaitable<> submit(FunctionRef ref, functions::Invocation invocation);
  // Begins no further event; waits for the running ones, at most `limit`. What did not finish runs at the next start.
  awaitable<> stop(std::chrono::milliseconds limit);
  std::size_t waiting() const;  // waiting and running

 private:
  awaitable<> adopt(aws::Scope scope);
  awaitable<tasks::Outcome> run(tasks::Task task);
  // What goes to the destination of the function's rules; `call` is absent when there is no answer to tell of.
  awaitable<> tell(const tasks::Task& task, const functions::Invocation& invocation, std::string destination, std::string_view condition,
                   std::optional<CallResult> call);
  awaitable<> drop(tasks::Task task, std::string reason);

  storage::Store& store_;
  Invoker& invoker_;
  const Clock& clock_;
  Entropy& entropy_;
  EventQueueOptions options_;
  tasks::TaskQueue queue_;
};

}  // namespace parvis::lambda
