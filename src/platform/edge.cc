#include "platform/edge.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "aws/api_call.h"
#include "platform/function_urls.h"

namespace parvis::platform {
namespace {

constexpr std::string_view kApiPath = "/_aws/execute-api/", kAnswerPath = "/_parvis/custom-resource/";
constexpr std::chrono::seconds kKeepAlive{15};

// The API id of "{apiId}.execute-api.…", or empty.
std::string_view api_of_host(std::string_view host) {
  const auto dot = host.find('.');
  if (dot == std::string_view::npos || !host.substr(dot).starts_with(".execute-api.")) return {};
  return host.substr(0, dot);
}

awaitable<http::Response> ready(http::Response response) { co_return response; }

// Writes what `subscription` yields until the reader or the platform goes away.
awaitable<> write_events(std::shared_ptr<EventSubscription> subscription, http::ByteSink& sink) {
  std::uint64_t told = 0;
  co_await sink.write(": parvis events\n\n");
  for (;;) {
    auto line = co_await subscription->next(kKeepAlive);
    if (!line) {
      if (subscription->closed()) co_return;
      co_await sink.write(": still here\n\n");  // finds out whether the reader is
      continue;
    }
    if (const std::uint64_t dropped = subscription->dropped(); dropped != told) {
      told = dropped;
      line->insert(line->size() - 1, fmt::format(",\"dropped\":{}", dropped));
    }
    co_await sink.write("data: " + *line + "\n\n");
  }
}

awaitable<> stream_events(EventStream& events, http::ByteSink& sink) {
  auto subscription = events.subscribe(co_await asio::this_coro::executor);
  co_await write_events(subscription, sink);
}

}  // namespace

http::Response json_response(unsigned status, const boost::json::value& body) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", "application/json");
  response.body = boost::json::serialize(body);
  return response;
}

// Hands on without a coroutine of its own: every request of the port passes here.
awaitable<http::Response> Edge::handle(http::Request request, Caller caller) {
  const std::string_view path = request.path();
  if (path.starts_with(kAnswerPath) && routes_.custom_resource) return routes_.custom_resource(std::move(request));
  if (path.starts_with("/_parvis/")) return own(std::move(request));
  if (const auto id = api_of_host(split_host(request.host).host); !id.empty()) {
    std::string api_id(id);
    return routes_.api(std::move(api_id), std::move(request));
  }
  if (path.starts_with(kApiPath)) {
    const std::string_view rest = std::string_view(request.target).substr(kApiPath.size());
    const auto end = rest.find_first_of("/?");
    std::string api_id(rest.substr(0, end));
    std::string target(end == std::string_view::npos ? "/" : rest.substr(end));
    request.target = target.starts_with('/') ? std::move(target) : "/" + target;
    return routes_.api(std::move(api_id), std::move(request));
  }
  if (FunctionUrls::takes(request)) return routes_.function_url(std::move(request));
  if (caller == Caller::kFunction) return routes_.aws_api(std::move(request));
  const bool of_a_page = request.method == "OPTIONS" || request.headers.find("Origin");
  if (of_a_page && routes_.bucket_cors && (routes_.authenticate || guard_.host_allowed(request.host))) return page(std::move(request));
  return api_call(std::move(request));
}

bool Edge::is_api_call(const http::Request& head) {
  const std::string_view path = head.path();
  return !path.starts_with("/_parvis/") && !path.starts_with(kApiPath) && api_of_host(split_host(head.host).host).empty() && !FunctionUrls::takes(head);
}

awaitable<http::Response> Edge::page(http::Request request) {
  if (auto answered = co_await routes_.bucket_cors(request)) co_return std::move(*answered);
  co_return co_await api_call(std::move(request));
}

awaitable<http::Response> Edge::api_call(http::Request request) {
  // A signature says more than an origin: no page can make one.
  if (const auto refusal = routes_.authenticate ? std::nullopt : guard_.refuse_api(request))
    return ready(json_response(403, {{"__type", "AccessDeniedException"}, {"message", *refusal}}));
  return routes_.aws_api(std::move(request));
}

std::optional<std::string> Edge::refuse_own(http::Request& request, bool root_alone) const {
  if (!routes_.authenticate) return guard_.refuse_api(request);
  try {
    if (routes_.authenticate(request) || !root_alone) return std::nullopt;
    return "this is for the root key alone";
  } catch (const aws::ApiError& error) {
    return fmt::format("{}: {} (sign the request for the service 'parvis')", error.code(), error.message());
  }
}

awaitable<http::Response> Edge::own(http::Request request) {
  const std::string path(request.path());
  const auto admin = routes_.admin.find(request.method + " " + path);
  if (const auto refusal = refuse_own(request, admin != routes_.admin.end())) {
    // Load balancers ask without credentials: they learn that it runs, and nothing else.
    if (routes_.authenticate && path == "/_parvis/health" && request.method == "GET") co_return json_response(200, {{"status", routes_.health().at("status")}});
    co_return json_response(403, {{"message", *refusal}});
  }
  if (admin != routes_.admin.end()) co_return co_await admin->second(std::move(request));
  if (path == "/_parvis/health" && request.method == "GET") co_return json_response(200, routes_.health());
  if (path == "/_parvis/metrics" && request.method == "GET") {
    http::Response response;
    response.headers.add("Content-Type", "text/plain; version=0.0.4");
    response.body = routes_.metrics();
    co_return response;
  }
  if (path == "/_parvis/events" && request.method == "GET") co_return event_stream();
  std::string there = "GET /_parvis/health, GET /_parvis/metrics, GET /_parvis/events";
  for (const auto& [name, handler] : routes_.admin) there += ", " + name;
  co_return json_response(404, {{"message", fmt::format("{} {} is not here; there are {}", request.method, path, there)}});
}

http::Response Edge::event_stream() {
  http::Response response;
  response.headers.add("Content-Type", "text/event-stream");
  response.headers.add("Cache-Control", "no-store");
  response.stream = [this](http::ByteSink& sink) { return stream_events(events_, sink); };
  return response;
}

}  // namespace parvis::platform
