// platform/printer.h: the live log of `parvis dev`: one line per request and invocation, the function's output under it.
//
// What a function prints waits for the line of its call, one second at most: then it is shown as it comes, so that a call
// that hangs can be watched. Control characters of foreign text are escaped.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

namespace parvis::platform {

struct PrinterOptions {
  bool json = false;    // the events as they are
  bool colour = false;
  bool calls = false;   // AWS API calls that succeeded, too
};

class Printer {  // thread-safe
 public:
  using Steady = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kOutputWait{1000};  // of a call that has not ended
  static constexpr std::chrono::milliseconds kRequestWait{50};   // an ended call may belong to a request that ends after it
  static constexpr std::size_t kCallsMax = 1000, kLinesMax = 200;  // held back; past them all is shown at once

  Printer(PrinterOptions options, std::function<void(std::string_view)> write) : options_(options), write_(std::move(write)) {}
  void event(const boost::json::object& event, Steady::time_point now = Steady::now());
  // Shows what has waited long enough. Call it a few times a second.
  void tick(Steady::time_point now = Steady::now());

 private:
  struct Call {  // of a function, under way or just ended
    std::string request_id, trace_id, line;  // `line`: what is shown of the invocation itself; empty while it runs
    std::string function_arn, start_kind;    // "cold, init 80.1 ms" or "warm"
    std::vector<std::string> output;
    Steady::time_point due;
    bool live = false;  // its output has begun to be shown
  };
  void log(const boost::json::object& event, Steady::time_point now);
  void invocation(const boost::json::object& event, Steady::time_point now);
  void request(const boost::json::object& event);
  Call& call_of(const std::string& request_id, Steady::time_point now);
  void show(Call& call);

  const PrinterOptions options_;
  std::function<void(std::string_view)> write_;
  std::mutex mutex_;
  std::list<Call> calls_;  // oldest first
};

}  // namespace parvis::platform
