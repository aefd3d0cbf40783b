#include "functions/runtime_api.h"

#include <optional>
#include <variant>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "functions/api_answers.h"
#include "functions/frame_decoder.h"
#include "functions/messages.h"
#include "functions/response_stream.h"
#include "http/server.h"

namespace parvis::functions {
namespace {

constexpr std::string_view kBase = "/2018-06-01/runtime/";
constexpr std::size_t kFromEngineBytesMax = 32u << 20;
constexpr std::size_t kBodyBytesMax = 32u << 20;  // more than an answer may have, so that the error can say so

http::Response accepted() { return answer(202, "{\"status\":\"OK\"}\n"); }
http::Response forbidden() { return refused(403, "InvalidStateTransition", "State transition is not allowed"); }

// The error that the runtime posted, as JSON whatever it sent.
std::string error_body(const http::Request& request) {
  boost::system::error_code failed;
  const auto value = boost::json::parse(request.body, failed);
  if (!failed && value.is_object() && (value.get_object().contains("errorType") || value.get_object().contains("errorMessage"))) return request.body;
  const auto type = request.headers.get("Lambda-Runtime-Function-Error-Type");
  return error_payload(type.empty() ? "Runtime.Unknown" : type, request.body);
}

struct Open {
  std::string id, payload, arn, trace, client_context;
  std::int64_t deadline_ms = 0;
};

class Door final : public RuntimeApi, public std::enable_shared_from_this<Door> {
 public:
  Door(asio::io_context& context, Fd channel, const Clock& clock) : context_(context), clock_(clock), channel_(context), changed_(context), in_("LIT", kFromEngineBytesMax) {
    channel_.assign(asio::local::stream_protocol(), channel.release());
  }
  void start(asio::io_context& context, Entropy& entropy, Extensions::Setup setup, bool listen, Framed framed) {
    if (framed.messages.get() >= 0) runtime_.emplace(context, std::move(framed));
    Extensions::Events events{.ready = [weak = weak_from_this()] { if (const auto self = weak.lock()) self->announce(); },
                              .failed = [weak = weak_from_this()](const std::string& type, const std::string& message) { if (const auto self = weak.lock()) self->extension_failed(type, message); }};
    extensions_ = std::make_shared<Extensions>(context, clock_, entropy, std::move(setup), std::move(events));
    http::ServerOptions options;
    options.body_bytes_max = kBodyBytesMax;
    options.stream_bytes_max = kStreamBytesMax;
    options.connections_max = 64;
    options.listen = listen;
    options.idle_timeout = std::chrono::hours(24);
    options.wants_stream = [](const http::Request& request) {
      return request.path().ends_with("/response") && request.headers.get("Lambda-Runtime-Function-Response-Mode") == "streaming";
    };
    server_ = std::make_unique<http::Server>(std::vector<asio::io_context*>{&context}, std::move(options),
                                             [weak = weak_from_this()](http::Request request) { return serve(weak, std::move(request)); });
    port_ = server_->port();
    asio::co_spawn(context, read(shared_from_this()), [](std::exception_ptr) {});
    if (runtime_) asio::co_spawn(context, relay(shared_from_this()), [](std::exception_ptr) {});
    else asio::co_spawn(context, send(shared_from_this(), frame('H', {})), [](std::exception_ptr) {});
  }
  std::uint16_t port() const override { return port_; }
  std::function<void(Fd, std::shared_ptr<void>)> connections() override {
    return [weak = weak_from_this(), context = &context_](Fd connection, std::shared_ptr<void> held) {
      asio::post(*context, [weak, connection = std::make_shared<Fd>(std::move(connection)), held = std::move(held)] {
        if (const auto self = weak.lock(); self && self->server_) self->server_->take(std::move(*connection), held);
      });
    };
  }
  Extensions& extensions() override { return *extensions_; }
  void close() override {
    closed_ = true;
    boost::system::error_code ignored;
    channel_.close(ignored);
    if (runtime_) runtime_->messages.close(ignored), runtime_->answers.close(ignored);
    changed_.cancel();
    extensions_->close();
    server_.reset();
  }

 private:
  enum class Phase { kInit, kReady, kOpen, kAnswering };

  static awaitable<http::Response> serve(std::weak_ptr<Door> weak, http::Request request) {
    const auto self = weak.lock();
    if (!self) co_return answer(500, "{}");
    co_return co_await self->handle(std::move(request));
  }

