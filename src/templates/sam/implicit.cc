// The definitions of APIs before anything is generated: skeletons, the implicit APIs ServerlessRestApi and ServerlessHttpApi, and
// one path for each event of a function.
// Source: aws-sam-translator 1.115.0, plugins/api.
#include <set>

#include <fmt/format.h>

#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {

struct Style {
  bool http;
  std::string_view event_type, id_property, api_type;
  std::string implicit_id;
};
const Style kRest{false, "Api", "RestApiId", kApi, "ServerlessRestApi"};
const Style kHttp{true, "HttpApi", "ApiId", kHttpApi, "ServerlessHttpApi"};

void default_definitions(Context& context) {
  for (const Style* style : {&kRest, &kHttp}) {
    for (const std::string& id : context.ids()) {
      if (scalar_text((*context.resource(id))["Type"]) != style->api_type) continue;
      json::object& properties = context.properties(id);
      ApiState& api = context.apis[id];
      if (truthy(properties.if_contains("DefinitionBody"))) {
        api.definition = Py::from_json(properties["DefinitionBody"], context.py27);
        api.has_definition = true;
      } else if (!truthy(properties.if_contains("DefinitionUri"))) {
        api.definition = skeleton(style->http);
        api.has_definition = api.managed = true;
      }
    }
  }
}

std::string required_text(const Context& context, const json::object& properties, std::string_view name, std::string_view at, std::string_view function) {
  const json::value* value = properties.if_contains(name);
  if (value == nullptr || value->is_null()) {
    context.fail(at, fmt::format("resource {}: the event has no '{}'", function, name), fmt::format("add {}", name));
  }
  if (!value->is_string()) context.fail(child(at, name), fmt::format("resource {}: the event's '{}' is not text", function, name), "write text");
  return std::string(value->as_string());
}

void tag_implicit_api(Context& context, const std::string& function, const Style& style) {
  const json::object& properties = context.properties(function);
  const json::value* globals = context.root.if_contains("Globals");
  const json::value* section = globals != nullptr && globals->is_object() ? globals->as_object().if_contains("Function") : nullptr;
  const auto lookup = [&](std::string_view name) -> const json::value* {
    const json::value* own = properties.if_contains(name);
    if (truthy(own)) return own;
    return section != nullptr && section->is_object() ? section->as_object().if_contains(name) : nullptr;
  };
  const json::value* tags = lookup("Tags");
  if (!truthy(tags) || !tags->is_object() || !truthy(lookup("PropagateTags"))) return;
  json::object& api = context.properties(style.implicit_id);
  if (!api.contains("Tags")) api["Tags"] = json::object();
  for (const auto& [key, value] : tags->as_object()) api["Tags"].as_object()[key] = value;
  api["PropagateTags"] = true;
}

void add_event_path(Context& context, const std::string& function, const std::string& event, json::object& properties, const Style& style) {
  const std::string at = child(context.pointer(function, "Events"), event) + "/Properties";
  if (!properties.contains(style.id_property)) {
    tag_implicit_api(context, function, style);
    properties[style.id_property] = make_ref(style.implicit_id);
  }
  if (style.http && !truthy(properties.if_contains("Path")) && !truthy(properties.if_contains("Method"))) {
    properties["Path"] = "$default";
    properties["Method"] = json::string(kAnyMethod);
  }
  const std::string path = required_text(context, properties, "Path", at, function);
  const std::string method = required_text(context, properties, "Method", at, function);
  const json::value& id_value = properties[style.id_property];
  std::string api_id = scalar_text(id_value);
  if (id_value.is_object() && id_value.as_object().contains("Ref")) api_id = scalar_text(id_value.as_object().at("Ref"));
  json::object* target = context.resource(api_id);
  const std::string type = target != nullptr ? scalar_text((*target)["Type"]) : "";
  if (target == nullptr || (type == kHttpApi && !style.http)) {
    context.fail(child(at, style.id_property), fmt::format("resource {}: {} is not a reference to an '{}' of this template", function, style.id_property, style.api_type),
                 fmt::format("write {}: !Ref TheApi", style.id_property));
  }
  ApiState& api = context.apis[api_id];
  const json::object& resource = *context.resource(function);
  std::optional<std::string> condition;
  if (const json::value* name = resource.if_contains("Condition"); name != nullptr && name->is_string()) condition = std::string(name->as_string());
  api.conditions[path][method] = condition;
  if (api.managed && valid_definition(api.definition, style.http)) {
    api.definition = api.definition.deep_copy();
    add_path(api.definition, {path, context.py27}, {method, context.py27});
    api.definition = api.definition.deep_copy();
  }
  if (style.http && properties.contains("RouteSettings")) {
    json::object& api_properties = context.properties(api_id);
    if (!api_properties.contains("RouteSettings")) api_properties["RouteSettings"] = json::object();
    std::string upper;
    for (char c : method) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const std::string route = method == kAnyMethod ? path : fmt::format("{} {}", upper, path);
    json::object& settings = api_properties["RouteSettings"].as_object();
    if (!settings.contains(route)) settings[route] = json::object();
    if (condition) context.fail(child(at, "RouteSettings"), fmt::format("resource {}: RouteSettings of a function with a Condition are not supported", function), "set them on the API");
    if (properties["RouteSettings"].is_object()) {
      for (const auto& [key, value] : properties["RouteSettings"].as_object()) settings[route].as_object()[key] = value;
    }
  }
}

std::set<std::optional<std::string>> conditions_of(const ApiState& api) {
  std::set<std::optional<std::string>> out;
  for (const auto& [path, methods] : api.conditions) for (const auto& [method, condition] : methods) out.insert(condition);
  return out;
}

