// http/client.h: a pooled keep-alive HTTP/1.1 client, for proxies, event targets and tests. Plain http:// alone so far.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/async.h"
#include "core/fd.h"
#include "http/message.h"

namespace parvis::http {

struct ClientOptions {
  std::size_t idle_connections_max = 64;  // in all; the oldest is closed first
  std::chrono::milliseconds idle_timeout{30'000};
  std::uint64_t body_bytes_max = 64u << 20;
  std::uint32_t header_bytes_max = 64u << 10;
  std::function<Fd()> socket = {};  // makes the TCP sockets (IPv4, not blocking) to connect with, in another network than this process's; -1: there is none
};

class ClientError : public std::runtime_error {
 public:
  enum class Kind { kUrl, kResolve, kConnect, kTimeout, kBroken, kTooLarge };
  ClientError(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

class Client {  // thread-safe; destroyed before the contexts on which it was used
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  // Sends `request` to the host of `url` ("http://host:port"); the path is request.target, or the url's own when that is
  // empty. method, headers and body are sent as given; Host and Content-Length are added when absent. `timeout` bounds the
  // whole exchange past name resolution. Redirects are not followed. A kept connection that turns out closed is replaced
  // once, for idempotent methods. Throws ClientError.
  awaitable<Response> send(std::string url, Request request, std::chrono::milliseconds timeout);
  // As above on a connection of its own, for bodies of any size: the pieces of an answer of status 200 go to `take`, and the
  // response has no body; other answers come whole, up to body_bytes_max. `timeout` bounds the wait for each piece. What `take`
  // throws ends the exchange.
  awaitable<Response> download(std::string url, Request request, std::chrono::milliseconds timeout, std::function<void(std::string_view)> take);

 private:
  struct Pool;
  std::shared_ptr<Pool> pool_;
};

}  // namespace parvis::http
