#include "services/apigateway/api.h"

#include <stdexcept>

#include "core/hash.h"

namespace parvis::apigateway {
namespace json = boost::json;
namespace {

json::object pairs_to_json(const std::map<std::string, std::string>& values) {
  json::object out;
  for (const auto& [name, value] : values) out[name] = value;
  return out;
}
json::array list_to_json(const std::vector<std::string>& values) {
  json::array out;
  for (const auto& value : values) out.emplace_back(value);
  return out;
}
json::array headers_to_json(const std::vector<NamedValue>& values) {
  json::array out;
  for (const auto& [name, value] : values) out.push_back(json::array{name, value});
  return out;
}

json::object route_to_json(const Route& route) {
  json::object out{{"method", route.method}, {"path", route.path}, {"resource", route.resource_id},
                   {"timeoutMs", route.integration.timeout.count()}};
  if (const auto* lambda = std::get_if<LambdaProxy>(&route.integration.target)) {
    out["lambda"] = json::object{{"function", lambda->function_arn}, {"v2", lambda->payload_v2}};
  } else {
    const auto& mock = std::get<MockAnswer>(route.integration.target);
    out["mock"] = json::object{{"status", mock.status}, {"headers", headers_to_json(mock.headers)}, {"body", mock.body}};
  }
  return out;
}

json::object definition_to_json(const Definition& definition) {
  json::object out{{"title", definition.title}, {"version", definition.version}, {"description", definition.description},
                   {"binary", list_to_json(definition.binary_media_types)}};
  json::array routes;
  for (const Route& route : definition.routes) routes.push_back(route_to_json(route));
  out["routes"] = std::move(routes);
  if (const auto& cors = definition.cors) {
    json::object object{{"origins", list_to_json(cors->allow_origins)}, {"methods", list_to_json(cors->allow_methods)},
                        {"headers", list_to_json(cors->allow_headers)}, {"expose", list_to_json(cors->expose_headers)},
                        {"credentials", cors->allow_credentials}};
    if (cors->max_age_s) object["maxAge"] = *cors->max_age_s;
    out["cors"] = std::move(object);
  }
  json::object responses;
  for (const auto& [type, response] : definition.gateway_responses) {
    json::object object{{"headers", headers_to_json(response.headers)}, {"templates", pairs_to_json(response.templates)}};
    if (response.status) object["status"] = *response.status;
    responses[type] = std::move(object);
  }
  out["gatewayResponses"] = std::move(responses);
  return out;
}

// Reading. boost::json throws boost::system::system_error (a std::runtime_error) for a wrong kind or a missing member.
std::string text(const json::object& object, std::string_view name) { return json::value_to<std::string>(object.at(name)); }
std::map<std::string, std::string> pairs(const json::value& value) {
  std::map<std::string, std::string> out;
  for (const auto& [name, member] : value.as_object()) out[name] = json::value_to<std::string>(member);
  return out;
}
std::vector<std::string> list(const json::value& value) { return json::value_to<std::vector<std::string>>(value); }
std::vector<NamedValue> headers(const json::value& value) {
  std::vector<NamedValue> out;
  for (const auto& entry : value.as_array()) {
    out.emplace_back(json::value_to<std::string>(entry.as_array().at(0)), json::value_to<std::string>(entry.as_array().at(1)));
  }
  return out;
}
Millis millis(const json::object& object, std::string_view name) {
  return Millis(std::chrono::milliseconds(object.at(name).to_number<std::int64_t>()));
}

Route route_from_json(const json::object& object) {
  Route out{.method = text(object, "method"), .path = text(object, "path"), .resource_id = text(object, "resource"), .integration = {}};
  out.integration.timeout = std::chrono::milliseconds(object.at("timeoutMs").to_number<std::int64_t>());
  if (const auto* lambda = object.if_contains("lambda")) {
    out.integration.target = LambdaProxy{text(lambda->as_object(), "function"), lambda->as_object().at("v2").as_bool()};
  } else {
    const json::object& mock = object.at("mock").as_object();
    out.integration.target = MockAnswer{mock.at("status").to_number<unsigned>(), headers(mock.at("headers")), text(mock, "body")};
  }
  return out;
}

Definition definition_from_json(const json::object& object) {
  Definition out;
  out.title = text(object, "title");
  out.version = text(object, "version");
  out.description = text(object, "description");
  out.binary_media_types = list(object.at("binary"));
  for (const auto& route : object.at("routes").as_array()) out.routes.push_back(route_from_json(route.as_object()));
  if (const auto* value = object.if_contains("cors")) {
    const json::object& cors = value->as_object();
    out.cors = Cors{list(cors.at("origins")), list(cors.at("methods")), list(cors.at("headers")), list(cors.at("expose")),
                    cors.at("credentials").as_bool(), std::nullopt};
    if (const auto* age = cors.if_contains("maxAge")) out.cors->max_age_s = age->to_number<std::int64_t>();
  }
  for (const auto& [type, value] : object.at("gatewayResponses").as_object()) {
    const json::object& response = value.as_object();
    GatewayResponse& made = out.gateway_responses[type];
    made.headers = headers(response.at("headers"));
    made.templates = pairs(response.at("templates"));
    if (const auto* status = response.if_contains("status")) made.status = status->to_number<unsigned>();
  }
  return out;
}

json::object stage_to_json(const Stage& stage) {
  return {{"name", stage.name}, {"deployment", stage.deployment_id}, {"auto", stage.auto_deploy},
          {"description", stage.description}, {"variables", pairs_to_json(stage.variables)}, {"tags", pairs_to_json(stage.tags)},
          {"created", stage.created.time_since_epoch().count()}, {"updated", stage.updated.time_since_epoch().count()}};
}

}  // namespace

std::string Route::key() const { return path == kDefaultStage ? path : method + " " + path; }

std::string resource_id_of(std::string_view api_id, std::string_view path) {
  const Sha256Digest digest = sha256(std::string(api_id) + '\n' + std::string(path));
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string id;
  for (std::size_t i = 0; i < (path == "/" ? 10u : 6u); ++i) id += kAlphabet[digest[i] % kAlphabet.size()];
  return id;
}

std::string Api::root_resource_id() const { return resource_id_of(id, "/"); }
std::string Api::domain_name() const { return id + ".execute-api." + scope.region + ".amazonaws.com"; }

json::value to_json(const Api& api) {
  json::object deployments, stages;
  for (const auto& [id, deployment] : api.deployments) {
    deployments[id] = json::object{{"id", id}, {"description", deployment.description},
                                   {"created", deployment.created.time_since_epoch().count()}, {"token", deployment.create_token},
                                   {"stage", deployment.stage_name}, {"definition", definition_to_json(deployment.definition)}};
  }
  for (const auto& [name, stage] : api.stages) stages[name] = stage_to_json(stage);
  return json::object{{"format", kFormatVersion}, {"id", api.id}, {"account", api.scope.account}, {"region", api.scope.region},
                      {"protocol", api.protocol == Protocol::kRest ? "REST" : "HTTP"}, {"name", api.name},
                      {"description", api.description}, {"disabled", api.disable_execute_api_endpoint},
                      {"tags", pairs_to_json(api.tags)}, {"created", api.created.time_since_epoch().count()},
                      {"token", api.create_token}, {"definition", definition_to_json(api.definition)},
                      {"deployments", std::move(deployments)}, {"stages", std::move(stages)}};
}

Api api_from_json(const json::value& stored) {
  const json::object& object = stored.as_object();
  if (object.at("format").to_number<int>() > kFormatVersion) {
    throw std::runtime_error("an API was stored by a newer version of Parvis");
  }
  Api out;
  out.id = text(object, "id");
  out.scope = {text(object, "account"), text(object, "region")};
  out.protocol = text(object, "protocol") == "REST" ? Protocol::kRest : Protocol::kHttp;
  out.name = text(object, "name");
  out.description = text(object, "description");
  out.disable_execute_api_endpoint = object.at("disabled").as_bool();
  out.tags = pairs(object.at("tags"));
  out.created = millis(object, "created");
  out.create_token = text(object, "token");
  out.definition = definition_from_json(object.at("definition").as_object());
  for (const auto& [id, value] : object.at("deployments").as_object()) {
    const json::object& deployment = value.as_object();
    out.deployments[id] = Deployment{text(deployment, "id"), text(deployment, "description"), millis(deployment, "created"),
                                     text(deployment, "token"), text(deployment, "stage"),
                                     definition_from_json(deployment.at("definition").as_object())};
  }
  for (const auto& [name, value] : object.at("stages").as_object()) {
    const json::object& stage = value.as_object();
    out.stages[name] = Stage{text(stage, "name"), text(stage, "deployment"), stage.at("auto").as_bool(), text(stage, "description"),
                             pairs(stage.at("variables")), pairs(stage.at("tags"))};
    if (!stage.contains("created")) continue;
    out.stages[name].created = millis(stage, "created");
    out.stages[name].updated = millis(stage, "updated");
  }
  return out;
}

}  // namespace parvis::apigateway
