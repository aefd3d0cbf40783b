#include "services/apigateway/router.h"
#include "services/apigateway/views.h"

#include <fmt/format.h>

namespace parvis::apigateway {

namespace model = aws::model::apigateway;

namespace {

model::Integration shown_integration(const Api& api, const Route& route) {
  model::Integration out;
  out.cache_key_parameters.emplace();
  out.cache_namespace = resource_id_of(api.id, route.path);
  out.passthrough_behavior = "WHEN_NO_MATCH";
  out.timeout_in_millis = static_cast<int>(route.integration.timeout.count());
  if (const auto* lambda = std::get_if<LambdaProxy>(&route.integration.target)) {
    out.type = "AWS_PROXY";
    out.http_method = "POST";
    out.uri = fmt::format("arn:aws:apigateway:{}:lambda:path/2015-03-31/functions/{}/invocations", api.scope.region, lambda->function_arn);
    return out;
  }
  const MockAnswer& mock = std::get<MockAnswer>(route.integration.target);
  out.type = "MOCK";
  out.request_templates = {{"application/json", fmt::format("{{\"statusCode\": {}}}", mock.status)}};
  model::IntegrationResponse& response = out.integration_responses.emplace()[std::to_string(mock.status)];
  response.status_code = std::to_string(mock.status);
  for (const auto& [name, value] : mock.headers) {
    if (!response.response_parameters) response.response_parameters.emplace();
    (*response.response_parameters)["method.response.header." + name] = "'" + value + "'";
  }
  if (!mock.body.empty()) response.response_templates = {{"application/json", mock.body}};
  return out;
}

model::Method shown_method(const Api& api, const Route& route) {
  model::Method out;
  out.http_method = route.method;
  out.authorization_type = "NONE";
  out.api_key_required = false;
  out.method_integration = shown_integration(api, route);
  return out;
}

}  // namespace

model::RestApi shown_rest_api(const Api& api) {
  model::RestApi out;
  out.id = api.id;
  out.name = api.name;
  out.description = text_or_absent(api.description.empty() ? api.definition.description : api.description);
  out.created_date = to_timestamp(api.created);
  out.version = text_or_absent(api.definition.version);
  if (!api.definition.binary_media_types.empty()) out.binary_media_types = api.definition.binary_media_types;
  out.api_key_source = "HEADER";
  model::EndpointConfiguration& endpoint = out.endpoint_configuration.emplace();
  endpoint.types = {"EDGE"};
  endpoint.ip_address_type = "ipv4";
  if (!api.tags.empty()) out.tags = api.tags;
  out.disable_execute_api_endpoint = api.disable_execute_api_endpoint;
  out.root_resource_id = api.root_resource_id();
  return out;
}

model::Stage shown_rest_stage(const Stage& stage) {
  model::Stage out;
  out.deployment_id = stage.deployment_id;
  out.stage_name = stage.name;
  out.description = text_or_absent(stage.description);
  out.cache_cluster_enabled = false;
  out.cache_cluster_status = "NOT_AVAILABLE";
  out.method_settings.emplace();
  if (!stage.variables.empty()) out.variables = stage.variables;
  out.tracing_enabled = false;
  if (!stage.tags.empty()) out.tags = stage.tags;
  out.created_date = time_or_absent(stage.created);
  out.last_updated_date = time_or_absent(stage.updated);
  return out;
}

model::Deployment shown_deployment(const Deployment& deployment, bool with_summary) {
  model::Deployment out;
  out.id = deployment.id;
  out.description = text_or_absent(deployment.description);
  out.created_date = to_timestamp(deployment.created);
  if (!with_summary) return out;
  auto& summary = out.api_summary.emplace();
  for (const Route& route : deployment.definition.routes) {
    model::MethodSnapshot& method = summary[route.path][route.method];
    method.authorization_type = "NONE";
    method.api_key_required = false;
  }
  return out;
}

std::vector<model::Resource> shown_resources(const Api& api, bool whole) {
  std::map<std::string, model::Resource> resources;
  model::Resource& root = resources["/"];
  root.id = api.root_resource_id();
  root.path = "/";
  for (const Route& route : api.definition.routes) {
    std::string path, parent = "/";
    for (const std::string_view segment : split_path(route.path)) {
      path += '/';
      path += segment;
      model::Resource& resource = resources[path];
      resource.id = resource_id_of(api.id, path);
      resource.parent_id = resource_id_of(api.id, parent);
      resource.path = path;
      resource.path_part = std::string(segment);
      parent = path;
    }
    auto& methods = resources[parent].resource_methods;
    if (!methods) methods.emplace();
    (*methods)[route.method] = whole ? shown_method(api, route) : model::Method{};
  }
  std::vector<model::Resource> out;
  for (auto& [path, resource] : resources) out.push_back(std::move(resource));
  return out;
}

}  // namespace parvis::apigateway
