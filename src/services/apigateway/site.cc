#include "services/apigateway/site.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

namespace parvis::apigateway {
namespace {

constexpr std::chrono::hours kNoLimit{24};

using SteadyTime = std::chrono::steady_clock::time_point;

struct Target {
  const CompiledStage* stage = nullptr;
  std::string path;  // behind the stage
};

// Finds the stage, by the URL's own or by the first segment of the path.
Target find_target(const CompiledApi& api, std::string_view stage_from_url, std::string_view path) {
  Target out{nullptr, std::string(path.empty() ? "/" : path)};
  if (!stage_from_url.empty()) {
    if (const auto found = api.stages.find(stage_from_url); found != api.stages.end()) out.stage = &found->second;
    return out;
  }
  std::string_view rest = path.starts_with('/') ? path.substr(1) : path;
  const std::size_t slash = rest.find('/');
  if (const auto found = api.stages.find(rest.substr(0, slash)); found != api.stages.end() && found->first != kDefaultStage) {
    out.stage = &found->second;
    out.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
    return out;
  }
  if (api.api.protocol == Protocol::kHttp) {
    if (const auto found = api.stages.find(kDefaultStage); found != api.stages.end()) out.stage = &found->second;
  }
  return out;
}

// The id in the form of AWS's extended request ids: 15 characters and '='.
std::string extended_id(Entropy& entropy) {
  return entropy.token(15, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") + "=";
}

// Reads a streamed body up to the limit; false past it.
awaitable<bool> read_body(http::Request& request) {
  while (request.stream) {
    auto piece = co_await request.stream->read();
    if (!piece) break;
    if (request.body.size() + piece->size() > kBodyBytesMax) co_return false;
    request.body += *piece;
  }
  request.stream.reset();
  co_return request.body.size() <= kBodyBytesMax;
}

void add_ids(const ProxyRequest& request, const aws::TraceContext& trace, bool integrated, http::Response& response) {
  if (request.api.protocol == Protocol::kHttp) {
    response.headers.set("Apigw-Requestid", request.extended_request_id);
    return;
  }
  response.headers.set("x-amzn-RequestId", request.request_id);
  response.headers.set("x-amz-apigw-id", request.extended_request_id);
  if (integrated) response.headers.set("X-Amzn-Trace-Id", "Root=" + trace.trace_id + (trace.sampled ? ";Sampled=1" : ";Sampled=0"));
}

std::chrono::microseconds since(SteadyTime begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
}

}  // namespace

// A call that may outlive its client: what the call writes and the client waits for, owned by both.
struct ApiSite::Running {
  explicit Running(const asio::any_io_executor& executor, std::shared_ptr<std::atomic<unsigned>> open) : timer(executor), open(std::move(open)) {
    ++*this->open;
  }
  ~Running() { --*open; }
  asio::steady_timer timer;
  std::shared_ptr<std::atomic<unsigned>> open;
  std::optional<InvokeAnswer> answer;
};

ApiSite::ApiSite(const ApiCatalog& catalog, FunctionInvoker& functions, const Clock& clock, Entropy& entropy, Observer observer)
    : catalog_(catalog), functions_(functions), clock_(clock), entropy_(entropy), observer_(std::move(observer)) {}

awaitable<InvokeAnswer> ApiSite::call(const ProxyRequest& request, const LambdaProxy& lambda, std::chrono::milliseconds timeout,
                                      aws::TraceContext trace, std::string function_arn, bool& timed_out) {
  const auto executor = co_await asio::this_coro::executor;
  aws::CallContext context{.scope = request.api.scope,
                           .principal = {.arn = "apigateway.amazonaws.com", .access_key_id = {}},
                           .request_id = request.request_id,
                           .trace = std::move(trace),
                           .origin = "apigateway"};
  std::string event = lambda.payload_v2 ? make_event_v2(request) : make_event_v1(request);
  auto running = std::make_shared<Running>(executor, open_);
  running->timer.expires_after(time_limits_ ? timeout : kNoLimit);
  asio::co_spawn(executor, functions_.invoke(std::move(context), std::move(function_arn), std::move(event), timeout),
                 [running](std::exception_ptr error, InvokeAnswer answer) {
                   if (error) {
                     answer = {InvokeAnswer::Kind::kFailed, {}};
                     try {
                       std::rethrow_exception(error);
                     } catch (const std::exception& cause) {
                       spdlog::error("apigateway: a function call failed: {}", cause.what());
                     } catch (...) {
                       spdlog::error("apigateway: a function call failed");
                     }
                   }
                   running->answer = std::move(answer);
                   running->timer.cancel();
                 });
  boost::system::error_code ended;
  if (!running->answer) co_await running->timer.async_wait(asio::redirect_error(use_awaitable, ended));
  timed_out = !running->answer;
  if (timed_out && ended == asio::error::operation_aborted) throw boost::system::system_error(ended);  // the request was cancelled
  if (timed_out) co_return InvokeAnswer{};
  co_return std::move(*running->answer);
}

awaitable<http::Response> ApiSite::integrate(const ProxyRequest& request, aws::TraceContext trace, RequestRecord& record) {
  const Route& route = *request.match.route;
  const auto fail = [&](GatewayError error) {
    record.error = to_string(error);
    return gateway_error(error, request);
  };
  if (const auto* mock = std::get_if<MockAnswer>(&route.integration.target)) {
    http::Response response{.status = mock->status, .headers = {}, .body = mock->body, .stream = {}};
    for (const auto& [name, value] : mock->headers) response.headers.set(name, value);
    if (!response.headers.find("content-type")) response.headers.add("Content-Type", "application/json");
    co_return response;
  }
  const auto& lambda = std::get<LambdaProxy>(route.integration.target);
  record.function_arn = with_stage_variables(lambda.function_arn, request.stage);
  const SteadyTime begin = std::chrono::steady_clock::now();
  bool timed_out = false;
  const InvokeAnswer answer = co_await call(request, lambda, route.integration.timeout, std::move(trace), record.function_arn, timed_out);
  record.integration_latency = since(begin);
  if (timed_out) co_return fail(GatewayError::kTimeout);
  switch (answer.kind) {
    case InvokeAnswer::Kind::kOk: break;
    case InvokeAnswer::Kind::kFunctionError: co_return fail(GatewayError::kBadAnswer);
    case InvokeAnswer::Kind::kThrottled: co_return fail(GatewayError::kOverload);
    case InvokeAnswer::Kind::kTooLarge: co_return fail(GatewayError::kTooLarge);
    case InvokeAnswer::Kind::kNotFound:
    case InvokeAnswer::Kind::kFailed: co_return fail(GatewayError::kNotInvoked);
  }
  auto mapped = request.api.protocol == Protocol::kRest ? map_rest(answer.payload, request.definition, request.http.headers.get("accept"))
                : lambda.payload_v2                     ? map_http_v2(answer.payload)
                                                        : map_http_v1(answer.payload);
  if (!mapped) co_return fail(mapped.error() == MapErrc::kBadBase64 ? GatewayError::kBadConfiguration : GatewayError::kBadAnswer);
  co_return std::move(*mapped);
}

awaitable<http::Response> ApiSite::handle(std::string api_id, std::string stage_from_url, http::Request request, aws::TraceContext trace) {
  const SteadyTime begin = std::chrono::steady_clock::now();
  const auto api = catalog_.find(api_id);
  if (!api) {
    // On AWS the host name does not resolve, or belongs to no API: the front answers 403.
    http::Response response{.status = 403, .headers = {}, .body = R"({"message":"Forbidden"})", .stream = {}};
    response.headers.add("Content-Type", "application/json");
    response.headers.add("x-amzn-ErrorType", "ForbiddenException");
    co_return response;
  }
  const bool rest = api->api.protocol == Protocol::kRest;
  const Target target = find_target(*api, stage_from_url, request.path());
  std::string path = target.path;
  if (!rest) path = http::percent_decode(path).value_or(path);
  const bool fits = co_await read_body(request);

  static const Stage kNoStage;
  static const Definition kNoDefinition;
  RouteMatch match;
  const Definition& definition = target.stage ? *target.stage->definition : kNoDefinition;
  std::optional<http::Response> response;
  std::optional<GatewayError> error;
  const bool disabled = api->api.disable_execute_api_endpoint;
  if (disabled) error = GatewayError::kDisabled;
  else if (!target.stage) error = GatewayError::kNoStage;
  else if (!fits) error = GatewayError::kTooLarge;
  else if (definition.cors) response = preflight(*definition.cors, request);
  const bool is_preflight = response.has_value();
  if (!error && !is_preflight) {
    if (auto found = target.stage->router.match(request.method, path)) match = std::move(*found);
    else error = GatewayError::kNoRoute;
  }
  const ProxyRequest proxy{.api = api->api, .stage = target.stage ? *target.stage->stage : kNoStage, .definition = definition,
                           .match = match, .http = request, .path = std::move(path),
                           .deployment_id = target.stage ? target.stage->stage->deployment_id : "",
                           .request_id = entropy_.uuid(), .extended_request_id = extended_id(entropy_),
                           .trace_id = trace.trace_id, .now = clock_.wall()};
  RequestRecord record{.scope = api->api.scope, .api_id = api_id, .api_name = api->api.name, .stage = proxy.stage.name,
                       .route = match.route ? match.route->key() : "", .method = request.method, .path = proxy.path,
                       .function_arn = {}, .request_id = rest ? proxy.request_id : proxy.extended_request_id,
                       .trace_id = trace.trace_id, .error = {}, .request_bytes = request.body.size()};
  if (error) {
    record.error = to_string(*error);
    response = gateway_error(*error, proxy);
  } else if (!is_preflight) {
    response = co_await integrate(proxy, trace, record);
  }
  if (definition.cors && !is_preflight) apply_cors(*definition.cors, request, *response);
  add_ids(proxy, trace, match.route != nullptr, *response);
  record.status = response->status;
  record.response_bytes = response->body.size();
  record.latency = since(begin);
  if (observer_) observer_(record);
  co_return std::move(*response);
}

}  // namespace parvis::apigateway
