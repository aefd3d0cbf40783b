// What Service does by itself: it deletes expired items, trims streams, and keeps the counts that DescribeTable gives.
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include "services/dynamodb/operations.h"

namespace parvis::dynamodb {
namespace {

constexpr std::chrono::milliseconds kTick{200};  // how fast stop() is noticed
constexpr int kTicksPerSweep = 5;                // one second
constexpr int kTicksPerTrim = 300;               // one minute

}  // namespace

awaitable<> Service::maintain() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  for (int tick = 0; !*stopping_; ++tick) {
    try {
      if (tick % kTicksPerSweep == 0) {
        start_jobs(executor);
        start_transfers(executor);
        co_await expiry_.sweep(stopping_);
      }
      if (tick % kTicksPerTrim == 0) {
        co_await stream_operations_.streams().trim(stopping_);
        co_await history_.trim(stopping_);
        co_await catalog_.run_purges(stopping_);
        co_await catalog_.statistics().save();
      }
    } catch (const std::exception& error) {
      spdlog::warn("dynamodb: a round of maintenance ended early: {}", error.what());  // the next one goes on
    }
    timer.expires_after(kTick);
    co_await timer.async_wait(use_awaitable);
  }
}

void Service::start_jobs(asio::any_io_executor executor) {
  if (!jobs_running_.exchange(true)) run_in_background(executor, run_jobs());
}

awaitable<> Service::run_jobs() {
  std::exception_ptr failure;
  try {
    co_await backups_.run(stopping_);
    co_await history_.run(stopping_);
  } catch (...) {
    failure = std::current_exception();
  }
  jobs_running_ = false;
  if (failure) std::rethrow_exception(failure);
}

void Service::start_transfers(asio::any_io_executor executor) {
  if (objects_ && !transfers_running_.exchange(true)) run_in_background(executor, run_transfers());
}

awaitable<> Service::run_transfers() {
  std::exception_ptr failure;
  try {
    co_await exports_.run(*objects_, stopping_);
    co_await imports_.run(*objects_, stopping_);
  } catch (...) {
    failure = std::current_exception();
  }
  transfers_running_ = false;
  if (failure) std::rethrow_exception(failure);
}

}  // namespace parvis::dynamodb
