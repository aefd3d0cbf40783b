#include <algorithm>

#include "services/apigateway/changes.h"
#include "core/ascii.h"
#include "services/apigateway/errors.h"
#include "services/apigateway/json_reader.h"
#include "services/apigateway/openapi.h"
#include "services/apigateway/operations.h"
#include "services/apigateway/views.h"

namespace parvis::apigateway {

namespace json = boost::json;

namespace {

Cors cors_of(const http_api::Cors& given) {
  const auto list = [](const std::optional<std::vector<std::string>>& texts) { return texts.value_or(std::vector<std::string>{}); };
  Cors cors{list(given.allow_origins), list(given.allow_methods), list(given.allow_headers), list(given.expose_headers),
            given.allow_credentials.value_or(false), std::nullopt};
  if (given.max_age) cors.max_age_s = *given.max_age;
  check_cors(cors, "corsConfiguration");
  return cors;
}

// Quick creation is the import of one route. Source: CreateApi, target and routeKey.
json::value quick_definition(const std::string& target, const std::string& route_key) {
  if (!target.starts_with("arn:") || target.find(":lambda:") == std::string::npos) {
    refuse("target", fmt::format("'{}' does not name a Lambda function; other integration targets are not supported", target));
  }
  std::string path = "/$default", method = "x-amazon-apigateway-any-method";
  if (route_key != kDefaultStage) {
    const std::size_t space = route_key.find(' ');
    if (space == std::string::npos) refuse("routeKey", fmt::format("'{}' is neither $default nor a method and a path", route_key));
    path = route_key.substr(space + 1);
    if (const std::string name = route_key.substr(0, space); name != "ANY") {
      if (!one_of(name, {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"})) refuse("routeKey", fmt::format("'{}' is not a method", name));
      method = to_lower(name);
    }
  }
  const json::object integration{{"type", "aws_proxy"}, {"payloadFormatVersion", "2.0"}, {"uri", target}};
  const json::object route{{method, json::object{{"x-amazon-apigateway-integration", integration}}}};
  return json::object{{"openapi", "3.0.1"}, {"paths", json::object{{path, route}}}};
}

}  // namespace

awaitable<http_api::CreateApiResponse> ManagementService::create_api(aws::CallContext call, http_api::CreateApiRequest in) {
  if (in.route_selection_expression && !one_of(*in.route_selection_expression, {"$request.method $request.path", "${request.method} ${request.path}"})) {
    refuse("routeSelectionExpression", "must be ${request.method} ${request.path} for HTTP APIs");
  }
  if (!in.target && in.route_key) refuse("routeKey", "is a part of quick creation: target is missing");
  NewApi details;
  details.protocol = Protocol::kHttp;
  details.name = *in.name;
  details.description = in.description.value_or("");
  details.disable_execute_api_endpoint = in.disable_execute_api_endpoint.value_or(false);
  if (in.tags) details.tags = *in.tags;
  if (in.target) {
    Stage stage;
    stage.name = kDefaultStage;
    stage.auto_deploy = true;
    details.stages.push_back(std::move(stage));
  }
  details.define = [&in](const std::string& id) {
    Definition definition;
    if (in.target) definition = import_openapi(Protocol::kHttp, id, quick_definition(*in.target, in.route_key.value_or(std::string(kDefaultStage))));
    definition.version = in.version.value_or("");
    if (in.cors_configuration) definition.cors = cors_of(*in.cors_configuration);
    return definition;
  };
  co_return shown_http_api<http_api::CreateApiResponse>(co_await catalog_.create(call.scope, std::move(details)));
}

awaitable<http_api::ImportApiResponse> ManagementService::import_api(aws::CallContext call, http_api::ImportApiRequest in) {
  const json::value body = parse_definition(in.body.value_or(""));
  NewApi details;
  details.protocol = Protocol::kHttp;
  details.define = [&body](const std::string& id) { return import_openapi(Protocol::kHttp, id, body); };
  co_return shown_http_api<http_api::ImportApiResponse>(co_await catalog_.create(call.scope, std::move(details)));
}

awaitable<http_api::ReimportApiResponse> ManagementService::reimport_api(aws::CallContext call, http_api::ReimportApiRequest in) {
  http_api_of(call.scope, in.api_id);
  const Definition definition = import_openapi(Protocol::kHttp, *in.api_id, parse_definition(in.body.value_or("")));
  const Api api = co_await catalog_.update(call.scope, *in.api_id, [&definition](Api& changed) {
    changed.definition = definition;
    if (!definition.title.empty()) changed.name = definition.title;
    changed.description = definition.description;
  });
  co_return shown_http_api<http_api::ReimportApiResponse>(api);
}

awaitable<http_api::CreateStageResponse> ManagementService::create_stage(aws::CallContext call, http_api::CreateStageRequest in) {
  http_api_of(call.scope, in.api_id);
  if (!in.auto_deploy.value_or(false)) refuse("autoDeploy", "only true is supported, deployments of HTTP APIs are not");
  Stage stage;
  stage.name = *in.stage_name;
  stage.auto_deploy = true;
  stage.description = in.description.value_or("");
  if (in.stage_variables) stage.variables = *in.stage_variables;
  if (in.tags) stage.tags = *in.tags;
  co_return shown_http_stage<http_api::CreateStageResponse>(co_await catalog_.add_stage(call.scope, *in.api_id, std::move(stage)));
}

}  // namespace parvis::apigateway
