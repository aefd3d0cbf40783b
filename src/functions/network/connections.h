// functions/network/connections.h: connections of workers that the platform carries itself: under TLS to the platform, and out of
// the host. Each lives on one context of one thread and ends with either side.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "core/async.h"
#include "core/fd.h"

namespace parvis::network {

class Carried {
 public:
  virtual ~Carried() = default;
  virtual void close() = 0;  // on the context's thread
};

// `held` lives as long as the connection. `serve` gets its plain side. `tls` outlives it.
std::shared_ptr<Carried> serve_secured(asio::io_context& context, asio::ip::tcp::socket socket, asio::ssl::context& tls, const std::function<void(Fd, std::shared_ptr<void>)>& serve,
                                       std::shared_ptr<void> held);
std::shared_ptr<Carried> forward(asio::io_context& context, asio::ip::tcp::socket socket, asio::ip::tcp::endpoint to, std::shared_ptr<void> held);

// Those that are still open, to be closed together.
class OpenConnections {
 public:
  void add(const std::shared_ptr<Carried>& connection) {
    std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
    all_.push_back(connection);
  }
  std::size_t size() {
    std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
    return all_.size();
  }
  void close_all() {
    for (const auto& weak : all_) {
      if (const auto connection = weak.lock()) connection->close();
    }
    all_.clear();
  }

 private:
  std::vector<std::weak_ptr<Carried>> all_;
};

}  // namespace parvis::network
