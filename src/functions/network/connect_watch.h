// functions/network/connect_watch.h: learns where a worker is about to connect, before it does. The answer is always "go on":
// what is read of the worker's memory may have changed by then, so it serves to prepare, never to permit.
// Source: seccomp_unotify(2).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "core/async.h"
#include "core/fd.h"

namespace parvis::network {

class ConnectWatch {
 public:
  // `on_connect` (IPv4 address in host byte order, port) is called on the context's thread while the worker waits, and may not
  // throw. `listener` is the descriptor of seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER).
  static std::shared_ptr<ConnectWatch> start(asio::io_context& context, Fd listener, std::function<void(std::uint32_t, std::uint16_t)> on_connect);
  virtual ~ConnectWatch() = default;
  virtual void stop() = 0;  // on the context's thread; connects fail with ENOSYS from then on
};

}  // namespace parvis::network
