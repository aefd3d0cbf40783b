#include "functions/network/upstream.h"

#include <sstream>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "core/ascii.h"

namespace parvis::network {
namespace {

constexpr auto kAwait = asio::as_tuple(use_awaitable);
constexpr std::chrono::seconds kServerWait{2};
constexpr std::size_t kServersMax = 3, kDatagramBytesMax = 4096;
constexpr std::uint16_t kPort = 53;

// The same id and the same question, as far as it goes.
bool answers(std::string_view reply, std::string_view query) {
  if (reply.size() < 12 || reply.substr(0, 2) != query.substr(0, 2) || (static_cast<unsigned char>(reply[2]) & 0x80) == 0) return false;
  const std::size_t zero = query.find('\0', 12);
  const std::size_t end = zero == query.npos ? query.size() : std::min(query.size(), zero + 5);
  return reply.size() >= end && equal_no_case(query.substr(12, end - 12), reply.substr(12, end - 12));
}

// Closes the socket when its time is over. The coroutine that holds both runs on their context's one thread.
template <class Socket>
void close_after(asio::steady_timer& timer, Socket& socket) {
  timer.expires_after(kServerWait);
  timer.async_wait([&socket](boost::system::error_code ended) {
    boost::system::error_code ignored;
    if (!ended) socket.close(ignored);
  });
}

awaitable<std::string> over_udp(asio::ip::address server, std::string query) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::udp::socket socket(executor);
  asio::steady_timer timer(executor);
  boost::system::error_code failed;
  socket.open(server.is_v6() ? asio::ip::udp::v6() : asio::ip::udp::v4(), failed);
  if (!failed) socket.connect({server, kPort}, failed);
  if (failed) co_return std::string();
  close_after(timer, socket);
  co_await socket.async_send(asio::buffer(query), kAwait);
  std::string reply(kDatagramBytesMax, '\0');
  for (int tries = 0; tries < 8; ++tries) {  // what is no answer is skipped
    const auto [ec, bytes] = co_await socket.async_receive(asio::buffer(reply), kAwait);
    if (ec) break;
    if (answers(std::string_view(reply).substr(0, bytes), query)) {
      reply.resize(bytes);
      timer.cancel();
      co_return reply;
    }
  }
  timer.cancel();
  co_return std::string();
}

awaitable<std::string> over_tcp(asio::ip::address server, std::string query) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::socket socket(executor);
  asio::steady_timer timer(executor);
  close_after(timer, socket);
  std::string reply;
  if (const auto [refused] = co_await socket.async_connect({server, kPort}, kAwait); !refused) {
    std::string out{static_cast<char>(query.size() >> 8), static_cast<char>(query.size())};
    out += query;
    co_await asio::async_write(socket, asio::buffer(out), kAwait);
    unsigned char head[2] = {};
    if (const auto [ec, bytes] = co_await asio::async_read(socket, asio::buffer(head), kAwait); !ec) {
      reply.resize(static_cast<std::size_t>(head[0]) << 8 | head[1]);
      const auto [broken, got] = co_await asio::async_read(socket, asio::buffer(reply), kAwait);
      if (broken || !answers(reply, query)) reply.clear();
    }
  }
  timer.cancel();
  co_return reply;
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, value;
    words >> key >> value;
    if (key == "search" || key == "domain" || key == "options") conf.rest += line + "\n";
    if (key != "nameserver" || conf.servers.size() == kServersMax) continue;
    boost::system::error_code failed;
    if (const auto address = asio::ip::make_address(value, failed); !failed) conf.servers.push_back(address);
  }
  return conf;
}

awaitable<std::string> ask_upstream(std::vector<asio::ip::address> servers, std::string query, bool stream, Entropy& entropy) {
  const std::string id = query.substr(0, 2);
  for (const asio::ip::address& server : servers) {
    const std::uint64_t random = entropy.next_u64();
    query[0] = static_cast<char>(random);
    query[1] = static_cast<char>(random >> 8);
    std::string reply;
    if (stream) reply = co_await over_tcp(server, query);
    else reply = co_await over_udp(server, query);
    if (reply.empty()) continue;
    reply.replace(0, 2, id);
    co_return reply;
  }
  co_return std::string();
}

}  // namespace parvis::network
