#include <boost/algorithm/string/predicate.hpp>

#include "services/apigateway/responses.h"

namespace parvis::apigateway {
namespace {

struct RestError {
  unsigned status;
  std::string_view type;        // of gateway response; empty: none applies
  std::string_view error_type;  // x-amzn-ErrorType
  std::string_view message;
};

// AWS answers 502 for a malformed function answer with its DEFAULT_5XX response.
RestError rest_error(GatewayError error) {
  switch (error) {
    case GatewayError::kNoRoute: return {403, "MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException", "Missing Authentication Token"};
    case GatewayError::kNoStage:
    case GatewayError::kDisabled: return {403, "", "ForbiddenException", "Forbidden"};
    case GatewayError::kTooLarge: return {413, "REQUEST_TOO_LARGE", "RequestTooLargeException", "Request Too Long"};
    case GatewayError::kTimeout: return {504, "INTEGRATION_TIMEOUT", "InternalServerErrorException", "Endpoint request timed out"};
    case GatewayError::kBadAnswer: return {502, "DEFAULT_5XX", "InternalServerErrorException", "Internal server error"};
    case GatewayError::kNotInvoked:
    case GatewayError::kOverload:
    case GatewayError::kBadConfiguration: return {500, "API_CONFIGURATION_ERROR", "InternalServerErrorException", "Internal server error"};
  }
  std::abort();
}

std::pair<unsigned, std::string_view> http_error(GatewayError error) {
  switch (error) {
    case GatewayError::kNoRoute:
    case GatewayError::kNoStage:
    case GatewayError::kDisabled: return {404, "Not Found"};
    case GatewayError::kTooLarge: return {413, "Request Entity Too Large"};
    case GatewayError::kTimeout:
    case GatewayError::kOverload: return {503, "Service Unavailable"};
    case GatewayError::kBadAnswer:
    case GatewayError::kNotInvoked:
    case GatewayError::kBadConfiguration: return {500, "Internal Server Error"};
  }
  std::abort();
}

void replace_all(std::string& text, std::string_view name, std::string_view value) {
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) text.replace(at, name.size(), value);
}

// Gateway responses know simple variables and no template engine. Longer names come first: one may begin another.
std::string render(std::string text, const RestError& error, const ProxyRequest& request) {
  replace_all(text, "$context.error.messageString", "\"" + std::string(error.message) + "\"");
  replace_all(text, "$context.error.message", error.message);
  replace_all(text, "$context.error.responseType", error.type);
  replace_all(text, "$context.extendedRequestId", request.extended_request_id);
  replace_all(text, "$context.requestId", request.request_id);
  replace_all(text, "$context.resourcePath", request.match.route ? request.match.route->path : "");
  replace_all(text, "$context.httpMethod", request.http.method);
  replace_all(text, "$context.identity.sourceIp", request.http.remote_address);
  replace_all(text, "$context.stage", request.stage.name);
  replace_all(text, "$context.path", request.path);
  return text;
}

void customize(const GatewayResponse& custom, const RestError& error, const ProxyRequest& request, http::Response& response) {
  if (custom.status) response.status = *custom.status;
  for (const auto& [name, value] : custom.headers) {
    constexpr std::string_view kFrom = "method.request.header.";
    std::string text = value;
    if (value.starts_with(kFrom)) {
      const auto found = request.http.headers.find(std::string_view(value).substr(kFrom.size()));
      if (!found) continue;
      text = *found;
    } else if (value.size() >= 2) {
      text = value.substr(1, value.size() - 2);
    }
    response.headers.set(name, std::move(text));
  }
  if (custom.templates.empty()) return;
  auto chosen = custom.templates.find("application/json");
  if (chosen == custom.templates.end()) chosen = custom.templates.begin();
  response.headers.set("Content-Type", chosen->first);
  response.body = render(chosen->second, error, request);
}

bool origin_allowed(const Cors& cors, std::string_view origin) {
  return std::any_of(cors.allow_origins.begin(), cors.allow_origins.end(), [&](const std::string& allowed) {
    if (allowed == "*" || boost::iequals(allowed, origin)) return true;
    // "https://*" is every origin of that scheme.
    return allowed.ends_with("://*") && boost::istarts_with(origin, std::string_view(allowed).substr(0, allowed.size() - 1));
  });
}

std::string comma_joined(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ",") + value;
  return out;
}

