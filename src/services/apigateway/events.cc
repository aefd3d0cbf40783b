#include "services/apigateway/events.h"

#include "core/hash.h"
#include "core/utf8.h"

namespace parvis::apigateway {
namespace json = boost::json;
namespace {

using Fields = std::vector<NamedValue>;

// Where an event is put together: it lives until its text is made, so nothing of it is freed on its own.
struct Scratch {
  unsigned char first[8192];
  json::monotonic_resource resource{first};
  json::storage_ptr memory{&resource};
};

json::value last_values(const Fields& fields, const json::storage_ptr& memory) {
  if (fields.empty()) return nullptr;
  json::object out(memory);
  for (const auto& [name, value] : fields) out[name] = value;
  return out;
}
json::value all_values(const Fields& fields, const json::storage_ptr& memory) {
  if (fields.empty()) return nullptr;
  json::object out(memory);
  for (const auto& [name, value] : fields) {
    json::value& list = out[name];
    if (!list.is_array()) list.emplace_array();
    list.as_array().emplace_back(value);
  }
  return out;
}
json::value map_or_null(const std::map<std::string, std::string>& values, const json::storage_ptr& memory) {
  if (values.empty()) return nullptr;
  json::object out(memory);
  for (const auto& [name, value] : values) out[name] = value;
  return out;
}
json::value path_parameters(const ProxyRequest& request, const json::storage_ptr& memory) {
  if (request.match.path_parameters.empty()) return nullptr;
  json::object out(memory);
  for (const auto& [name, value] : request.match.path_parameters) out[name] = to_utf8(value);
  return out;
}

// "/{stage}/path", or the path alone on $default.
std::string path_with_stage(const ProxyRequest& request) {
  return to_utf8(request.stage.name == kDefaultStage ? request.path : "/" + request.stage.name + request.path);
}

struct Body {
  json::value text;  // null when there is none
  bool base64 = false;
};
Body body_of(const ProxyRequest& request, const json::storage_ptr& memory) {
  const std::string& bytes = request.http.body;
  if (bytes.empty()) return {nullptr, false};
  const std::string_view type = request.http.headers.get("content-type");
  const bool binary = request.api.protocol == Protocol::kRest
                          ? is_binary_type(request.definition.binary_media_types, type.empty() ? "application/json" : type)
                          : aws::is_binary_body(request.http);
  if (binary) return {json::value(base64_encode(bytes), memory), true};
  return {json::value(to_utf8(bytes), memory), false};
}

json::object identity_v1(const ProxyRequest& request, const json::storage_ptr& memory) {
  json::object out(memory);
  for (const std::string_view name : {"cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller"}) out[name] = nullptr;
  out["sourceIp"] = to_utf8(request.http.remote_address);
  for (const std::string_view name : {"principalOrgId", "accessKey", "cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn"}) {
    out[name] = nullptr;
  }
  const auto agent = request.http.headers.find("user-agent");
  if (agent) out["userAgent"] = to_utf8(*agent);
  else out["userAgent"] = nullptr;
  out["user"] = nullptr;
  return out;
}

}  // namespace

std::string make_event_v1(const ProxyRequest& request) {
  Scratch scratch;
  const json::storage_ptr& memory = scratch.memory;
  const bool rest = request.api.protocol == Protocol::kRest;
  const Route& route = *request.match.route;
  const Fields headers = aws::function_headers(request.http, request.trace_id, !rest), query = aws::query_fields(request.http);
  // An HTTP API's route stands for the resource; its id is the route key.
  json::object context({{"resourceId", rest ? route.resource_id : route.key()},
                       {"resourcePath", route.path},
                       {"httpMethod", request.http.method},
                       {"extendedRequestId", request.extended_request_id},
                       {"requestTime", format_clf_time(request.now)},
                       {"path", path_with_stage(request)},
                       {"accountId", request.api.scope.account},
                       {"protocol", "HTTP/1.1"},
                       {"stage", request.stage.name},
                       {"domainPrefix", request.api.id},
                       {"requestTimeEpoch", request.now.time_since_epoch().count()},
                       {"requestId", rest ? request.request_id : request.extended_request_id},
                       {"identity", identity_v1(request, memory)},
                       {"domainName", request.api.domain_name()},
                       {"apiId", request.api.id}}, memory);
  if (rest) context["deploymentId"] = request.deployment_id;
  Body body = body_of(request, memory);
  json::object event(memory);
  if (!rest) event["version"] = "1.0";
  event["resource"] = route.path;
  event["path"] = rest ? to_utf8(request.path) : path_with_stage(request);
  event["httpMethod"] = request.http.method;
  event["headers"] = last_values(headers, memory);
  event["multiValueHeaders"] = all_values(headers, memory);
  event["queryStringParameters"] = last_values(query, memory);
  event["multiValueQueryStringParameters"] = all_values(query, memory);
  event["pathParameters"] = path_parameters(request, memory);
  event["stageVariables"] = map_or_null(request.stage.variables, memory);
  event["requestContext"] = std::move(context);
  event["body"] = std::move(body.text);
  event["isBase64Encoded"] = body.base64;
  return json::serialize(event);
}

std::string make_event_v2(const ProxyRequest& request) {
  const std::string key = request.match.route->key();
  return aws::make_http_event({.http = request.http, .path = path_with_stage(request), .account_id = request.api.scope.account,
                               .api_id = request.api.id, .domain_name = request.api.domain_name(),
                               .request_id = request.extended_request_id, .trace_id = request.trace_id, .route_key = key,
                               .stage = request.stage.name, .now = request.now, .path_parameters = request.match.path_parameters,
                               .stage_variables = request.stage.variables});
}

}  // namespace parvis::apigateway
