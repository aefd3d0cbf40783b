#include "http/session.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/write.hpp>

namespace parvis::http {
namespace {

constexpr auto kAwait = asio::as_tuple(use_awaitable);
constexpr std::size_t kReadBytes = 8 << 10;
constexpr std::size_t kBodyReadBytes = 64 << 10;
constexpr std::size_t kKeptBufferBytes = 32 << 10;        // a larger buffer is given back between requests
constexpr std::size_t kSmallBodyBytes = 16 << 10;         // copied behind the head: one buffer, one system call
constexpr std::size_t kLingerBytesMax = 1 << 20;
constexpr std::chrono::milliseconds kLingerTime{2'000};
constexpr std::size_t kChunkLineBytesMax = 16 << 10;

}  // namespace

// The body of the request being served. `session` is cleared when its answer is complete.
class RequestSource : public ByteSource {
 public:
  explicit RequestSource(Session* session) : session(session) {}
  awaitable<std::optional<std::string>> read() override {
    for (;;) {
      if (!session) throw BodyError(400, "the request is over");
      RequestParser& parser = *session->parser_;
      if (parser.status == 0 && !session->feed_body() && parser.body.empty()) throw BodyError(parser.status, "malformed body");
      if (!parser.body.empty()) co_return std::exchange(parser.body, {});
      if (parser.status != 0) throw BodyError(parser.status, "malformed body");
      if (parser.is_done()) co_return std::nullopt;
      if (session->owes_continue_ && !co_await session->send_continue()) throw BodyError(400, "the client is gone");
      if (!co_await session->read_some()) throw BodyError(400, "the client broke off");
    }
  }
  Session* session;
};

class AnswerSink : public ByteSink {
 public:
  AnswerSink(Session& session, Framing framing) : session_(session), framing_(framing) {}
  awaitable<> write(std::string bytes) override {
    if (bytes.empty()) co_return;
    written_ += bytes.size();
    if (framing_.kind == Framing::Kind::kLength && written_ > framing_.length)
      throw std::runtime_error("the answer is longer than its Content-Length");
    if (framing_.kind == Framing::Kind::kChunked) {
      bytes.insert(0, fmt::format("{:x}\r\n", bytes.size()));
      bytes += "\r\n";
    }
    // The head waits in out_ for the first piece, so that both leave together.
    const bool ok = co_await session_.write({asio::buffer(session_.out_), asio::buffer(bytes)});
    session_.out_.clear();
    if (!ok) throw std::runtime_error("the client is gone");
  }
  bool complete() const { return framing_.kind != Framing::Kind::kLength || written_ == framing_.length; }

 private:
  Session& session_;
  Framing framing_;
  std::uint64_t written_ = 0;
};

bool BodyShare::hold(std::size_t bytes) {
  if (bytes <= kSmallBytes || bytes <= held_) return true;
  const std::size_t more = bytes - held_;
  if (shared_.buffered_bytes.fetch_add(more) + more > shared_.options.buffered_bytes_max) {
    shared_.buffered_bytes -= more;
    return false;
  }
  held_ = bytes;
  return true;
}

Session::Session(std::shared_ptr<ServerShared> shared, asio::ip::tcp::socket socket, std::shared_ptr<void> held)
    : shared_(std::move(shared)), held_(std::move(held)), socket_(std::move(socket)), watchdog_(socket_.get_executor()) {
  boost::system::error_code ec;
  socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  socket_.non_blocking(true, ec);
  if (const auto remote = socket_.remote_endpoint(ec); !ec) remote_address_ = remote.address().to_string();
  if (const auto local = socket_.local_endpoint(ec); !ec) local_port_ = local.port();
}

Session::~Session() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->sessions.erase(this);
  }
  --shared_->connections;
}

void Session::start() {
  // The completion handler keeps the session until its coroutine has ended.
  asio::co_spawn(executor(), run(), asio::bind_cancellation_slot(cancel_.slot(), [self = shared_from_this()](std::exception_ptr) {
    self->watchdog_.cancel();
    boost::system::error_code ec;
    self->socket_.close(ec);
  }));
}

void Session::close() {
  boost::system::error_code ec;
  socket_.close(ec);
  cancel_.emit(asio::cancellation_type::terminal);
}

void Session::close_if_idle() {
  if (idle_) close();
}

void Session::arm(Side side, std::chrono::milliseconds wait) {
  deadlines_[static_cast<int>(side)] = std::chrono::steady_clock::now() + wait;
  if (deadlines_[static_cast<int>(side)] < watched_until_) watch();
}

// Later deadlines need no new timer: the one that runs finds them when it fires.
void Session::watch() {
  watched_until_ = std::min(deadlines_[0], deadlines_[1]);
  if (watched_until_ == Deadline::max()) return;
  watchdog_.expires_at(watched_until_);
  watchdog_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    if (std::min(self->deadlines_[0], self->deadlines_[1]) <= std::chrono::steady_clock::now()) self->close();
    else self->watch();
  });
}

