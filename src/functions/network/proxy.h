// functions/network/proxy.h: an HTTP proxy on the host's loopback, for programs in workers without a network of their own that our runtime
// clients cannot teach AWS's names: bootstraps and what they start, when they follow HTTPS_PROXY.
//
// CONNECT alone: to the platform for AWS's names (port 443 under certificates, any other port plain), else to where the host's resolver
// says. Whoever may connect to it could dial by himself, so it asks nobody who he is. Limits: 256 connections, a head of 8 KiB within 10 s.
// Source: RFC 9110, section 9.3.6.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "core/async.h"

namespace parvis::network {

struct ProxyPorts {
  std::uint16_t secured = 0, plain = 0;  // of the platform, on the loopback interface
};

class Proxy : public std::enable_shared_from_this<Proxy> {
 public:
  Proxy(asio::io_context& context, ProxyPorts platform);  // one thread runs it; throws std::system_error
  std::uint16_t start();  // once; the port that it listens on
  void close();           // any thread

 private:
  struct Exchange;
  awaitable<> serve(std::shared_ptr<Exchange> exchange);
  static awaitable<> refuse(std::shared_ptr<Exchange> exchange, std::string_view status);

  const ProxyPorts platform_;
  asio::ip::tcp::acceptor acceptor_;
  unsigned open_ = 0;
};

}  // namespace parvis::network