  awaitable<http::Response> handle(http::Request request) {
    const std::string path(request.path());
    if (Extensions::serves(path)) co_return co_await extensions_->handle(std::move(request));
    if (runtime_ || !path.starts_with(kBase)) co_return refused(404, "NotFound", "The Runtime, Extensions and Telemetry APIs are served here");
    const std::string rest = path.substr(kBase.size());
    if (rest == "invocation/next") co_return request.method == "GET" ? co_await next() : answer(405, "{}");
    if (request.method != "POST") co_return answer(405, "{}");
    if (rest == "init/error") {
      if (phase_ != Phase::kInit) co_return forbidden();
      co_await send(shared_from_this(), frame('E', error_body(request), kFlagExiting));
      co_return accepted();
    }
    constexpr std::string_view kInvocation = "invocation/";
    const std::size_t slash = rest.find('/', kInvocation.size());
    if (!rest.starts_with(kInvocation) || slash == std::string::npos) co_return answer(404, "{}");
    const std::string id = rest.substr(kInvocation.size(), slash - kInvocation.size()), what = rest.substr(slash);
    if (what != "/response" && what != "/error") co_return answer(404, "{}");
    if (!open_ || id != open_->id) co_return refused(400, "InvalidRequestID", "Invalid request ID");
    if (phase_ != Phase::kOpen) co_return forbidden();
    phase_ = Phase::kAnswering;
    http::Response response = accepted();
    const std::string call = open_->id;
    if (what == "/error") co_await send(shared_from_this(), frame('F', error_body(request)));
    else if (request.stream) co_await forward(*request.stream, std::string(request.headers.get("Content-Type")));
    else if (request.body.size() > kResponseBytesMax) {
      co_await send(shared_from_this(), frame('F', too_large_payload(kResponseBytesMax)));
      response = refused(413, "RequestEntityTooLarge", fmt::format("Exceeded maximum allowed payload size ({} bytes).", kResponseBytesMax));
    } else co_await send(shared_from_this(), frame('O', request.body));
    extensions_->record("platform.runtimeDone", boost::json::object{{"requestId", call}, {"status", what == "/error" ? "error" : "success"}});
    open_.reset();
    answered_ = true;
    if (phase_ == Phase::kAnswering) phase_ = Phase::kReady;
    co_return response;
  }

  awaitable<> forward(http::ByteSource& source, std::string content_type) {
    co_await send(shared_from_this(), frame('P', content_type));
    std::string failure;
    try {
      while (auto piece = co_await source.read()) {
        if (!piece->empty()) co_await send(shared_from_this(), frame('C', *piece));
      }
    } catch (const std::exception& error) {
      failure = error_payload("Runtime.TruncatedResponse", error.what());
    }
    co_await send(shared_from_this(), failure.empty() ? frame('O', {}) : frame('F', failure));
  }

  awaitable<http::Response> next() {
    if (phase_ == Phase::kOpen || phase_ == Phase::kAnswering || asking_) co_return forbidden();
    asking_ = true;
    announce();
    while (!open_ && !closed_) {
      changed_.expires_at(std::chrono::steady_clock::time_point::max());
      boost::system::error_code ended;
      co_await changed_.async_wait(asio::redirect_error(use_awaitable, ended));
    }
    asking_ = false;
    if (!open_) co_return answer(500, "{}");
    phase_ = Phase::kOpen;
    http::Response response = answer(200, std::move(open_->payload));
    response.headers.add("Lambda-Runtime-Aws-Request-Id", open_->id);
    response.headers.add("Lambda-Runtime-Deadline-Ms", std::to_string(open_->deadline_ms));
    response.headers.add("Lambda-Runtime-Invoked-Function-Arn", open_->arn);
    if (!open_->trace.empty()) response.headers.add("Lambda-Runtime-Trace-Id", open_->trace);
    if (!open_->client_context.empty()) response.headers.add("Lambda-Runtime-Client-Context", open_->client_context);
    co_return response;
  }

  // --- a runtime that speaks frames ---

  struct Runtime {
    Runtime(asio::io_context& context, Framed framed) : messages(context), answers(context, framed.answers.release()) { messages.assign(asio::local::stream_protocol(), framed.messages.release()); }
    asio::local::stream_protocol::socket messages;
    asio::posix::stream_descriptor answers;
    FrameDecoder in{"HREPCOFN", kFrameBytesMax};
  };

  static awaitable<> relay(std::shared_ptr<Door> self) {
    for (;;) {
      const auto room = self->runtime_->in.room();
      self->runtime_->in.commit(co_await self->runtime_->answers.async_read_some(asio::buffer(room.data(), room.size()), use_awaitable));
      FrameView view;
      FrameDecoder::State state;
      while ((state = self->runtime_->in.next(view)) == FrameDecoder::State::kFrame) co_await self->said(view.type, view.flags, view.body);
      if (state == FrameDecoder::State::kBroken) co_return co_await send(self, frame('D', {}));  // out of place: the engine ends the worker
    }
  }

  awaitable<> said(char type, unsigned flags, std::string_view body) {
    if (type == 'R') {
      loaded_flags_ = flags;
      asking_ = true;
      co_return announce();
    }
    if (type == 'P' || type == 'C') phase_ = Phase::kAnswering;
    if (type != 'O' && type != 'F') co_return co_await send(shared_from_this(), frame(type, body, flags));
    phase_ = Phase::kAnswering;
    const std::string call = open_ ? open_->id : "";
    co_await send(shared_from_this(), frame(type, body, flags));
    extensions_->record("platform.runtimeDone", boost::json::object{{"requestId", call}, {"status", type == 'F' ? "error" : "success"}});
    open_.reset();
    phase_ = Phase::kReady;
    answered_ = asking_ = true;
    announce();
  }

