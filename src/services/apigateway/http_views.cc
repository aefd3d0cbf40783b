#include "services/apigateway/views.h"

namespace parvis::apigateway {

namespace model = aws::model::apigatewayv2;

namespace {

std::string route_id(const Api& api, const Route& route) { return resource_id_of(api.id, "route\n" + route.key()); }
std::string integration_id(const Api& api, const Route& route) { return resource_id_of(api.id, "integration\n" + route.key()); }

}  // namespace

std::optional<model::Cors> shown_cors(const std::optional<Cors>& cors) {
  if (!cors) return std::nullopt;
  const auto list = [](const std::vector<std::string>& texts) { return texts.empty() ? std::nullopt : std::optional(texts); };
  model::Cors out;
  out.allow_credentials = cors->allow_credentials;
  out.allow_headers = list(cors->allow_headers);
  out.allow_methods = list(cors->allow_methods);
  out.allow_origins = list(cors->allow_origins);
  out.expose_headers = list(cors->expose_headers);
  if (cors->max_age_s) out.max_age = static_cast<int>(*cors->max_age_s);
  return out;
}

std::vector<model::Route> shown_routes(const Api& api) {
  std::vector<model::Route> out;
  for (const Route& route : api.definition.routes) {
    model::Route& shown = out.emplace_back();
    shown.api_key_required = false;
    shown.authorization_type = "NONE";
    shown.route_id = route_id(api, route);
    shown.route_key = route.key();
    shown.target = "integrations/" + integration_id(api, route);
  }
  return out;
}

std::vector<model::Integration> shown_integrations(const Api& api) {
  std::vector<model::Integration> out;
  for (const Route& route : api.definition.routes) {
    const auto* lambda = std::get_if<LambdaProxy>(&route.integration.target);
    if (!lambda) continue;
    model::Integration& shown = out.emplace_back();
    shown.connection_type = "INTERNET";
    shown.integration_id = integration_id(api, route);
    shown.integration_method = "POST";
    shown.integration_type = "AWS_PROXY";
    shown.integration_uri = lambda->function_arn;
    shown.payload_format_version = lambda->payload_v2 ? "2.0" : "1.0";
    shown.timeout_in_millis = static_cast<int>(route.integration.timeout.count());
  }
  return out;
}

}  // namespace parvis::apigateway
