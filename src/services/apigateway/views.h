// apigateway/views.h: stored APIs as the management operations show them.
#pragma once

#include "models/apigateway.h"
#include "models/apigatewayv2.h"
#include "services/apigateway/api.h"

namespace parvis::apigateway {

inline aws::Timestamp to_timestamp(Millis time) { return {static_cast<double>(time.time_since_epoch().count()) / 1000}; }
inline std::optional<std::string> text_or_absent(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }
inline std::optional<aws::Timestamp> time_or_absent(Millis time) { return time == Millis{} ? std::nullopt : std::optional(to_timestamp(time)); }

// REST APIs.
aws::model::apigateway::RestApi shown_rest_api(const Api& api);
aws::model::apigateway::Stage shown_rest_stage(const Stage& stage);
aws::model::apigateway::Deployment shown_deployment(const Deployment& deployment, bool with_summary);
// Every resource of the current definition, with those above it; `whole`: methods with their integrations.
std::vector<aws::model::apigateway::Resource> shown_resources(const Api& api, bool whole);

// HTTP APIs.
std::optional<aws::model::apigatewayv2::Cors> shown_cors(const std::optional<Cors>& cors);
std::vector<aws::model::apigatewayv2::Route> shown_routes(const Api& api);
std::vector<aws::model::apigatewayv2::Integration> shown_integrations(const Api& api);

// `Out`: Api, GetApiResponse, CreateApiResponse, …: the model has a shape of the same members for each operation.
template <class Out>
Out shown_http_api(const Api& api) {
  Out out;
  out.api_id = api.id;
  out.api_endpoint = "https://" + api.domain_name();
  out.api_key_selection_expression = "$request.header.x-api-key";
  out.route_selection_expression = "$request.method $request.path";
  out.cors_configuration = shown_cors(api.definition.cors);
  out.created_date = to_timestamp(api.created);
  out.description = text_or_absent(api.description.empty() ? api.definition.description : api.description);
  out.disable_execute_api_endpoint = api.disable_execute_api_endpoint;
  out.ip_address_type = "ipv4";
  out.name = api.name;
  out.protocol_type = "HTTP";
  out.tags = api.tags;
  out.version = text_or_absent(api.definition.version);
  return out;
}

template <class Out>
Out shown_http_stage(const Stage& stage) {
  Out out;
  out.stage_name = stage.name;
  out.auto_deploy = stage.auto_deploy;
  out.deployment_id = text_or_absent(stage.deployment_id);
  out.description = text_or_absent(stage.description);
  out.default_route_settings.emplace().detailed_metrics_enabled = false;
  out.route_settings.emplace();
  out.stage_variables = stage.variables;
  out.tags = stage.tags;
  out.created_date = time_or_absent(stage.created);
  out.last_updated_date = time_or_absent(stage.updated);
  return out;
}

}  // namespace parvis::apigateway
