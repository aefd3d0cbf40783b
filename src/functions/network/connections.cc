#include "functions/network/connections.h"

#include <sys/socket.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include "functions/network/relay.h"

namespace parvis::network {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(use_awaitable);
constexpr std::chrono::seconds kHandshakeWait{10}, kConnectWait{10}, kGoodbyeWait{2};

class Secured final : public Carried, public std::enable_shared_from_this<Secured> {
 public:
  Secured(asio::io_context& context, tcp::socket socket, asio::ssl::context& tls, std::shared_ptr<void> held)
      : stream(std::move(socket), tls), plain(context), timer(context), held(std::move(held)) {}
  void close() override {
    boost::system::error_code ignored;
    stream.next_layer().close(ignored);
    plain.close(ignored);
    timer.cancel();
  }
  void close_after(std::chrono::seconds wait) {
    timer.expires_after(wait);
    timer.async_wait([weak = weak_from_this()](boost::system::error_code ended) {
      if (const auto self = weak.lock(); self && !ended) self->close();
    });
  }

  asio::ssl::stream<tcp::socket> stream;
  asio::local::stream_protocol::socket plain;
  asio::steady_timer timer;
  std::shared_ptr<void> held;
};

// What the platform answers. When it has nothing more to say the client is told so, and both sides end.
awaitable<> answers(std::shared_ptr<Secured> self) {
  co_await pump(self->plain, self->stream);
  if (self->plain.is_open()) {
    self->close_after(kGoodbyeWait);
    co_await self->stream.async_shutdown(kAwait);
  }
  self->close();
}

awaitable<> secure(std::shared_ptr<Secured> self, std::function<void(Fd, std::shared_ptr<void>)> serve) {
  self->close_after(kHandshakeWait);
  boost::system::error_code ignored;
  self->stream.next_layer().set_option(tcp::no_delay(true), ignored);  // a handshake is short messages in turn
  const auto [failed] = co_await self->stream.async_handshake(asio::ssl::stream_base::server, kAwait);
  self->timer.cancel();
  int ends[2];
  if (failed || !self->stream.next_layer().is_open() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) co_return self->close();
  Fd theirs(ends[1]);
  self->plain.assign(asio::local::stream_protocol(), ends[0]);
  serve(std::move(theirs), self->held);
  asio::co_spawn(self->plain.get_executor(), answers(self), [self](std::exception_ptr) {});
  co_await pump(self->stream, self->plain);
  self->plain.shutdown(asio::socket_base::shutdown_send, ignored);
}

class Forwarded final : public Carried, public Carriage, public std::enable_shared_from_this<Forwarded> {
 public:
  Forwarded(asio::io_context& context, tcp::socket socket, std::shared_ptr<void> held) : Carriage(std::move(socket)), timer(context), held(std::move(held)) {}
  void close() override {
    cut();
    timer.cancel();
  }

  asio::steady_timer timer;
  std::shared_ptr<void> held;
};

awaitable<> one_way(std::shared_ptr<Forwarded> self, tcp::socket& from, tcp::socket& to) {
  co_await pump(from, to);
  boost::system::error_code ignored;
  to.shutdown(tcp::socket::shutdown_send, ignored);
}

awaitable<> carry(std::shared_ptr<Forwarded> self, tcp::endpoint to) {
  self->timer.expires_after(kConnectWait);
  self->timer.async_wait([weak = std::weak_ptr(self)](boost::system::error_code ended) {
    if (const auto there = weak.lock(); there && !ended) there->close();
  });
  const auto [failed] = co_await self->far.async_connect(to, kAwait);
  self->timer.cancel();
  if (failed || !self->near.is_open()) {
    // As a refused connection ends: with a reset.
    boost::system::error_code ignored;
    self->near.set_option(asio::socket_base::linger(true, 0), ignored);
    co_return self->close();
  }
  boost::system::error_code ignored;
  self->far.set_option(tcp::no_delay(true), ignored);
  self->far.set_option(asio::socket_base::keep_alive(true), ignored);
  self->near.set_option(tcp::no_delay(true), ignored);
  asio::co_spawn(self->far.get_executor(), one_way(self, self->far, self->near), [self](std::exception_ptr) {});
  co_await one_way(self, self->near, self->far);
}

}  // namespace

std::shared_ptr<Carried> serve_secured(asio::io_context& context, tcp::socket socket, asio::ssl::context& tls, const std::function<void(Fd, std::shared_ptr<void>)>& serve,
                                       std::shared_ptr<void> held) {
  auto made = std::make_shared<Secured>(context, std::move(socket), tls, std::move(held));
  asio::co_spawn(context, secure(made, serve), [made](std::exception_ptr) {});
  return made;
}

std::shared_ptr<Carried> forward(asio::io_context& context, tcp::socket socket, tcp::endpoint to, std::shared_ptr<void> held) {
  auto made = std::make_shared<Forwarded>(context, std::move(socket), std::move(held));
  asio::co_spawn(context, carry(made, to), [made](std::exception_ptr) {});
  return made;
}

}  // namespace parvis::network
