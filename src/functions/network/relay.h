// functions/network/relay.h: bytes from one stream to another and back, and the connections that need it.
#pragma once

#include <array>
#include <memory>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "core/async.h"

namespace parvis::network {

inline constexpr std::size_t kRelayBytes = 16 << 10;  // held per direction

// Until `from` ends or either side breaks. What `to` does not take is not read.
template <class From, class To>
awaitable<> pump(From& from, To& to) {
  constexpr auto kAwait = asio::as_tuple(use_awaitable);
  const auto buffer = std::make_unique<std::array<char, kRelayBytes>>();
  for (;;) {
    const auto [read_error, bytes] = co_await from.async_read_some(asio::buffer(*buffer), kAwait);
    if (read_error) co_return;
    const auto [write_error, written] = co_await asio::async_write(to, asio::buffer(*buffer, bytes), kAwait);
    if (write_error) co_return;
  }
}

// A connection that was accepted and the one that it is carried on by. They end together.
struct Carriage {
  explicit Carriage(asio::ip::tcp::socket accepted) : near(std::move(accepted)), far(near.get_executor()) {}
  void cut() {
    boost::system::error_code ignored;
    near.close(ignored);
    far.close(ignored);
  }
  asio::ip::tcp::socket near, far;
};

// Until `acceptor` is closed: each connection becomes an `Exchange` (a Carriage), which `serve` carries and `ended` is told of before it is
// cut. Those past `most` at a time are closed. `owner` keeps `acceptor` and `open`, which counts them, alive.
template <class Exchange, class Serve, class Ended>
awaitable<> accept_bounded(std::shared_ptr<void> owner, asio::ip::tcp::acceptor& acceptor, unsigned& open, unsigned most, Serve serve, Ended ended) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(use_awaitable));
    if (!acceptor.is_open()) co_return;
    if (error || open >= most) continue;
    ++open;
    const auto exchange = std::make_shared<Exchange>(std::move(socket));
    asio::co_spawn(acceptor.get_executor(), serve(exchange), [owner, exchange, ended, &open](std::exception_ptr) {
      ended(*exchange);
      exchange->cut();
      --open;
    });
  }
}

}  // namespace parvis::network