awaitable<> Session::run() {
  while (co_await serve_one()) {
    if (buffer_.size() == 0 && buffer_.capacity() > kKeptBufferBytes) buffer_ = {};
    if (out_.capacity() > kKeptBufferBytes) out_ = {};
  }
}

awaitable<bool> Session::read_some() {
  const bool in_body = parser_->is_header_done();
  // Each wait for the body is bounded on its own, so a slow handler does not count against the client.
  if (in_body) arm(Side::kRead, shared_->options.idle_timeout);
  const std::size_t want = in_body ? kBodyReadBytes : kReadBytes;
  const auto [ec, bytes] = co_await socket_.async_read_some(buffer_.prepare(want), kAwait);
  disarm(Side::kRead);
  if (!ec) buffer_.commit(bytes);
  co_return !ec;
}

awaitable<bool> Session::write(std::array<asio::const_buffer, 2> buffers) {
  arm(Side::kWrite, shared_->options.idle_timeout);
  const auto [ec, bytes] = co_await asio::async_write(socket_, buffers, kAwait);
  disarm(Side::kWrite);
  co_return !ec;
}

// What fits into the socket's buffer leaves at once, without a turn of the event loop: most answers, whole. `buffers` keeps the
// rest. False: the peer is gone.
bool Session::write_now(std::array<asio::const_buffer, 2>& buffers) {
  boost::system::error_code ec;
  // One buffer costs a plain send().
  const std::size_t sent = buffers[1].size() == 0 ? socket_.write_some(buffers[0], ec) : socket_.write_some(buffers, ec);
  if (ec) return ec == asio::error::would_block || ec == asio::error::try_again;
  const std::size_t first = std::min(sent, buffers[0].size());
  buffers[0] += first;
  buffers[1] += sent - first;
  return true;
}

awaitable<Session::Head> Session::read_head() {
  const ServerOptions& options = shared_->options;
  parser_.emplace(options.header_bytes_max);
  HeadScanner scanner;
  Deadline head_deadline = Deadline::max();
  for (;;) {
    // Empty lines before a request are skipped, as RFC 9112 section 2.2 asks.
    if (scanner.head_size() == 0)
      while (unread().starts_with("\r\n")) buffer_.consume(2);
    const auto state = unread() == "\r" ? HeadScanner::State::kMore : scanner.scan(unread());
    if (state == HeadScanner::State::kBad) parser_->status = 400;
    if (state == HeadScanner::State::kDone) break;
    if (parser_->status == 0 && buffer_.size() > options.header_bytes_max) parser_->status = 431;
    if (parser_->status != 0) co_return Head::kRefused;
    if (buffer_.size() == 0) {
      if (shared_->stopping) co_return Head::kClosed;
      idle_ = true;
      arm(Side::kRead, options.idle_timeout);
    } else {
      const auto now = std::chrono::steady_clock::now();
      if (head_deadline == Deadline::max()) head_deadline = now + options.header_timeout;
      arm(Side::kRead, std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(head_deadline - now)));
    }
    const bool more = co_await read_some();
    idle_ = false;
    if (!more) co_return Head::kClosed;
  }
  if (scanner.head_size() > options.header_bytes_max) {
    parser_->status = 431;
    co_return Head::kRefused;
  }
  buffer_.consume(parser_->feed(unread().substr(0, scanner.head_size())));
  if (parser_->status == 0 && !parser_->is_header_done()) parser_->status = 400;
  parser_->check_head();
  co_return parser_->status == 0 ? Head::kReady : Head::kRefused;
}

bool Session::feed_body() {
  while (!parser_->is_done() && buffer_.size() > 0 && parser_->status == 0) {
    const std::size_t used = parser_->feed(unread());
    buffer_.consume(used);
    if (used == 0) {
      if (parser_->status == 0 && buffer_.size() > kChunkLineBytesMax) parser_->status = 400;
      break;
    }
  }
  return parser_->status == 0;
}

awaitable<bool> Session::send_continue() {
  owes_continue_ = false;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  co_return co_await write({asio::buffer(kContinue), asio::const_buffer()});
}

awaitable<bool> Session::read_whole_body(BodyShare& share) {
  for (;;) {
    if (!feed_body()) co_return false;
    if (!share.hold(parser_->body.size())) {
      parser_->status = 503;
      co_return false;
    }
    if (parser_->is_done()) co_return true;
    if (owes_continue_ && !co_await send_continue()) co_return false;
    if (!co_await read_some()) co_return false;
  }
}

