#include "services/lambda/url_site.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "aws/proxy_answer.h"
#include "aws/proxy_event.h"
#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"

namespace parvis::lambda {
namespace {

constexpr std::size_t kScopesMax = 10'000;

http::Response json_answer(unsigned status, boost::json::object body, std::string_view error_type = {}) {
  http::Response response{.status = status, .headers = {}, .body = boost::json::serialize(body), .stream = {}};
  response.headers.add("Content-Type", "application/json");
  if (!error_type.empty()) response.headers.add("x-amzn-ErrorType", std::string(error_type));
  return response;
}

http::Response bad_gateway() {
  http::Response response{.status = 502, .headers = {}, .body = "Internal Server Error", .stream = {}};
  response.headers.add("Content-Type", "application/json");
  return response;
}

http::Response error_answer(const aws::ApiError& failed) {
  if (failed.code() == kTooManyRequests.code) {
    boost::json::object body{{"Type", "User"}, {"message", failed.message()}};
    if (const auto* reason = failed.members().if_contains("Reason")) body["Reason"] = *reason;
    return json_answer(429, std::move(body), failed.code());
  }
  if (failed.http_status() == 413) return json_answer(413, {{"Message", failed.message()}}, failed.code());
  if (failed.code() == kResourceNotFound.code) return json_answer(404, {{"Message", "Not Found"}}, failed.code());
  return bad_gateway();
}

std::string event_of(const FunctionUrl& url, const http::Request& request, const std::optional<UrlCaller>& caller,
                     const aws::TraceContext& trace, const std::string& request_id, Millis now) {
  aws::HttpEvent event{.http = request, .path = std::string(request.path()), .account_id = caller ? caller->account : "anonymous",
                       .api_id = url.id, .domain_name = fmt::format("{}.lambda-url.{}.on.aws", url.id, url.scope.region),
                       .request_id = request_id, .trace_id = trace.trace_id, .now = now};
  if (caller) {
    event.authorizer = {{"iam", {{"accessKey", caller->access_key_id}, {"accountId", caller->account}, {"callerId", caller->access_key_id},
                                 {"cognitoIdentity", nullptr}, {"principalOrgId", nullptr}, {"userArn", caller->arn},
                                 {"userId", caller->access_key_id}}}};
  }
  return aws::make_http_event(event);
}

// A call whose answer is passed on while the function makes it. Everything runs on the request's own executor, one thread.
class Relay final : public functions::ResponseSink, public std::enable_shared_from_this<Relay> {
 public:
  explicit Relay(const asio::any_io_executor& executor) : executor_(executor), reader_(executor), writer_(executor) {}

  void start(Invoker& invoker, std::shared_ptr<Invoker::Admitted> admitted, functions::Invocation invocation) {
    asio::co_spawn(executor_, run(shared_from_this(), invoker, std::move(admitted), std::move(invocation)), [self = shared_from_this()](std::exception_ptr failed) {
      if (failed) self->failed_ = true;
      self->ended_ = true;
      self->reader_.cancel();
    });
  }
  // Until the function has begun to answer, or has ended without.
  awaitable<> begun() {
    while (!head_ && !ended_) co_await wait(reader_);
  }
  const std::optional<functions::StreamHead>& head() const { return head_; }
  // nullopt: the end.
  awaitable<std::optional<std::string>> next() {
    while (!piece_ && !ended_) co_await wait(reader_);
    std::optional<std::string> out = std::exchange(piece_, std::nullopt);
    writer_.cancel();
    co_return out;
  }
  bool broken() const { return failed_; }
  void abandon() {
    abandoned_ = true;
    writer_.cancel();
  }

  awaitable<> begin(functions::StreamHead head) override {
    head_ = std::move(head);
    reader_.cancel();
    co_return;
  }
  awaitable<> write(std::string bytes) override {
    while (piece_ && !abandoned_) co_await wait(writer_);
    if (abandoned_) throw std::runtime_error("the client is gone");
    piece_ = std::move(bytes);
    reader_.cancel();
  }

 private:
  static awaitable<> run(std::shared_ptr<Relay> self, Invoker& invoker, std::shared_ptr<Invoker::Admitted> admitted, functions::Invocation invocation) {
    const CallResult done = co_await invoker.run_streaming(std::move(admitted), std::move(invocation), *self);
    self->failed_ = done.function_error;
  }
  static awaitable<> wait(asio::steady_timer& timer) {
    timer.expires_at(asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::as_tuple(use_awaitable));
  }

