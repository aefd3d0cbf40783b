#include "functions/network/proxy.h"

#include <array>
#include <optional>
#include <string>

#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "functions/network/names.h"
#include "functions/network/relay.h"

namespace parvis::network {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(use_awaitable);
constexpr unsigned kConnectionsMax = 256;
constexpr std::size_t kHeadBytesMax = 8 << 10;
constexpr std::chrono::seconds kHeadWait{10};

struct Target {
  std::string host, port;
};

// "CONNECT host:port HTTP/1.1"; an IPv6 address stands in brackets.
std::optional<Target> read_target(std::string_view head) {
  if (!head.starts_with("CONNECT ")) return std::nullopt;
  head.remove_prefix(8);
  const auto end = head.find_first_of(" \r\n");
  const std::string_view authority = head.substr(0, end);
  const auto colon = authority.rfind(':');
  if (end == std::string_view::npos || !head.substr(end).starts_with(" HTTP/1.") || colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = authority.substr(0, colon), port = authority.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return Target{std::string(host), std::string(port)};
}

}  // namespace

struct Proxy::Exchange : Carriage {
  explicit Exchange(tcp::socket accepted) : Carriage(std::move(accepted)), timer(near.get_executor()) {}
  asio::steady_timer timer;
};

Proxy::Proxy(asio::io_context& context, ProxyPorts platform) : platform_(platform), acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

std::uint16_t Proxy::start() {
  const auto serves = [this](const std::shared_ptr<Exchange>& exchange) { return serve(exchange); };
  const auto ended = [](Exchange& exchange) { exchange.timer.cancel(); };
  asio::co_spawn(acceptor_.get_executor(), accept_bounded<Exchange>(shared_from_this(), acceptor_, open_, kConnectionsMax, serves, ended), [self = shared_from_this()](std::exception_ptr) {});
  return acceptor_.local_endpoint().port();
}

void Proxy::close() {
  asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
    boost::system::error_code ignored;
    self->acceptor_.close(ignored);
  });
}

awaitable<> Proxy::refuse(std::shared_ptr<Exchange> exchange, std::string_view status) {
  const std::string answer = "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  co_await asio::async_write(exchange->near, asio::buffer(answer), kAwait);
}

awaitable<> Proxy::serve(std::shared_ptr<Exchange> exchange) {
  exchange->timer.expires_after(kHeadWait);
  exchange->timer.async_wait([exchange](boost::system::error_code stopped) {
    if (!stopped) exchange->cut();
  });
  std::string head;
  std::array<char, 1024> buffer;
  while (head.find("\r\n\r\n") == std::string::npos) {
    const auto [error, bytes] = co_await exchange->near.async_read_some(asio::buffer(buffer), kAwait);
    if (error || head.size() + bytes > kHeadBytesMax) co_return;
    head.append(buffer.data(), bytes);
  }
  exchange->timer.cancel();
  const auto target = read_target(head);
  if (!target) co_return co_await refuse(exchange, "405 Method Not Allowed");
  boost::system::error_code failed;
  if (is_platform_name(target->host)) {
    const std::uint16_t port = target->port == "443" ? platform_.secured : platform_.plain;
    std::tie(failed) = co_await exchange->far.async_connect({asio::ip::address_v4::loopback(), port}, kAwait);
  } else {
    tcp::resolver resolver(acceptor_.get_executor());
    auto [unknown, found] = co_await resolver.async_resolve(target->host, target->port, kAwait);
    failed = unknown;
    if (!failed) failed = std::get<0>(co_await asio::async_connect(exchange->far, found, kAwait));
  }
  if (failed) co_return co_await refuse(exchange, "502 Bad Gateway");
  const std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n";
  const std::string_view rest = std::string_view(head).substr(head.find("\r\n\r\n") + 4);
  if (const auto [error, bytes] = co_await asio::async_write(exchange->near, asio::buffer(answer), kAwait); error) co_return;
  if (const auto [error, bytes] = co_await asio::async_write(exchange->far, asio::buffer(rest), kAwait); error) co_return;
  asio::co_spawn(acceptor_.get_executor(), pump(exchange->far, exchange->near), [exchange](std::exception_ptr) { exchange->cut(); });
  co_await pump(exchange->near, exchange->far);
}

}  // namespace parvis::network
