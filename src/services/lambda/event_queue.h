// lambda/event_queue.h: asynchronous invocations: durable before they are accepted, run as tasks (tasks/task_queue.h),
// tried three times. What was accepted survives a crash; a crash during a run makes it run again (at least once, as on AWS).
//
// A function error is tried again after 1 and then 2 minutes. A throttle waits 1 s, doubled up to 5 minutes, and counts as
// no attempt. After 6 hours, or the third error, the event is dropped with a warning (no dead-letter queues yet).
// Source: Developer Guide, "Retain records of asynchronous invocations", "How Lambda handles errors and retries".
#pragma once

#include <chrono>

#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "services/lambda/invoke.h"
#include "storage/store.h"
#include "tasks/task_queue.h"

namespace parvis::lambda {

struct EventQueueOptions {
  std::size_t in_flight_max = 64;     // of one function
  std::size_t waiting_max = 100'000;  // past it: TooManyRequestsException
  std::chrono::milliseconds first_retry{60'000}, second_retry{120'000}, age_max{6 * 3'600'000};
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
  awaitable<> drop(tasks::Task task, std::string reason);

  storage::Store& store_;
  Invoker& invoker_;
  tasks::TaskQueue queue_;
};

}  // namespace parvis::lambda
