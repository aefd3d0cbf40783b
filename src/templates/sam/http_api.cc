// AWS::Serverless::HttpApi: the HTTP API and its stage.
// Source: AWS SAM Developer Guide, "AWS::Serverless::HttpApi"; aws-sam-translator 1.115.0, model/api/http_api_generator.py.
#include <fmt/format.h>

#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {

void add_cors(Context& context, const std::string& id, const json::value& given, json::object& body) {
  const std::string at = context.pointer(id, "CorsConfiguration");
  json::object cors;
  if (const json::value* old = body.if_contains("x-amazon-apigateway-cors"); old != nullptr && old->is_object()) cors = old->as_object();
  if (given.is_bool()) {
    cors["allowOrigins"] = json::array{"*"};
  } else if (given.is_object() && !is_intrinsic(given)) {
    const json::object& from = given.as_object();
    static const std::map<std::string_view, std::string_view> kNames = {{"AllowOrigins", "allowOrigins"}, {"AllowHeaders", "allowHeaders"}, {"AllowMethods", "allowMethods"},
                                                                        {"ExposeHeaders", "exposeHeaders"}, {"MaxAge", "maxAge"}, {"AllowCredentials", "allowCredentials"}};
    for (const auto& [key, value] : from) {
      if (!kNames.contains(key)) context.fail(child(at, key), fmt::format("resource {}: Invalid key '{}' for 'Cors' property.", id, std::string_view(key)), "use AllowOrigins, AllowHeaders, AllowMethods, ExposeHeaders, MaxAge, AllowCredentials");
    }
    const json::value* origins = from.if_contains("AllowOrigins");
    const json::value* credentials = from.if_contains("AllowCredentials");
    const bool with_credentials = credentials != nullptr && credentials->is_bool() && credentials->as_bool();
    if (with_credentials && origins != nullptr && *origins == json::array{"*"}) {
      context.fail(at, fmt::format("resource {}: Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set.", id), "name the origins");
    }
    for (const auto& [name, wire] : kNames) {
      const json::value* value = from.if_contains(name);
      if (value == nullptr) continue;
      if (name == "AllowCredentials") { if (with_credentials) cors[wire] = true; }
      else if (name == "MaxAge" ? !value->is_null() : truthy(value)) cors[wire] = *value;
    }
  } else {
    context.fail(at, fmt::format("resource {}: CorsConfiguration is neither true nor a mapping", id), "write AllowOrigins under it");
  }
  body["x-amazon-apigateway-cors"] = std::move(cors);
}

void add_tags(json::object& body, const json::object& tags) {
  json::array list;
  if (const json::value* old = body.if_contains("tags"); old != nullptr && old->is_array()) list = old->as_array();
  for (const auto& [name, value] : tags) {
    auto it = std::find_if(list.begin(), list.end(), [&](const json::value& tag) { return tag.is_object() && tag.as_object().contains("name") && tag.as_object().at("name") == name; });
    if (it == list.end()) it = list.insert(list.end(), json::object{{"name", name}});
    it->as_object()["x-amazon-apigateway-tag-value"] = value;
  }
  body["tags"] = std::move(list);
}

}  // namespace