  asio::any_io_executor executor_;
  asio::steady_timer reader_, writer_;
  std::optional<functions::StreamHead> head_;
  std::optional<std::string> piece_;
  bool ended_ = false, failed_ = false, abandoned_ = false;
};

// The body of a streamed answer. When the reader goes, the function's further output is dropped.
awaitable<> pass_on(std::shared_ptr<Relay> relay, http::ByteSink& sink) {
  struct Guard {
    std::shared_ptr<Relay> relay;
    ~Guard() { relay->abandon(); }
  } guard{relay};
  while (std::optional<std::string> piece = co_await relay->next()) co_await sink.write(std::move(*piece));
  // Differs from AWS in nothing that HTTP/1.1 can say: a stream that breaks off is closed before its end.
  if (relay->broken()) throw std::runtime_error("the function's answer broke off");
}

http::Response head_of(const functions::StreamHead& head) {
  http::Response response;
  if (head.has_prelude) {
    auto mapped = aws::map_http_v2(head.prelude);
    const auto value = aws::parse_answer(head.prelude);
    if (!mapped || !value || !value->is_object()) return bad_gateway();
    if (!value->as_object().contains("statusCode")) {  // it may say headers alone
      auto answer = aws::read_proxy_answer(value->as_object(), false);
      if (!answer || !aws::add_cookies(value->as_object(), answer->response)) return bad_gateway();
      aws::drop_per_hop_headers(answer->response);
      mapped = std::move(answer->response);
    }
    response = std::move(*mapped);
    response.body.clear();
  }
  if (!response.headers.find("content-type")) {
    response.headers.add("Content-Type", head.content_type.empty() ? "application/octet-stream" : head.content_type);
  }
  return response;
}

awaitable<http::Response> answer_streaming(Invoker& invoker, FunctionRef ref, functions::Invocation invocation) {
  std::shared_ptr<Invoker::Admitted> admitted = co_await invoker.admit(std::move(ref));
  const auto relay = std::make_shared<Relay>(co_await asio::this_coro::executor);
  relay->start(invoker, std::move(admitted), std::move(invocation));
  co_await relay->begun();
  if (!relay->head()) co_return relay->broken() ? bad_gateway() : http::Response{};
  http::Response response = head_of(*relay->head());
  if (response.status == 502 && !response.body.empty()) {
    relay->abandon();
    co_return response;
  }
  response.stream = [relay](http::ByteSink& sink) { return pass_on(relay, sink); };
  co_return response;
}

awaitable<http::Response> answer_buffered(Invoker& invoker, FunctionRef ref, functions::Invocation invocation) {
  const CallResult done = co_await invoker.run(std::move(ref), std::move(invocation));
  if (done.function_error) co_return bad_gateway();
  auto mapped = aws::map_http_v2(done.result.payload);
  if (!mapped) co_return bad_gateway();
  co_return std::move(*mapped);
}

}  // namespace

awaitable<std::optional<FunctionUrl>> UrlSite::find(std::string url_id) {
  std::vector<aws::Scope> scopes;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = scopes_.find(url_id); it != scopes_.end()) scopes.push_back(it->second);
  }
  if (scopes.empty()) scopes = co_await stored_scopes(store_);
  for (const aws::Scope& scope : scopes) {
    const auto value = co_await store_.snapshot()->get(url_key(scope.account, scope.region, url_id));
    if (!value) continue;
    const std::lock_guard lock(mutex_);
    if (scopes_.size() < kScopesMax) scopes_.emplace(url_id, scope);
    co_return parse_function_url(value->bytes);
  }
  co_return std::nullopt;
}

awaitable<http::Response> UrlSite::handle(std::string url_id, http::Request request, std::optional<UrlCaller> caller, aws::TraceContext trace) {
  const std::optional<FunctionUrl> url = co_await find(url_id);
  if (!url) co_return json_answer(404, {{"Message", "Not Found"}}, "ResourceNotFoundException");
  if (url->cors) {
    if (auto answer = preflight(*url->cors, request)) co_return std::move(*answer);
  }
  http::Response response;
  const std::string request_id = entropy_.uuid();
  if (url->auth_type != "NONE" && !caller) {
    response = json_answer(403, {{"Message", "Forbidden"}}, "AccessDeniedException");
  } else if (request.body.size() > kPayloadBytesMax) {
    response = json_answer(413, {{"Message", "Request must be smaller than 6291456 bytes"}}, "RequestTooLargeException");
  } else {
    if (url->auth_type == "NONE") caller.reset();
    functions::Invocation invocation{request_id, event_of(*url, request, caller, trace, request_id, clock_.wall()), trace.header(),
                                     url->ref().qualified_arn(), {}};
    std::optional<aws::ApiError> failed;
    try {
      response = url->invoke_mode == "RESPONSE_STREAM" ? co_await answer_streaming(invoker_, url->ref(), std::move(invocation))
                                                       : co_await answer_buffered(invoker_, url->ref(), std::move(invocation));
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed) response = error_answer(*failed);
  }
  if (url->cors) apply_cors(*url->cors, request, response.headers);
  response.headers.set("x-amzn-RequestId", request_id);
  response.headers.set("X-Amzn-Trace-Id", "Root=" + trace.trace_id + (trace.sampled ? ";Sampled=1" : ";Sampled=0"));
  co_return response;
}

}  // namespace parvis::lambda
