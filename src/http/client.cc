#include "http/client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace parvis::http {
namespace {

namespace beast = boost::beast;
namespace bh = boost::beast::http;
using asio::ip::tcp;
using Kind = ClientError::Kind;
constexpr auto kAwait = asio::as_tuple(use_awaitable);

struct Connection {
  explicit Connection(const asio::any_io_executor& executor) : stream(executor) {}
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  std::chrono::steady_clock::time_point idle_since{};
  bool reused = false;
};

struct Destination {
  std::string host, port, authority, target;
};

Destination parse_url(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->host().empty()) throw ClientError(Kind::kUrl, "not an absolute URL: " + text);
  if (url->scheme() != "http") throw ClientError(Kind::kUrl, "only http:// is supported by this client: " + text);
  Destination out;
  out.host = url->host_address();
  out.port = url->has_port() ? std::string(url->port()) : "80";
  out.authority = std::string(url->encoded_host_and_port());
  out.target = std::string(url->encoded_path());
  if (out.target.empty()) out.target = "/";
  if (url->has_query()) out.target += "?" + std::string(url->encoded_query());
  return out;
}

void check_token(std::string_view text) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
    throw ClientError(Kind::kUrl, "a line break inside the request's head");
}

std::string head_of(const Request& request, const Destination& to) {
  const std::string& target = request.target.empty() ? to.target : request.target;
  check_token(request.method);
  if (target.find(' ') != std::string::npos || request.method.find(' ') != std::string::npos)
    throw ClientError(Kind::kUrl, "a space inside the method or target");
  check_token(target);
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", request.method.empty() ? "GET" : request.method, target);
  if (!request.headers.find("host")) out += fmt::format("Host: {}\r\n", request.host.empty() ? to.authority : request.host);
  for (const auto& [name, value] : request.headers) {
    check_token(name);
    check_token(value);
    out += fmt::format("{}: {}\r\n", name, value);
  }
  const bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body && !request.headers.find("content-length")) out += fmt::format("Content-Length: {}\r\n", request.body.size());
  return out += "\r\n";
}

bool idempotent(std::string_view method) {
  return method != "POST" && method != "PATCH";
}

// A kept connection on which the peer has said anything, even goodbye, is of no use.
bool still_usable(tcp::socket& socket) {
  boost::system::error_code ec;
  socket.non_blocking(true, ec);
  char byte;
  socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, ec);
  return ec == asio::error::would_block;
}

}  // namespace

struct Client::Pool {
  using Key = std::pair<const void*, std::string>;  // the context, host:port
  explicit Pool(ClientOptions given) : options(given) {}

  std::unique_ptr<Connection> take(const Key& key) {
    std::lock_guard lock(mutex);
    const auto now = std::chrono::steady_clock::now();
    for (auto it = idle.rbegin(); it != idle.rend(); ++it) {
      if (it->first != key) continue;
      std::unique_ptr<Connection> found = std::move(it->second);
      idle.erase(std::next(it).base());
      if (now - found->idle_since > options.idle_timeout || !still_usable(found->stream.socket())) return nullptr;
      found->reused = true;
      return found;
    }
    return nullptr;
  }

  void give(Key key, std::unique_ptr<Connection> connection) {
    connection->idle_since = std::chrono::steady_clock::now();
    connection->stream.expires_never();
    std::lock_guard lock(mutex);
    idle.emplace_back(std::move(key), std::move(connection));
    if (idle.size() > options.idle_connections_max) idle.pop_front();
  }

  awaitable<std::unique_ptr<Connection>> connect(asio::any_io_executor executor, Destination to, std::chrono::milliseconds timeout) {
    tcp::resolver resolver(executor);
    const auto [resolve_error, endpoints] = co_await resolver.async_resolve(to.host, to.port, kAwait);
    if (resolve_error) throw ClientError(Kind::kResolve, to.host + ": " + resolve_error.message());
    auto connection = std::make_unique<Connection>(executor);
    connection->stream.expires_after(timeout);
    boost::system::error_code ec;
    if (options.socket) {
      Fd socket = options.socket();
      if (socket.get() < 0) throw ClientError(Kind::kConnect, to.authority + ": no socket can be had in its network");
      connection->stream.socket().assign(tcp::v4(), socket.release());
      std::tie(ec) = co_await connection->stream.async_connect(endpoints.begin()->endpoint(), kAwait);
    } else {
      std::tie(ec, std::ignore) = co_await connection->stream.async_connect(endpoints, kAwait);
    }
    if (ec == beast::error::timeout) throw ClientError(Kind::kTimeout, to.authority + ": timed out");
    if (ec) throw ClientError(Kind::kConnect, to.authority + ": " + ec.message());
    boost::system::error_code ignored;
    connection->stream.socket().set_option(tcp::no_delay(true), ignored);
    co_return connection;
  }