bool any_origin(const Cors& cors) { return std::find(cors.allow_origins.begin(), cors.allow_origins.end(), "*") != cors.allow_origins.end(); }

}  // namespace

std::string_view to_string(GatewayError error) {
  switch (error) {
    case GatewayError::kNoRoute: return "no route";
    case GatewayError::kNoStage: return "no such stage";
    case GatewayError::kDisabled: return "the execute-api endpoint is disabled";
    case GatewayError::kTooLarge: return "payload over 10 MB";
    case GatewayError::kTimeout: return "integration timed out";
    case GatewayError::kBadAnswer: return "the function failed or its answer is malformed";
    case GatewayError::kNotInvoked: return "the function could not be invoked";
    case GatewayError::kOverload: return "the function is throttled";
    case GatewayError::kBadConfiguration: return "the answer's body is not base64";
  }
  std::abort();
}

http::Response gateway_error(GatewayError kind, const ProxyRequest& request) {
  http::Response response;
  if (request.api.protocol == Protocol::kHttp) {
    const auto [status, message] = http_error(kind);
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = fmt::format(R"({{"message":"{}"}})", message);
    return response;
  }
  const RestError error = rest_error(kind);
  response.status = error.status;
  response.headers.add("Content-Type", "application/json");
  response.headers.add("x-amzn-ErrorType", std::string(error.error_type));
  // AWS writes a space after the colon in its 5xx bodies and none in its 4xx ones.
  response.body = fmt::format(R"({{"message":{}"{}"}})", error.status >= 500 ? " " : "", error.message);
  if (error.type.empty()) return response;
  const auto& customs = request.definition.gateway_responses;
  auto custom = customs.find(std::string(error.type));
  if (custom == customs.end()) custom = customs.find(error.status >= 500 ? "DEFAULT_5XX" : "DEFAULT_4XX");
  if (custom != customs.end()) customize(custom->second, error, request, response);
  return response;
}

std::optional<http::Response> preflight(const Cors& cors, const http::Request& request) {
  if (request.method != "OPTIONS") return std::nullopt;
  const auto origin = request.headers.find("origin"), method = request.headers.find("access-control-request-method");
  if (!origin || !method) return std::nullopt;
  http::Response response;
  response.status = 204;
  const bool method_allowed = std::any_of(cors.allow_methods.begin(), cors.allow_methods.end(),
                                          [&](const std::string& allowed) { return allowed == "*" || boost::iequals(allowed, *method); });
  if (!origin_allowed(cors, *origin) || !method_allowed) return response;
  response.headers.add("access-control-allow-origin", any_origin(cors) ? "*" : std::string(*origin));
  response.headers.add("access-control-allow-methods", comma_joined(cors.allow_methods));
  if (!cors.allow_headers.empty()) response.headers.add("access-control-allow-headers", comma_joined(cors.allow_headers));
  if (cors.max_age_s) response.headers.add("access-control-max-age", std::to_string(*cors.max_age_s));
  if (cors.allow_credentials) response.headers.add("access-control-allow-credentials", "true");
  return response;
}

void apply_cors(const Cors& cors, const http::Request& request, http::Response& response) {
  for (const std::string_view name : {"access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers",
                                      "access-control-expose-headers", "access-control-max-age", "access-control-allow-credentials"}) {
    response.headers.erase(name);
  }
  const auto origin = request.headers.find("origin");
  if (!origin || !origin_allowed(cors, *origin)) return;
  response.headers.add("access-control-allow-origin", any_origin(cors) ? "*" : std::string(*origin));
  if (cors.allow_credentials) response.headers.add("access-control-allow-credentials", "true");
  if (!cors.expose_headers.empty()) response.headers.add("access-control-expose-headers", comma_joined(cors.expose_headers));
}

}  // namespace parvis::apigateway
