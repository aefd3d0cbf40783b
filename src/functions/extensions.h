// functions/extensions.h: the Extensions and Telemetry APIs of one worker: who has registered, what each still has to be told, and
// who wants to read along.
//
// Runs on one thread, that of its io_context; only wants_telemetry() and shutdown_grace() may be asked from elsewhere.
// Limits: 10 extensions; 10,000 waiting records of a subscriber, past which the oldest are dropped and counted.
// Sources: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions" (2020-01-01), "Lambda Telemetry API
// reference" (2022-07-01); error types as in AWS's open runtime interface emulator.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>

#include "core/clock.h"
#include "core/entropy.h"
#include "core/fd.h"
#include "http/client.h"
#include "http/message.h"

namespace parvis::functions {

// An extension's executables below a folder of layers: the names in `extensions/`, sorted.
std::vector<std::string> extensions_in(const std::string& layers_dir);

class Extensions : public std::enable_shared_from_this<Extensions> {
 public:
  struct Function { std::string name, version, handler, account; };
  struct Setup {
    Function function;
    std::vector<std::string> external;  // what was started and must register; anything else is an internal extension
  };
  // Called on the context's thread.
  struct Events {
    std::function<void()> ready;                                                         // all have asked for their next event
    std::function<void(const std::string& type, const std::string& message)> failed;     // one cannot go on
  };
  Extensions(asio::io_context& context, const Clock& clock, Entropy& entropy, Setup setup, Events events);

  void configure(Setup setup) { setup_ = std::move(setup); }  // before the worker runs
  void connect_by(std::function<Fd()> socket);  // before, too: makes the sockets in the worker's network that telemetry goes by
  static bool serves(std::string_view path);
  awaitable<http::Response> handle(http::Request request);

  bool ready() const;  // nobody is at work: everything that was started has registered and waits for its next event
  void initialized() { open_ = false; }  // no further registrations and subscriptions
  struct Call { std::string request_id, arn, trace; std::int64_t deadline_ms = 0; };
  void invoke(const Call& call);
  // False: nobody wants to know. Otherwise ready() follows when each has done what it had to, or ended.
  bool shutdown(std::string_view reason);
  std::chrono::milliseconds shutdown_grace() const { return std::chrono::milliseconds(grace_ms_.load()); }
  void close();  // waiting requests end

  // Telemetry. `type`: "platform.start" and so on, "function" or "extension".
  bool wants_telemetry() const { return subscribed_; }
  void record(std::string_view type, boost::json::value what);

 private:
  struct Extension {
    std::string name, id;
    bool external = false, waiting = false, ended = false;
    std::set<std::string> events;
    std::deque<std::string> queue;
  };
  struct Subscriber {
    std::string url;
    std::set<std::string> types;
    std::size_t items_max = 10'000, bytes_max = 262'144, bytes = 0, dropped = 0;
    std::chrono::milliseconds patience{1000};
    std::deque<std::string> waiting;
    bool sending = false;
  };
  http::Response register_one(const http::Request& request);
  awaitable<http::Response> next(Extension& extension);
  http::Response report_error(Extension& extension, const http::Request& request, bool at_init);
  http::Response subscribe(const Extension& extension, const http::Request& request);
  http::Response ended(std::string_view name_and_code);
  static awaitable<> deliver(std::shared_ptr<Extensions> self, std::string id);
  void tell_when_ready();

  asio::io_context& context_;
  const Clock& clock_;
  Entropy& entropy_;
  Setup setup_;
  Events events_;
  bool open_ = true, closed_ = false;
  std::map<std::string, Extension> extensions_;  // by id
  std::map<std::string, Subscriber> subscribers_;  // by the extension's id
  asio::steady_timer changed_;
  std::unique_ptr<http::Client> client_;
  std::atomic<bool> subscribed_{false};
  std::atomic<long> grace_ms_{0};
};

}  // namespace parvis::functions
