// functions/debugging.h: where debuggers find functions: one TCP port of this machine's loopback per function, which stays when its
// environments come and go.
//
// Each debugged environment runs the debugger's far end itself (Node.js: the inspector, Chrome DevTools Protocol; Python: debugpy, Debug
// Adapter Protocol) on a port of its own, in its own network where it has one, and tells the engine by the message `N`. A connection to the
// function's port is relayed there; one that finds no environment starts one and waits for it, 15 s at most.
//
// A debugger is attached while its connection is open: of Node.js one that becomes a WebSocket (a request for /json/list does not). While
// one is attached neither the limit of loading nor that of a call counts; when it leaves, the open one begins anew. A debugged function has
// one environment at a time, which does not end for being idle and whose memory is not looked at.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "core/async.h"
#include "functions/engine_impl.h"

namespace parvis::functions {

class DebugPort : public std::enable_shared_from_this<DebugPort> {
 public:
  DebugPort(std::string function, const std::shared_ptr<Engine::Impl>& engine) : function_(std::move(function)), engine_(engine), acceptor_(engine->background) {}
  boost::system::error_code listen(std::uint16_t port);  // any thread; once
  void close();                                          // any thread

 private:
  struct Relay;
  awaitable<> serve(std::shared_ptr<Relay> relay);
  awaitable<bool> reach(Relay& relay);
  awaitable<bool> greet(Relay& relay);
  void set_attached(Relay& relay, bool attached);

  const std::string function_;
  const std::weak_ptr<Engine::Impl> engine_;
  asio::ip::tcp::acceptor acceptor_;  // this and the next: on `background`, once it listens
  unsigned relays_ = 0;
};

}  // namespace parvis::functions