awaitable<bool> Session::serve_one() {
  const Head head = co_await read_head();
  if (head == Head::kClosed) co_return false;
  RequestParser& parser = *parser_;
  http11_ = parser.http11;
  head_request_ = parser.request.method == "HEAD";
  if (head == Head::kRefused) co_return co_await refuse(parser.status);
  Request request = std::move(parser.request);
  request.remote_address = remote_address_;
  request.local_port = local_port_;
  const ServerOptions& options = shared_->options;
  const bool streams = options.wants_stream && options.wants_stream(request);
  const std::uint64_t limit = streams ? options.stream_bytes_max : options.body_bytes_max;
  owes_continue_ = parser.expect_continue && buffer_.size() == 0;
  if (parser.content_length().value_or(0) > limit) co_return co_await refuse(413);
  parser.body_limit(limit);
  parser.eager(true);
  std::shared_ptr<RequestSource> source;
  BodyShare share(*shared_);
  if (streams) {
    source = std::make_shared<RequestSource>(this);
    request.stream = source;
  } else {
    if (!parser.is_done() && !co_await read_whole_body(share)) {
      if (parser.status == 0) co_return false;
      share.release();
      co_return co_await refuse(parser.status);
    }
    request.body = std::move(parser.body);
  }
  disarm(Side::kRead);
  // Cleared however the handler ends: it may have kept the source.
  struct Detach {
    std::shared_ptr<RequestSource>& source;
    ~Detach() { if (source) source->session = nullptr; }
  } detach{source};
  Response response = co_await call_handler(std::move(request));
  share.release();  // before the answer, which a client may take slowly
  // A streamed answer may still read the request; whether all of it was read shows afterwards.
  const bool may_keep = (parser.is_done() && parser.body.empty()) || (streams && response.stream);
  const bool open = co_await respond(std::move(response), may_keep && parser.keep_alive() && !shared_->stopping);
  if (!open) co_return false;
  if (parser.is_done() && parser.body.empty()) co_return true;
  co_await linger();
  co_return false;
}

awaitable<Response> Session::call_handler(Request request) {
  try {
    co_return co_await shared_->handler(std::move(request));
  } catch (const BodyError& error) {
    co_return Response{.status = error.status()};
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted && !socket_.is_open()) throw;
    spdlog::error("http: a handler failed: {}", error.what());
  } catch (const std::exception& error) {
    spdlog::error("http: a handler failed: {}", error.what());
  }
  co_return Response{.status = 500};
}

awaitable<bool> Session::respond(Response response, bool keep_alive) {
  Framing framing = choose_framing(response, head_request_, http11_, keep_alive);
  out_.clear();
  if (!append_head(out_, response, framing, http11_)) {
    spdlog::error("http: a handler answered with a malformed header");
    response = Response{.status = 500};
    framing = choose_framing(response, head_request_, http11_, keep_alive);
    append_head(out_, response, framing, http11_);
  }
  const bool bodyless = head_request_ || framing.kind == Framing::Kind::kNone;
  if (bodyless || !response.stream) {
    if (!bodyless && response.body.size() <= kSmallBodyBytes) out_ += response.body;
    const bool apart = !bodyless && response.body.size() > kSmallBodyBytes;
    std::array<asio::const_buffer, 2> buffers{asio::buffer(out_), apart ? asio::buffer(response.body) : asio::const_buffer()};
    bool ok = write_now(buffers);
    if (ok && asio::buffer_size(buffers) > 0) ok = co_await write(buffers);
    if (ok && !framing.keep_alive) co_await linger();
    co_return ok && framing.keep_alive;
  }
  AnswerSink sink(*this, framing);
  try {
    co_await response.stream(sink);
  } catch (const std::exception& error) {
    // Cut off without the last chunk, so that the client sees an incomplete answer.
    if (socket_.is_open()) spdlog::warn("http: an answer was cut off: {}", error.what());
    co_return false;
  }
  if (!sink.complete()) {
    spdlog::error("http: an answer is shorter than its Content-Length");
    co_return false;
  }
  if (framing.kind == Framing::Kind::kChunked) out_ += "0\r\n\r\n";
  if (!out_.empty() && !co_await write({asio::buffer(out_), asio::const_buffer()})) co_return false;
  if (!framing.keep_alive) co_await linger();
  co_return framing.keep_alive;
}

awaitable<bool> Session::refuse(unsigned status) {
  co_await respond(Response{.status = status}, false);
  co_return false;
}

// Says goodbye and reads on for a moment: closing at once while bytes arrive would reset the connection and could
// destroy the answer before the client has read it.
awaitable<> Session::linger() {
  boost::system::error_code ec;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  if (ec) co_return;
  arm(Side::kRead, kLingerTime);
  for (std::size_t total = 0; total < kLingerBytesMax;) {
    buffer_.clear();
    const auto [read_error, bytes] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
    if (read_error) co_return;
    total += bytes;
  }
}

}  // namespace parvis::http
