#include "platform/event_stream.h"

#include <cmath>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include "core/time_format.h"

namespace parvis::platform {

awaitable<std::optional<std::string>> EventSubscription::next(std::chrono::milliseconds wait) {
  timer_.expires_after(wait);
  for (bool waited = false;; waited = true) {
    {
      std::lock_guard lock(mutex_);
      if (!queue_.empty()) {
        std::string line = std::move(queue_.front());
        queue_.pop_front();
        co_return line;
      }
      if (closed_ || waited) co_return std::nullopt;
    }
    boost::system::error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

void EventSubscription::push(const std::string& line) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    if (queue_.size() >= kQueueMax) {
      ++dropped_;
      return;
    }
    queue_.push_back(line);
    if (queue_.size() > 1) return;  // the reader has been woken already
  }
  wake();
}

// Moves the timer on its own executor; a wake-up that comes before the wait began is seen in the queue instead.
void EventSubscription::wake() {
  asio::post(timer_.get_executor(), [self = shared_from_this()] { self->timer_.cancel(); });
}

bool EventSubscription::closed() {
  std::lock_guard lock(mutex_);
  return closed_;
}

void EventSubscription::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake();
}

// The event lives for this call alone, so its parts come from one block that is let go as a whole.
void EventStream::publish(std::string_view type, Members members) {
  if (!active()) return;
  const Millis now = clock_.wall();
  unsigned char block[4096];
  boost::json::monotonic_resource memory(block);
  boost::json::object event(members.size() + 3, boost::json::storage_ptr(&memory));
  event.emplace("type", type);
  event.emplace("time", format_iso8601(now));
  event.insert(members);
  if (const auto* took = event.if_contains("durationMs"); took && took->is_number())
    event.emplace("start", format_iso8601(now - std::chrono::milliseconds(std::llround(took->to_number<double>()))));
  if (printer_) printer_(event);
  if (!subscribed_) return;
  const std::lock_guard lock(mutex_);
  std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
  subscribed_ = static_cast<int>(subscriptions_.size());
  if (subscriptions_.empty()) return;
  const std::string line = boost::json::serialize(event);
  for (auto& weak : subscriptions_)
    if (auto subscription = weak.lock()) subscription->push(line);
}

void EventStream::set_printer(std::function<void(const boost::json::object&)> printer, bool routine) {
  printer_ = std::move(printer);
  prints_routine_ = routine;
}

std::shared_ptr<EventSubscription> EventStream::subscribe(asio::any_io_executor executor) {
  auto subscription = std::make_shared<EventSubscription>(std::move(executor));
  std::lock_guard lock(mutex_);
  subscriptions_.push_back(subscription);
  ++subscribed_;
  return subscription;
}

void EventStream::close() {
  std::lock_guard lock(mutex_);
  for (auto& weak : subscriptions_)
    if (auto subscription = weak.lock()) subscription->close();
}

}  // namespace parvis::platform
