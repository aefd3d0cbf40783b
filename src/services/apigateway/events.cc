#include "services/apigateway/events.h"

#include <boost/algorithm/string/predicate.hpp>

#include "core/hash.h"

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

// The request's headers as the function sees them: what the gateway adds stands in place of what a client claimed.
Fields function_headers(const ProxyRequest& request, bool lower) {
  Fields out;
  std::string forwarded_for;
  for (const auto& [name, value] : request.http.headers) {
    const std::string low = to_lower(name);
    if (low == "x-forwarded-for") {
      forwarded_for.append(forwarded_for.empty() ? "" : ", ").append(value);
      continue;
    }
    if (low == "x-forwarded-port" || low == "x-forwarded-proto" || low == "x-amzn-trace-id" || low == "connection" ||
        low == "transfer-encoding" || low == "keep-alive" || low == "upgrade") {
      continue;
    }
    // One name per header, spelled as it came first.
    std::string key = to_utf8(lower ? low : name);
    for (const NamedValue& before : out) {
      if (boost::iequals(before.first, key)) key = before.first;
    }
    out.emplace_back(std::move(key), to_utf8(value));
  }
  const auto add = [&](std::string_view name, std::string value) {
    out.emplace_back(lower ? to_lower(name) : std::string(name), std::move(value));
  };
  add("X-Amzn-Trace-Id", "Root=" + request.trace_id);
  add("X-Forwarded-For", to_utf8(forwarded_for.empty() ? request.http.remote_address : forwarded_for + ", " + request.http.remote_address));
  const std::size_t colon = request.http.host.rfind(':');
  const bool has_port = colon != std::string::npos && request.http.host.find(']', colon) == std::string::npos;
  add("X-Forwarded-Port", has_port ? to_utf8(request.http.host.substr(colon + 1)) : request.http.tls ? "443" : "80");
  add("X-Forwarded-Proto", request.http.tls ? "https" : "http");
  return out;
}

Fields query_of(const ProxyRequest& request) {
  Fields out = http::parse_query(request.http.query());
  for (auto& [name, value] : out) {
    name = to_utf8(name);
    value = to_utf8(value);
  }
  return out;
}

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
json::object joined_values(const Fields& fields, const json::storage_ptr& memory) {
  json::object out(memory);
  for (const auto& [name, value] : fields) {
    json::value& text = out[name];
    if (!text.is_string()) {
      text = value;
    } else {
      text.as_string() += ",";
      text.as_string() += value;
    }
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
                          : !is_text_type(type) || request.http.headers.find("content-encoding") || !is_utf8(bytes);
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
  const Fields headers = function_headers(request, !rest), query = query_of(request);
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
  Scratch scratch;
  const json::storage_ptr& memory = scratch.memory;
  const Route& route = *request.match.route;
  Fields headers = function_headers(request, true);
  json::array cookies(memory);
  std::erase_if(headers, [&](const NamedValue& field) {
    if (field.first != "cookie") return false;
    std::string_view rest = field.second;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      std::string_view cookie = rest.substr(0, end);
      while (!cookie.empty() && cookie.front() == ' ') cookie.remove_prefix(1);
      while (!cookie.empty() && cookie.back() == ' ') cookie.remove_suffix(1);
      if (!cookie.empty()) cookies.emplace_back(cookie);
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return true;
  });
  const std::string path = path_with_stage(request);
  json::object context({{"accountId", request.api.scope.account},
                       {"apiId", request.api.id},
                       {"domainName", request.api.domain_name()},
                       {"domainPrefix", request.api.id},
                       {"http", {{"method", request.http.method},
                                 {"path", path},
                                 {"protocol", "HTTP/1.1"},
                                 {"sourceIp", to_utf8(request.http.remote_address)},
                                 {"userAgent", to_utf8(request.http.headers.get("user-agent"))}}},
                       {"requestId", request.extended_request_id},
                       {"routeKey", route.key()},
                       {"stage", request.stage.name},
                       {"time", format_clf_time(request.now)},
                       {"timeEpoch", request.now.time_since_epoch().count()}}, memory);
  json::object event({{"version", "2.0"}, {"routeKey", route.key()}, {"rawPath", path}, {"rawQueryString", to_utf8(request.http.query())}}, memory);
  if (!cookies.empty()) event["cookies"] = std::move(cookies);
  event["headers"] = joined_values(headers, memory);
  if (const Fields query = query_of(request); !query.empty()) event["queryStringParameters"] = joined_values(query, memory);
  event["requestContext"] = std::move(context);
  Body body = body_of(request, memory);
  if (!body.text.is_null()) event["body"] = std::move(body.text);
  if (!request.match.path_parameters.empty()) event["pathParameters"] = path_parameters(request, memory);
  event["isBase64Encoded"] = body.base64;
  if (!request.stage.variables.empty()) event["stageVariables"] = map_or_null(request.stage.variables, memory);
  return json::serialize(event);
}

}  // namespace parvis::apigateway
