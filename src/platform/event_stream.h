// platform/event_stream.h: everything that happens, as one stream of small JSON objects. `parvis dev` prints it and
// /_parvis/events serves it; docs/events.md lists the types and their members.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>

#include "core/async.h"
#include "core/clock.h"

namespace parvis::platform {

// One reader of the stream. Holds at most kQueueMax events; later ones are dropped and counted.
class EventSubscription : public std::enable_shared_from_this<EventSubscription> {
 public:
  static constexpr std::size_t kQueueMax = 4096;
  explicit EventSubscription(asio::any_io_executor executor) : timer_(executor) {}
  // The next event as one line of JSON; nullopt after close() or when `wait` passed without one.
  awaitable<std::optional<std::string>> next(std::chrono::milliseconds wait);
  void close();
  std::uint64_t dropped() const { return dropped_; }
  bool closed();

 private:
  friend class EventStream;
  void push(const std::string& line);
  void wake();
  std::mutex mutex_;
  std::deque<std::string> queue_;
  std::atomic<std::uint64_t> dropped_{0};
  bool closed_ = false;
  asio::steady_timer timer_;  // touched only on its own executor
};

class EventStream {  // thread-safe
 public:
  explicit EventStream(const Clock& clock) : clock_(clock) {}
  // True when somebody reads: publishers may skip building an event otherwise.
  bool active() const { return printer_ || subscribed_ > 0; }
  // The same for an event that tells of nothing but success, which a printer may not want to see.
  bool active_for_routine() const { return prints_routine_ || subscribed_ > 0; }
  // Adds "type" and "time" (ISO 8601, milliseconds) to `members`, and "start" when they have "durationMs".
  using Members = std::initializer_list<std::pair<boost::json::string_view, boost::json::value_ref>>;
  void publish(std::string_view type, Members members);
  // Called on the publishing thread for each event; must be quick. `routine`: whether it wants calls that went well, too.
  // Set once, before the platform starts.
  void set_printer(std::function<void(const boost::json::object&)> printer, bool routine);
  std::shared_ptr<EventSubscription> subscribe(asio::any_io_executor executor);
  void close();  // ends every subscription

 private:
  const Clock& clock_;
  std::function<void(const boost::json::object&)> printer_;  // before the platform starts, never changed after
  bool prints_routine_ = false;
  std::atomic<int> subscribed_{0};
  std::mutex mutex_;
  std::vector<std::weak_ptr<EventSubscription>> subscriptions_;
};

}  // namespace parvis::platform