  // nullopt: the connection was closed before anything of an answer arrived.
  awaitable<std::optional<std::pair<Response, bool>>> exchange(Connection& connection, std::string& head, const Request& request) {
    const std::array<asio::const_buffer, 2> out{asio::buffer(head), asio::buffer(request.body)};
    const auto [write_error, written] = co_await asio::async_write(connection.stream, out, kAwait);
    if (write_error == beast::error::timeout) throw ClientError(Kind::kTimeout, "timed out");
    if (write_error && connection.reused) co_return std::nullopt;
    // A server may answer and close before it has read the whole request, so the answer is read in any case.
    bh::response_parser<bh::string_body> parser;
    parser.body_limit(options.body_bytes_max);
    parser.header_limit(options.header_bytes_max);
    parser.skip(request.method == "HEAD");
    for (;;) {
      const auto [ec, bytes] = co_await bh::async_read(connection.stream, connection.buffer, parser, kAwait);
      if (ec == beast::error::timeout) throw ClientError(Kind::kTimeout, "timed out");
      if (ec == bh::error::body_limit || ec == bh::error::header_limit) throw ClientError(Kind::kTooLarge, "the answer is too large");
      if (ec && !parser.got_some()) {
        if (connection.reused) co_return std::nullopt;
        throw ClientError(Kind::kBroken, "closed before an answer: " + ec.message());
      }
      if (ec) throw ClientError(Kind::kBroken, "broken off: " + ec.message());
      break;
    }
    const bool keep = parser.keep_alive() && !write_error;
    auto message = parser.release();
    Response response{.status = message.result_int()};
    for (const auto& field : message) response.headers.add(std::string(field.name_string()), std::string(field.value()));
    response.body = std::move(message.body());
    co_return std::pair(std::move(response), keep);
  }

  ClientOptions options;
  std::mutex mutex;
  std::deque<std::pair<Key, std::unique_ptr<Connection>>> idle;  // oldest first; under mutex
};

Client::Client(ClientOptions options) : pool_(std::make_shared<Pool>(options)) {}
Client::~Client() = default;

awaitable<Response> Client::send(std::string url, Request request, std::chrono::milliseconds timeout) {
  const std::shared_ptr<Pool> pool = pool_;
  const Destination to = parse_url(url);
  std::string head = head_of(request, to);
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const Pool::Key key{&asio::query(executor, asio::execution::context), to.host + ":" + to.port};
  std::unique_ptr<Connection> connection = pool->take(key);
  const auto until = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (!connection) connection = co_await pool->connect(executor, to, timeout);
    connection->stream.expires_at(until);
    auto answer = co_await pool->exchange(*connection, head, request);
    if (answer) {
      if (answer->second) pool->give(key, std::move(connection));
      co_return std::move(answer->first);
    }
    connection.reset();
    if (!idempotent(request.method)) throw ClientError(Kind::kBroken, to.authority + ": the kept connection was closed");
  }
}

awaitable<Response> Client::download(std::string url, Request request, std::chrono::milliseconds timeout, std::function<void(std::string_view)> take) {
  const std::shared_ptr<Pool> pool = pool_;
  const Destination to = parse_url(url);
  const std::string head = head_of(request, to);
  const auto connection = co_await pool->connect(co_await asio::this_coro::executor, to, timeout);
  const auto fail = [&](const boost::system::error_code& ec) {
    if (ec == beast::error::timeout) throw ClientError(Kind::kTimeout, to.authority + ": timed out");
    throw ClientError(Kind::kBroken, to.authority + ": broken off: " + ec.message());
  };
  connection->stream.expires_after(timeout);
  const std::array<asio::const_buffer, 2> out{asio::buffer(head), asio::buffer(request.body)};
  if (const auto [ec, written] = co_await asio::async_write(connection->stream, out, kAwait); ec) fail(ec);
  bh::response_parser<bh::buffer_body> parser;
  parser.body_limit(boost::none);
  parser.header_limit(pool->options.header_bytes_max);
  if (const auto [ec, bytes] = co_await bh::async_read_header(connection->stream, connection->buffer, parser, kAwait); ec) fail(ec);
  Response response{.status = parser.get().result_int()};
  for (const auto& field : parser.get()) response.headers.add(std::string(field.name_string()), std::string(field.value()));
  std::string piece(256u << 10, '\0');
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    connection->stream.expires_after(timeout);
    const auto [ec, bytes] = co_await bh::async_read(connection->stream, connection->buffer, parser, kAwait);
    if (ec && ec != bh::error::need_buffer) fail(ec);
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    if (response.status == 200) {
      take(got);
    } else {
      if (response.body.size() + got.size() > pool->options.body_bytes_max) throw ClientError(Kind::kTooLarge, "the answer is too large");
      response.body += got;
    }
  }
  co_return response;
}

}  // namespace parvis::http