// One condition that holds when any of `names` does. CloudFormation's Or takes ten.
void add_or_condition(Context& context, const std::string& name, const std::set<std::optional<std::string>>& names) {
  if (names.size() > 10) context.fail("/Conditions", fmt::format("more than 10 conditions meet in '{}'", name), "use fewer conditions on the functions of one API");
  json::array parts;
  for (const auto& part : names) parts.push_back(json::object{{"Condition", *part}});
  if (!context.root.contains("Conditions")) context.root["Conditions"] = json::object();
  context.root["Conditions"].as_object()[name] = json::object{{"Fn::Or", std::move(parts)}};
}

void condition_paths(Context& context, const Style& style) {
  for (const std::string& id : context.ids()) {
    if (scalar_text((*context.resource(id))["Type"]) != style.api_type || !context.apis[id].managed) continue;
    ApiState& api = context.apis[id];
    api.definition = api.definition.deep_copy();
    for (const std::string& path : api.definition.find("paths")->dict()->keys()) {
      std::set<std::optional<std::string>> names;
      for (const auto& [method, condition] : api.conditions[path]) names.insert(condition);
      if (names.empty() || names.contains(std::nullopt)) continue;
      std::string name = **names.begin();
      if (names.size() > 1) {
        name = id;
        for (char c : path) {
          if (c == '/') name += "SLASH";
          else if (c == '{') name += "OB";
          else if (c == '}') name += "CB";
          else name += c;
        }
        name += "PathCondition";
        add_or_condition(context, name, names);
      }
      Py& item = *api.definition.find("paths")->find(path);
      Py inner = std::move(item);
      item = conditional({name, names.size() == 1}, std::move(inner));
    }
    api.definition = api.definition.deep_copy();
  }
}

void attribute_of_events(Context& context, const std::string& id, std::string_view name, const std::vector<std::string>& values) {
  for (std::string_view wanted : {"Retain", "Snapshot", "Delete"}) {
    if (std::find(values.begin(), values.end(), wanted) == values.end()) continue;
    (*context.resource(id))[name] = wanted;
    return;
  }
}

void implicit_api(Context& context, const Style& style) {
  std::optional<json::object> existing;
  std::optional<ApiState> existing_state;
  if (json::object* resource = context.resource(style.implicit_id)) {
    existing = *resource;
    if (context.apis.contains(style.implicit_id)) existing_state = context.apis[style.implicit_id];
  }
  json::object made{{"Type", style.api_type}, {"Properties", json::object()}};
  if (!style.http) made["Properties"].as_object()["StageName"] = "Prod";
  context.resources()[style.implicit_id] = std::move(made);
  context.add_id(style.implicit_id);
  context.apis[style.implicit_id] = ApiState{skeleton(style.http), true, true, {}};

  std::vector<std::string> deletion, replacement;
  for (const std::string& id : context.ids()) {
    json::object& resource = *context.resource(id);
    if (scalar_text(resource["Type"]) != kFunction) continue;
    json::value* events = context.properties(id).if_contains("Events");
    if (events == nullptr || !events->is_object()) continue;
    Py& order = context.events.try_emplace(id, Py::from_json(*events, context.py27)).first->second;
    PyDict of_type(!context.py27);
    for (const std::string& name : order.dict()->keys()) {
      json::value& event = events->as_object()[name];
      if (event.is_object() && event.as_object().contains("Type") && is_text(event.as_object()["Type"], style.event_type)) of_type.set({name, true}, Py());
    }
    for (const std::string& name : of_type.keys()) {
      json::object& event = events->as_object()[name].as_object();
      if (!event.contains("Properties") || !event["Properties"].is_object()) {
        if (!style.http) continue;
        event["Properties"] = json::object();
      }
      json::object& properties = event["Properties"].as_object();
      if (properties.empty() && !style.http) continue;
      add_event_path(context, id, name, properties, style);
      const json::value& api = properties[style.id_property];
      if (api.is_object() && api.as_object().contains("Ref") && is_text(api.as_object().at("Ref"), style.implicit_id)) {
        deletion.push_back(resource.contains("DeletionPolicy") ? scalar_text(resource["DeletionPolicy"]) : "");
        replacement.push_back(resource.contains("UpdateReplacePolicy") ? scalar_text(resource["UpdateReplacePolicy"]) : "");
      }
    }
    if (context.py27 && of_type.size() > 0) order.dict()->merge_keys(of_type.keys());
  }

  const auto conditions = conditions_of(context.apis[style.implicit_id]);
  if (!conditions.empty() && !conditions.contains(std::nullopt)) {
    std::string name = **conditions.begin();
    if (conditions.size() > 1) add_or_condition(context, name = style.implicit_id + "Condition", conditions);
    (*context.resource(style.implicit_id))["Condition"] = name;
  }
  attribute_of_events(context, style.implicit_id, "DeletionPolicy", deletion);
  attribute_of_events(context, style.implicit_id, "UpdateReplacePolicy", replacement);
  condition_paths(context, style);
  if (!context.apis[style.implicit_id].definition.find("paths")->truthy()) {
    if (existing) {
      context.resources()[style.implicit_id] = *existing;
      if (existing_state) context.apis[style.implicit_id] = *existing_state;
    } else {
      context.resources().erase(style.implicit_id);
      context.remove_id(style.implicit_id);
      context.apis.erase(style.implicit_id);
    }
  }
}

}  // namespace

void prepare_apis(Context& context) {
  default_definitions(context);
  implicit_api(context, kRest);
  implicit_api(context, kHttp);
}

}  // namespace parvis::templates::sam
