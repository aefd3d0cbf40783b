#include "services/apigateway/openapi.h"

#include <charconv>
#include <set>

#include "services/apigateway/json_reader.h"
#include "services/apigateway/router.h"

namespace parvis::apigateway {
namespace json = boost::json;
namespace {

constexpr std::size_t kPathSizeMax = 1024;

std::string join(std::string_view where, std::string_view name) { return fmt::format("{}.{}", where, name); }

// The part of a URI or ARN that names the function: arn:aws:apigateway:R:lambda:path/2015-03-31/functions/ARN/invocations.
std::string function_of_uri(const std::string& uri, std::string_view where) {
  constexpr std::string_view kBefore = ":lambda:path/2015-03-31/functions/", kAfter = "/invocations";
  if (uri.starts_with("arn:")) {
    if (const auto at = uri.find(kBefore); at != std::string::npos && uri.ends_with(kAfter)) {
      const std::size_t begin = at + kBefore.size();
      if (uri.size() > begin + kAfter.size()) return uri.substr(begin, uri.size() - kAfter.size() - begin);
    }
    if (uri.find(":lambda:") != std::string::npos && uri.find(":function:") != std::string::npos && !uri.ends_with(kAfter)) return uri;
  }
  refuse(where, fmt::format("'{}' does not name a Lambda function; other integration targets are not supported", uri));
}

// 'text' between single quotes, the only kind of fixed value in parameter mappings.
std::optional<std::string> quoted(const std::string& text) {
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') return std::nullopt;
  return text.substr(1, text.size() - 2);
}

void check_header(const std::string& name, const std::string& value, std::string_view where) {
  const auto bad = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (name.empty() || name.find_first_of(" :\t") != std::string::npos || std::any_of(name.begin(), name.end(), bad) ||
      std::any_of(value.begin(), value.end(), bad)) {
    refuse(where, "is not a valid header");
  }
}

// A mock integration that answers the same text each time. Templates that need a template engine are refused.
MockAnswer read_mock(const json::object& integration, std::string_view where) {
  for (const auto& [name, value] : integration) {
    if (one_of(name, {"type", "requestTemplates", "responses", "passthroughBehavior", "httpMethod", "contentHandling", "uri", "timeoutInMillis"})) continue;
    refuse(join(where, name), "is not supported for mock integrations");
  }
  MockAnswer answer;
  std::string status = "200";
  if (const auto* templates = integration.if_contains("requestTemplates")) {
    const std::string at = join(where, "requestTemplates");
    for (const auto& [type, value] : object_at(*templates, at)) {
      boost::system::error_code error;
      const json::value parsed = json::parse(text_at(value, at), error);
      const json::value* code = !error && parsed.is_object() ? parsed.as_object().if_contains("statusCode") : nullptr;
      if (!code) refuse(join(at, type), "only {\"statusCode\": N} is supported, mapping templates are not");
      status = text_at(*code, at);
    }
  }
  const json::value* responses = integration.if_contains("responses");
  const std::string at = join(where, "responses");
  if (!responses) refuse(at, "is missing");
  if (object_at(*responses, at).size() != 1) refuse(at, "exactly one response is supported for mock integrations");
  const auto& [pattern, value] = *responses->as_object().begin();
  const std::string in = join(at, pattern);
  if (std::string_view(pattern) != "default" && std::string_view(pattern) != status) refuse(in, "never matches: selection patterns are not supported");
  for (const auto& [name, member] : object_at(value, in)) {
    const std::string here = join(in, name);
    if (std::string_view(name) == "statusCode") {
      answer.status = static_cast<unsigned>(integer_at(member, here, 200, 599));
    } else if (std::string_view(name) == "responseParameters") {
      for (const auto& [target, source] : object_at(member, here)) {
        constexpr std::string_view kPrefix = "method.response.header.";
        const auto fixed = quoted(text_at(source, here));
        if (!std::string_view(target).starts_with(kPrefix) || !fixed) {
          refuse(join(here, target), "only headers with a fixed value between single quotes are supported");
        }
        answer.headers.emplace_back(std::string_view(target).substr(kPrefix.size()), *fixed);
        check_header(answer.headers.back().first, *fixed, join(here, target));
      }
    } else if (std::string_view(name) == "responseTemplates") {
      for (const auto& [type, text] : object_at(member, here)) {
        answer.body = text_at(text, here);
        if (answer.body.find_first_of("$#") != std::string::npos) refuse(join(here, type), "mapping templates are not supported, only fixed text");
        answer.headers.emplace_back("Content-Type", type);
      }
    } else {
      refuse(here, "is not supported");
    }
  }
  return answer;
}

Integration read_integration(Protocol protocol, const json::value& value, const std::string& where) {
  const json::object& object = object_at(value, where);
  const json::value* type = object.if_contains("type");
  if (!type) refuse(join(where, "type"), "is missing");
  std::string kind = text_at(*type, join(where, "type"));
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::int64_t longest = protocol == Protocol::kRest ? 29'000 : 30'000;
  Integration out{.target = LambdaProxy{}, .timeout = std::chrono::milliseconds(longest)};
  if (const auto* timeout = object.if_contains("timeoutInMillis")) {
    out.timeout = std::chrono::milliseconds(integer_at(*timeout, join(where, "timeoutInMillis"), 50, longest));
  }
  if (kind == "MOCK" && protocol == Protocol::kRest) {
    out.target = read_mock(object, where);
    return out;
  }
  if (kind != "AWS_PROXY") refuse(join(where, "type"), fmt::format("'{}' integrations are not supported, only aws_proxy to Lambda", kind));
  LambdaProxy lambda;
  for (const auto& [name, member] : object) {
    const std::string here = join(where, name);
    if (std::string_view(name) == "uri") {
      lambda.function_arn = function_of_uri(text_at(member, here), here);
    } else if (std::string_view(name) == "payloadFormatVersion") {
      const std::string version = text_at(member, here);
      if (version != "1.0" && (version != "2.0" || protocol == Protocol::kRest)) refuse(here, fmt::format("'{}' is not a payload format of this kind of API", version));
      lambda.payload_v2 = version == "2.0";
    } else if (std::string_view(name) == "connectionType") {
      if (text_at(member, here) != "INTERNET") refuse(here, "only INTERNET is supported");
    } else if (std::string_view(name) == "httpMethod") {
      if (text_at(member, here) != "POST") refuse(here, "Lambda functions are invoked with POST");
    } else if (!one_of(name, {"type", "timeoutInMillis", "responses", "passthroughBehavior", "credentials"})) {
      // `responses` and `passthroughBehavior` have no effect on a proxy; `credentials` name a role whose permission to
      // invoke is not evaluated (README).
      refuse(here, "is not supported");
    }
  }
  if (lambda.function_arn.empty()) refuse(join(where, "uri"), "is missing");
  out.target = std::move(lambda);
  return out;
}

std::string method_of(std::string_view name, std::string_view where) {
  if (name == "x-amazon-apigateway-any-method") return "ANY";
  if (!one_of(name, {"get", "put", "post", "delete", "options", "head", "patch"})) refuse(where, "is not a method");
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

Route read_operation(Protocol protocol, std::string_view path, std::string_view method, const json::value& value, const std::string& where) {
  Route route{.method = method_of(method, where), .path = std::string(path), .resource_id = {}, .integration = {}};
  bool integrated = false;
  for (const auto& [name, member] : object_at(value, where)) {
    const std::string here = join(where, name);
    if (std::string_view(name) == "x-amazon-apigateway-integration") {
      route.integration = read_integration(protocol, member, here);
      integrated = true;
    } else if (std::string_view(name) == "security") {
      if (!member.is_array() || !member.as_array().empty()) refuse(here, "authorizers and API keys are not supported yet");
    } else if (std::string_view(name) == "x-amazon-apigateway-auth") {
      const auto* type = member.is_object() ? member.as_object().if_contains("type") : nullptr;
      if (!type || text_at(*type, here) != "NONE") refuse(here, "only {\"type\": \"NONE\"} is supported");
    } else if (!one_of(name, {"responses", "summary", "description", "operationId", "tags", "consumes", "produces", "parameters",
                              "requestBody", "deprecated", "externalDocs", "isDefaultRoute", "servers", "schemes"})) {
      refuse(here, "is not supported");
    }
  }
  if (!integrated) refuse(where, "no integration defined: x-amazon-apigateway-integration is missing");
  return route;
}

void check_path(std::string_view path, const std::string& where) {
  if (path.size() > kPathSizeMax) refuse(where, "the path is too long");
  if (!path.starts_with('/')) refuse(where, "a path begins with '/'");
  const std::vector<std::string_view> segments = split_path(path);
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    if (segment.empty()) {
      if (i + 1 == segments.size()) continue;
      refuse(where, "a path has no empty segments");
    }
    const bool variable = is_variable(segment);
    const std::string_view inner = variable ? variable_name(segment) : segment;
    if (inner.empty() || inner.find_first_of("{}+?# ") != std::string_view::npos) {
      if (variable || inner.find_first_of("{}?# ") != std::string_view::npos) {
        refuse(where, "path variables take whole segments: {name}, or {name+} at the end");
      }
    }
    if (is_greedy(segment) && i + 1 != segments.size()) refuse(where, "a greedy path variable ({name+}) must be the last segment");
    if (variable && !names.insert(inner).second) refuse(where, fmt::format("the path variable '{}' appears twice", inner));
  }
}

Cors read_cors(const json::value& value, const std::string& where) {
  Cors cors;
  for (const auto& [name, member] : object_at(value, where)) {
    const std::string here = join(where, name);
    const auto texts = [&] { return member.is_array() ? texts_at(member, here) : std::vector{text_at(member, here)}; };
    if (std::string_view(name) == "allowOrigins") cors.allow_origins = texts();
    else if (std::string_view(name) == "allowMethods") cors.allow_methods = texts();
    else if (std::string_view(name) == "allowHeaders") cors.allow_headers = texts();
    else if (std::string_view(name) == "exposeHeaders") cors.expose_headers = texts();
    else if (std::string_view(name) == "allowCredentials") cors.allow_credentials = bool_at(member, here);
    else if (std::string_view(name) == "maxAge") cors.max_age_s = integer_at(member, here, -1, 86'400);
    else refuse(here, "is not supported");
  }
  check_cors(cors, where);
  return cors;
}

// Only the variables that Render (responses.cc) knows; there is no template engine in gateway responses on AWS either.
void check_template(const std::string& text, std::string_view where) {
  static constexpr std::string_view kKnown[] = {"$context.error.messageString", "$context.error.message", "$context.error.responseType",
                                                "$context.extendedRequestId", "$context.requestId", "$context.stage",
                                                "$context.path", "$context.resourcePath", "$context.httpMethod", "$context.identity.sourceIp"};
  for (std::size_t at = text.find('$'); at != std::string::npos; at = text.find('$', at + 1)) {
    const std::string_view rest = std::string_view(text).substr(at);
    if (std::none_of(std::begin(kKnown), std::end(kKnown), [&](std::string_view name) { return rest.starts_with(name); })) {
      refuse(where, fmt::format("the variable at '{}' is not supported", rest.substr(0, 40)));
    }
  }
}

GatewayResponse read_gateway_response(const json::value& value, const std::string& where) {
  GatewayResponse out;
  for (const auto& [name, member] : object_at(value, where)) {
    const std::string here = join(where, name);
    if (std::string_view(name) == "statusCode") {
      if (!member.is_null()) out.status = static_cast<unsigned>(integer_at(member, here, 200, 599));
    } else if (std::string_view(name) == "responseTemplates") {
      out.templates = text_map_at(member, here);
      for (const auto& [type, text] : out.templates) check_template(text, join(here, type));
    } else if (std::string_view(name) == "responseParameters") {
      for (const auto& [target, source] : text_map_at(member, here)) {
        constexpr std::string_view kPrefix = "gatewayresponse.header.", kFrom = "method.request.header.";
        const auto fixed = quoted(source);
        if (!target.starts_with(kPrefix) || (!fixed && !source.starts_with(kFrom))) {
          refuse(join(here, target), "only headers with a fixed value between single quotes, or from method.request.header.NAME, are supported");
        }
        out.headers.emplace_back(target.substr(kPrefix.size()), source);
        check_header(out.headers.back().first, source, join(here, target));
      }
    } else {
      refuse(here, "is not supported");
    }
  }
  return out;
}

// REST allows one name for the path variable at one place. Source: PutRestApi's error for sibling variables.
void check_siblings(const std::vector<Route>& routes) {
  std::map<std::string, std::string> variable_of;
  for (const Route& route : routes) {
    std::string parent;
    for (const std::string_view segment : split_path(route.path)) {
      if (is_variable(segment)) {
        const auto [at, fresh] = variable_of.emplace(parent + (is_greedy(segment) ? "+" : ""), segment);
        if (!fresh && at->second != segment) {
          refuse("Body.paths." + route.path, fmt::format("A sibling ({}) of this resource already has a variable path part -- only one is allowed", at->second));
        }
      }
      parent += '/';
      parent += segment;
    }
  }
}

void read_paths(Protocol protocol, std::string_view api_id, const json::value& value, Definition& out) {
  std::set<std::string> keys;
  for (const auto& [raw_path, item] : object_at(value, "Body.paths")) {
    std::string path(raw_path);
    const std::string where = "Body.paths." + path;
    const bool is_default = path == "$default" || path == "/$default";
    if (is_default && protocol == Protocol::kRest) refuse(where, "REST APIs have no $default route");
    if (is_default) path = kDefaultStage;
    else check_path(path, where);
    if (protocol == Protocol::kRest && path.size() > 1 && path.ends_with('/')) path.pop_back();
    for (const auto& [name, operation] : object_at(item, where)) {
      if (one_of(name, {"parameters", "summary", "description"})) continue;
      Route route = read_operation(protocol, path, name, operation, join(where, name));
      if (is_default && route.method != "ANY") refuse(join(where, name), "$default takes every method");
      if (protocol == Protocol::kRest) route.resource_id = resource_id_of(api_id, path);
      if (!keys.insert(route.key()).second) refuse(where, fmt::format("the route '{}' is defined twice", route.key()));
      out.routes.push_back(std::move(route));
      if (out.routes.size() > kRoutesMax) refuse("Body.paths", fmt::format("more than {} routes", kRoutesMax));
    }
  }
  if (protocol == Protocol::kRest) check_siblings(out.routes);
}

void read_info(const json::value& value, Definition& out) {
  for (const auto& [name, member] : object_at(value, "Body.info")) {
    const std::string here = join("Body.info", name);
    if (std::string_view(name) == "title") out.title = text_at(member, here);
    else if (std::string_view(name) == "version") out.version = text_at(member, here);
    else if (std::string_view(name) == "description") out.description = text_at(member, here);
    else if (!one_of(name, {"contact", "license", "termsOfService"})) refuse(here, "is not supported");
  }
}

void check_components(const json::value& value) {
  for (const auto& [name, member] : object_at(value, "Body.components")) {
    if (std::string_view(name) == "securitySchemes" && !(member.is_object() && member.as_object().empty())) {
      refuse("Body.components.securitySchemes", "authorizers and API keys are not supported yet");
    }
  }
}

}  // namespace

Definition import_openapi(Protocol protocol, std::string_view api_id, const json::value& body) {
  Definition out;
  bool versioned = false;
  for (const auto& [key, value] : object_at(body, "Body")) {
    const std::string_view name = key;
    const std::string where = join("Body", name);
    if (name == "swagger" || name == "openapi") {
      const std::string version = text_at(value, where);
      if (name == "swagger" ? !version.starts_with("2") : !version.starts_with("3.0")) refuse(where, fmt::format("version '{}' is not supported", version));
      if (name == "swagger" && protocol == Protocol::kHttp) refuse(where, "HTTP APIs are imported from OpenAPI 3.0");
      versioned = true;
    } else if (name == "info") {
      read_info(value, out);
    } else if (name == "paths") {
      if (!value.is_null()) read_paths(protocol, api_id, value, out);
    } else if (name == "x-amazon-apigateway-cors" && protocol == Protocol::kHttp) {
      out.cors = read_cors(value, where);
    } else if (name == "x-amazon-apigateway-binary-media-types" && protocol == Protocol::kRest) {
      out.binary_media_types = texts_at(value, where);
    } else if (name == "x-amazon-apigateway-gateway-responses" && protocol == Protocol::kRest) {
      for (const auto& [type, response] : object_at(value, where)) {
        if (!is_gateway_response_type(type)) refuse(join(where, type), "is not a gateway response type");
        out.gateway_responses[type] = read_gateway_response(response, join(where, type));
      }
    } else if (name == "components") {
      check_components(value);
    } else if (name == "securityDefinitions" || name == "security") {
      const bool empty = (value.is_object() && value.as_object().empty()) || (value.is_array() && value.as_array().empty());
      if (!empty) refuse(where, "authorizers and API keys are not supported yet");
    } else if (!one_of(name, {"tags", "schemes", "host", "definitions", "externalDocs", "consumes", "produces", "servers",
                              "x-amazon-apigateway-importexport-version", "x-amazon-apigateway-documentation"})) {
      // basePath is in the list of the refused: its meaning depends on an import parameter.
      if (name == "basePath" && text_at(value, where) == "/") continue;
      refuse(where, "is not supported");
    }
  }
  if (!versioned) refuse("Body", "'swagger' or 'openapi' is missing");
  return out;
}

void check_cors(const Cors& cors, std::string_view where) {
  for (const std::string& origin : cors.allow_origins) {
    if (origin == "*" && cors.allow_credentials) refuse(where, "allowCredentials cannot be used with an allowed origin of *");
    if (origin != "*" && origin.find("://") == std::string::npos) refuse(where, fmt::format("'{}' is not an origin", origin));
  }
  for (const std::string& method : cors.allow_methods) {
    if (!one_of(method, {"*", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "DELETE"})) refuse(where, fmt::format("'{}' is not a method", method));
  }
  for (const auto* list : {&cors.allow_origins, &cors.allow_methods, &cors.allow_headers, &cors.expose_headers}) {
    for (const std::string& text : *list) check_header("x", text, where);
  }
}

bool is_gateway_response_type(std::string_view type) {
  return one_of(type, {"ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE",
                       "BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS", "DEFAULT_4XX", "DEFAULT_5XX", "EXPIRED_TOKEN",
                       "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE",
                       "MISSING_AUTHENTICATION_TOKEN", "QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND", "THROTTLED",
                       "UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED"});
}

}  // namespace parvis::apigateway
