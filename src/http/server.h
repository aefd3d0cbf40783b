// http/server.h: an HTTP/1.1 server over one io_context per core. Beast stays inside server.cc.
//
// Each context is run by one thread; a connection, its handler and its streams stay on one context.
// A handler that throws is answered 500 (BodyError: its status); the cause goes to the log.
//
// Limits: request line + headers <= header_bytes_max (431 past it), body <= body_bytes_max (413), large whole bodies of all
// connections together <= buffered_bytes_max (503), one request of a connection at a time. A header section must
// arrive within header_timeout, an idle connection closes after idle_timeout. Conflicting or repeated Content-Length,
// Content-Length with Transfer-Encoding, bare LF in chunk framing, and unknown transfer codings are 400 and close.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/async.h"
#include "core/fd.h"
#include "http/message.h"

namespace parvis::http {

using Handler = std::function<awaitable<Response>(Request)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  bool listen = true;      // false: connections come by take() alone
  std::size_t header_bytes_max = 64u << 10;
  std::size_t body_bytes_max = 64u << 20;
  std::uint64_t stream_bytes_max = 5ull << 30;  // of a body that is read through Request::stream
  std::size_t connections_max = 10'000;         // past it a connection is answered 503 and closed
  std::size_t buffered_bytes_max = 512u << 20;  // whole bodies over 64 KiB, of all connections together; past it 503
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};
  // Called with the head alone (body empty): true asks for Request::stream instead of a whole body.
  std::function<bool(const Request&)> wants_stream;
};

class Server {
 public:
  // `contexts` outlive the server; connections are spread over them in turn. One listener.
  // Throws std::system_error when the address cannot be bound (the message names address and port).
  Server(std::vector<asio::io_context*> contexts, ServerOptions options, Handler handler);
  ~Server();  // closes every connection
  std::uint16_t port() const;
  // Serves a connected stream socket that somebody else has accepted as one of its own. `held` lives as long as the connection
  // does. Any thread.
  void take(Fd connection, std::shared_ptr<void> held = {});
  // No new connections; open requests have until `grace` to finish. Callable from any thread, once.
  // Does not block: poll connection_count() to learn when the last one is gone.
  void stop(std::chrono::milliseconds grace);
  std::size_t connection_count() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace parvis::http
