// platform/platform.h: the composition root: makes every part, binds them to each other, starts and stops them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "core/async.h"
#include "platform/credentials.h"
#include "platform/event_stream.h"
#include "platform/options.h"
#include "templates/stack.h"

namespace parvis::platform {

// Why the platform could not start, as a sentence for the person who started it.
class StartError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ServedApi {
  std::string id, name, stage, kind;  // kind: "REST" or "HTTP"
  std::string url;                    // http://localhost:3000
  std::vector<std::string> routes;    // "GET /offers"
};

struct ServedDebugger {
  std::string function, runtime;
  std::uint16_t port = 0;
};

class Platform {  // start() and stop() on one thread; the rest is thread-safe
 public:
  explicit Platform(Options options);  // throws StartError
  ~Platform();
  Platform(const Platform&) = delete;

  // Loads what is stored, runs the I/O threads and listens. Throws StartError.
  void start();
  void stop();

  std::uint16_t port() const;
  const RootCredentials* root_credentials() const;  // nullptr where signatures are not checked
  EventStream& events();
  templates::StackEngine& stacks();
  aws::CallContext context(std::string origin) const;
  // Runs a coroutine on the platform and waits for it; rethrows what it throws. Not from an I/O thread.
  void run(std::function<awaitable<>()> work);
  // Serves these APIs on ports of their own, api_port and up, in this order; APIs that keep their place keep their port.
  void serve_apis(const std::vector<std::string>& api_ids);
  std::vector<ServedApi> served_apis() const;
  std::vector<std::string> function_urls();  // of the default account and Region: "http://…/  function"
  // Opens a port for each of these functions that is to be debugged and has none yet; all that are open. Throws StartError: a function that
  // was asked for by name is not among them.
  std::vector<ServedDebugger> serve_debuggers(const std::vector<std::string>& functions);
  std::vector<ServedDebugger> debuggers() const;
  std::vector<std::string> tables();  // of the default account and Region, by name

 private:
  void settle_stacks();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parvis::platform
