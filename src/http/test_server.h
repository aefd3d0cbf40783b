// http/test_server.h: a server on a free port with a thread per context, for tests.
#pragma once

#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "http/server.h"

namespace parvis::http {

class TestServer {
 public:
  TestServer(ServerOptions options, Handler handler, std::size_t threads = 2) {
    std::vector<asio::io_context*> raw;
    for (std::size_t i = 0; i < threads; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      raw.push_back(contexts_.back().get());
      guards_.push_back(asio::make_work_guard(*contexts_.back()));
    }
    server = std::make_unique<Server>(raw, std::move(options), std::move(handler));
    for (auto* context : raw) threads_.emplace_back([context] { context->run(); });
  }
  ~TestServer() {
    server.reset();
    guards_.clear();
    for (auto& thread : threads_) thread.join();
  }
  std::unique_ptr<Server> server;

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

// A blocking client of raw bytes. Reads give up after five seconds.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(context_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    const timeval limit{5, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  void send(std::string_view bytes) {
    boost::system::error_code ec;
    asio::write(socket_, asio::buffer(bytes), ec);
  }
  // Everything until the peer closes; "<timeout>" is appended when it does not.
  std::string read_all() {
    while (receive()) {}
    return std::exchange(seen_, {});
  }
  // Up to and with `mark`.
  std::string read_until(std::string_view mark) {
    while (seen_.find(mark) == std::string::npos && receive()) {}
    const std::size_t at = seen_.find(mark);
    if (at == std::string::npos) return std::exchange(seen_, {});
    std::string out = seen_.substr(0, at + mark.size());
    seen_.erase(0, out.size());
    return out;
  }
  void finish_sending() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }

 private:
  bool receive() {
    char bytes[4096];
    const ssize_t n = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) seen_ += "<timeout>";
    if (n > 0) seen_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  std::string seen_;
};

}  // namespace parvis::http
