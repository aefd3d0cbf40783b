// functions/network/relay.h: bytes from one stream to another and back.
#pragma once

#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
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

}  // namespace parvis::network