void transform_http_api(Context& context, const std::string& id) {
  check_properties(context, id, {"Name", "StageName", "Tags", "PropagateTags", "DefinitionBody", "StageVariables", "CorsConfiguration", "AccessLogSettings", "DefaultRouteSettings",
                                 "RouteSettings", "FailOnWarnings", "Description", "DisableExecuteApiEndpoint"});
  const json::object source = *context.resource(id);
  json::object properties = context.properties(id);
  const auto has = [&](std::string_view name) { return truthy(properties.if_contains(name)); };
  ApiState& api = context.apis[id];
  if (!api.has_definition) context.fail(context.pointer(id), fmt::format("resource {}: has no definition", id), "write DefinitionBody or give a function an HttpApi event");
  const bool valid = valid_definition(api.definition, true);
  json::value definition = api.definition.to_json();
  const auto need_valid = [&](std::string_view property) {
    if (!valid) context.fail(context.pointer(id, property), fmt::format("resource {}: {} needs an OpenAPI 3 DefinitionBody", id, property), "write openapi: 3.0.1 and paths");
  };
  const json::value cors = properties.contains("CorsConfiguration") ? context.resolve(properties["CorsConfiguration"]) : json::value();
  if (truthy(&cors)) { need_valid("CorsConfiguration"); add_cors(context, id, cors, definition.as_object()); }
  json::object tags;
  if (const json::value* given = properties.if_contains("Tags"); given != nullptr && given->is_object()) tags = given->as_object();
  if (!tags.empty()) need_valid("Tags");
  if (valid) {
    tags["httpapi:createdBy"] = "SAM";
    add_tags(definition.as_object(), tags);
  }
  json::object out;
  if (has("FailOnWarnings")) out["FailOnWarnings"] = properties["FailOnWarnings"];
  if (properties.contains("DisableExecuteApiEndpoint")) {
    need_valid("DisableExecuteApiEndpoint");
    json::object& body = definition.as_object();
    if (!body.contains("servers")) body["servers"] = json::array{json::object()};
    for (auto& server : body["servers"].as_array()) {
      json::object& config = server.as_object();
      if (!config.contains("x-amazon-apigateway-endpoint-configuration")) config["x-amazon-apigateway-endpoint-configuration"] = json::object();
      config["x-amazon-apigateway-endpoint-configuration"].as_object()["disableExecuteApiEndpoint"] = properties["DisableExecuteApiEndpoint"];
    }
  }
  for (const auto& [property, member] : {std::pair{"Name", "title"}, std::pair{"Description", "description"}}) {
    if (!has(property)) continue;
    need_valid(property);
    json::object& body = definition.as_object();
    if (!body.contains("info")) body["info"] = json::object();
    json::object& info = body["info"].as_object();
    const bool taken = info.contains(member) && info[member] != make_ref("AWS::StackName");
    if (taken) context.fail(context.pointer(id, property), fmt::format("resource {}: {} stands in DefinitionBody already", id, property), "remove one of the two");
    if (std::string_view(property) == "Description" || info.contains(member)) info[member] = properties[property];
  }
  if (has("FailOnWarnings") && definition.is_object()) {
    if (json::value* paths = definition.as_object().if_contains("paths"); paths != nullptr && paths->is_object() && paths->as_object().contains("$default")) {
      json::value moved = paths->as_object()["$default"];
      paths->as_object().erase("$default");
      paths->as_object()["/$default"] = std::move(moved);
    }
  }
  out["Body"] = std::move(definition);

  const json::value name = has("StageName") ? properties["StageName"] : json::value("$default");
  const std::string prefix = name.is_string() ? std::string(name.as_string()) : "";
  const std::string stage_id = is_alnum(prefix) ? id + prefix + "Stage" : prefix == "$default" ? id + "ApiGatewayDefaultStage" : hashed_id(id + "Stage", prefix);
  json::object stage{{"ApiId", make_ref(id)}, {"StageName", name}, {"AutoDeploy", true}};
  for (std::string_view kept : {"StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings"}) {
    if (const json::value* value = properties.if_contains(kept); value != nullptr && !value->is_null()) stage[kept] = *value;
  }
  if (!tags.empty()) stage["Tags"] = tags;
  json::object attributes = all_attributes(source);
  if (source.contains("DependsOn")) attributes["DependsOn"] = source.at("DependsOn");
  context.add(id, "AWS::ApiGatewayV2::Api", std::move(out), attributes);
  context.add(stage_id, "AWS::ApiGatewayV2::Stage", std::move(stage), passed_attributes(source));
  context.refs[id + ".Stage"] = stage_id;
}

}  // namespace parvis::templates::sam
