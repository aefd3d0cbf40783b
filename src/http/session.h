// http/session.h: one connection of the server. Internal to http/.
//
// A session lives on one io_context: its coroutine, its watchdog and the streams of its requests run there. close() and
// close_if_idle() may be called on that context only.
#pragma once

#include <array>
#include <memory>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "http/request_parser.h"
#include "http/response_head.h"
#include "http/server.h"

namespace parvis::http {

class Session;

// What all connections of one server share.
struct ServerShared {
  ServerOptions options;
  Handler handler;
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> buffered_bytes{0};  // see BodyShare
  std::mutex mutex;
  std::map<Session*, std::weak_ptr<Session>> sessions;  // under mutex
};

// What one request holds of the room for large bodies. Bodies up to kSmallBytes are bounded by the number of connections.
class BodyShare {
 public:
  static constexpr std::size_t kSmallBytes = 64u << 10;
  explicit BodyShare(ServerShared& shared) : shared_(shared) {}
  ~BodyShare() { release(); }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  bool hold(std::size_t bytes);  // false: there is no room
  void release() { if (held_ > 0) shared_.buffered_bytes -= std::exchange(held_, 0); }

 private:
  ServerShared& shared_;
  std::size_t held_ = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<ServerShared> shared, asio::ip::tcp::socket socket, std::shared_ptr<void> held = {});
  ~Session();
  void start();
  void close();          // ends the handler too
  void close_if_idle();
  auto executor() { return socket_.get_executor(); }

 private:
  friend class RequestSource;
  friend class AnswerSink;
  enum class Side { kRead, kWrite };
  enum class Head { kReady, kClosed, kRefused };

  awaitable<> run();
  awaitable<bool> serve_one();  // false: the connection is over
  awaitable<Head> read_head();
  awaitable<bool> read_some();  // false: the peer is gone
  awaitable<bool> write(std::array<asio::const_buffer, 2> buffers);
  bool write_now(std::array<asio::const_buffer, 2>& buffers);
  awaitable<bool> send_continue();
  awaitable<bool> read_whole_body(BodyShare& share);  // false: parser_->status says why, 0 when the peer is gone
  awaitable<Response> call_handler(Request request);
  awaitable<bool> respond(Response response, bool keep_alive);
  awaitable<bool> refuse(unsigned status);
  awaitable<> linger();
  bool feed_body();  // false: parser_->status is set
  std::string_view unread() const { return {static_cast<const char*>(buffer_.data().data()), buffer_.size()}; }

  void arm(Side side, std::chrono::milliseconds wait);
  void disarm(Side side) { deadlines_[static_cast<int>(side)] = Deadline::max(); }
  void watch();

  using Deadline = std::chrono::steady_clock::time_point;
  std::shared_ptr<ServerShared> shared_;
  const std::shared_ptr<void> held_;  // see Server::take
  asio::ip::tcp::socket socket_;
  asio::steady_timer watchdog_;
  asio::cancellation_signal cancel_;
  std::array<Deadline, 2> deadlines_{Deadline::max(), Deadline::max()};
  Deadline watched_until_ = Deadline::max();
  boost::beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  std::string out_;
  std::string remote_address_;
  std::uint16_t local_port_ = 0;
  bool idle_ = false;
  bool head_request_ = false;
  bool http11_ = true;
  bool owes_continue_ = false;
};

}  // namespace parvis::http