  static awaitable<> hand(std::shared_ptr<Door> self, std::string bytes) {
    boost::system::error_code ignored;  // it has ended: the engine sees that itself
    co_await asio::async_write(self->runtime_->messages, asio::buffer(bytes), asio::redirect_error(use_awaitable, ignored));
  }

  // The runtime waits for a call and so do the extensions: the environment is initialized, or done with its call.
  void announce() {
    if (ending_ && runtime_) return asio::co_spawn(context_, hand(shared_from_this(), frame('T', {})), [](std::exception_ptr) {});  // it ends by itself
    if (ending_) return tell(frame('D', {}));
    if (!asking_ || !extensions_->ready()) return;
    if (phase_ == Phase::kInit) {
      phase_ = Phase::kReady;
      extensions_->initialized();
      extensions_->record("platform.initRuntimeDone", boost::json::object{{"initializationType", "on-demand"}, {"phase", "init"}, {"status", "success"}});
      tell(frame('R', {}, loaded_flags_));
    } else if (std::exchange(answered_, false)) {
      tell(frame('D', {}));
    }
  }

  // Source: Developer Guide, "Failures during the init phase" and "during the invoke phase": the environment is replaced.
  void extension_failed(const std::string& type, const std::string& message) {
    spdlog::warn("{}", message);
    const std::string error = error_payload(type, open_ ? fmt::format("RequestId: {} Error: {}", open_->id, message) : message);
    if (phase_ == Phase::kInit) return tell(frame('E', error, kFlagExiting));
    if (phase_ != Phase::kOpen) return tell(frame('R', {}));  // out of place: the engine ends the worker
    phase_ = Phase::kAnswering;
    tell(frame('F', error, kFlagExiting));
  }

  // Not while an answer is on its way to the engine.
  void tell(std::string bytes) { asio::co_spawn(context_, send(shared_from_this(), std::move(bytes)), [](std::exception_ptr) {}); }

  // Messages of the engine. One that is not a call needs nothing here: the process was started for its function.
  static awaitable<> read(std::shared_ptr<Door> self) {
    for (;;) {
      const auto room = self->in_.room();
      self->in_.commit(co_await self->channel_.async_read_some(asio::buffer(room.data(), room.size()), use_awaitable));
      FrameView view;
      while (self->in_.next(view) == FrameDecoder::State::kFrame) {
        if (view.type == 'I') self->take(view.body);
        if (self->runtime_ && view.type != 'T') co_await hand(self, frame(view.type, view.body, view.flags));
        if (view.type == 'T') {
          self->ending_ = true;
          if (!self->extensions_->shutdown("spindown")) self->announce();
        }
      }
    }
  }

  void take(std::string_view body) {
    std::size_t meta_bytes = 0;
    for (int i = 3; i >= 0; --i) meta_bytes = meta_bytes << 8 | static_cast<unsigned char>(body[static_cast<std::size_t>(i)]);
    const auto meta = boost::json::parse(boost::json::string_view(body.data() + 4, meta_bytes));
    const auto text = [&](const char* name) {
      const auto* value = meta.as_object().if_contains(name);
      return value ? std::string(value->as_string()) : std::string();
    };
    open_ = Open{.id = text("id"), .payload = std::string(body.substr(4 + meta_bytes)), .arn = text("arn"), .trace = text("trace"), .client_context = text("clientContext"),
                 .deadline_ms = clock_.wall().time_since_epoch().count() + meta.at("timeoutMs").to_number<std::int64_t>()};
    extensions_->invoke({.request_id = open_->id, .arn = open_->arn, .trace = open_->trace, .deadline_ms = open_->deadline_ms});
    extensions_->record("platform.start", boost::json::object{{"requestId", open_->id}});
    if (runtime_) asking_ = false, phase_ = Phase::kOpen;
    changed_.cancel();
  }

  static awaitable<> send(std::shared_ptr<Door> self, std::string bytes) {
    boost::system::error_code ignored;  // the engine has closed its side: the worker is being ended
    co_await asio::async_write(self->channel_, asio::buffer(bytes), asio::redirect_error(use_awaitable, ignored));
  }

  asio::io_context& context_;
  const Clock& clock_;
  asio::local::stream_protocol::socket channel_;
  asio::steady_timer changed_;
  FrameDecoder in_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
  Phase phase_ = Phase::kInit;
  std::shared_ptr<Extensions> extensions_;
  std::optional<Runtime> runtime_;
  unsigned loaded_flags_ = 0;
  bool closed_ = false, asking_ = false, answered_ = false, ending_ = false;
  std::optional<Open> open_;
};

}  // namespace

std::shared_ptr<RuntimeApi> RuntimeApi::open(asio::io_context& context, Fd channel, const Clock& clock, Entropy& entropy, Extensions::Setup extensions, bool listen, Framed framed) {
  auto door = std::make_shared<Door>(context, std::move(channel), clock);
  door->start(context, entropy, std::move(extensions), listen, std::move(framed));
  return door;
}

}  // namespace parvis::functions
