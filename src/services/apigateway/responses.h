// apigateway/responses.h: from a function's answer to the client's, and the gateway's own error answers.
//
// Source: API Gateway Developer Guide, "Output format of a Lambda function for proxy integration", "Lambda function response
// for format 2.0", "Gateway response types", "Customize gateway responses", "Configure CORS for HTTP APIs".
#pragma once

#include <optional>
#include <string_view>

#include "aws/proxy_answer.h"
#include "http/message.h"
#include "services/apigateway/events.h"

namespace parvis::apigateway {

using aws::MapErrc, aws::map_http_v1, aws::map_http_v2;

// `accept` is the request's Accept header: REST decodes a base64 body only when its first type is a binary media type.
std::expected<http::Response, MapErrc> map_rest(std::string_view payload, const Definition& definition, std::string_view accept);

// Errors that the gateway answers by itself.
enum class GatewayError {
  kNoRoute,          // REST 403 Missing Authentication Token, HTTP 404
  kNoStage,          // REST 403 Forbidden, HTTP 404
  kDisabled,         // the execute-api endpoint is switched off: REST 403 Forbidden, HTTP 404
  kTooLarge,         // 413
  kTimeout,          // REST 504, HTTP 503
  kBadAnswer,        // the function failed or answered garbage: REST 502, HTTP 500
  kNotInvoked,       // no such function, no permission, throttled: REST 500, HTTP 500
  kOverload,         // HTTP 503; REST 500
  kBadConfiguration, // REST 500: base64 that does not decode
};
std::string_view to_string(GatewayError error);
// `request` may lack a route (match.route null); gateway responses of `definition` apply for REST.
http::Response gateway_error(GatewayError error, const ProxyRequest& request);

// HTTP API CORS. nullopt: the request is no preflight.
std::optional<http::Response> preflight(const Cors& cors, const http::Request& request);
// Replaces the function's CORS headers by those of the API.
void apply_cors(const Cors& cors, const http::Request& request, http::Response& response);

}  // namespace parvis::apigateway
