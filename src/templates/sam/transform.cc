#include "templates/loops.h"
#include "templates/sam/transform.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/hash.h"
#include "templates/sam/context.h"
#include "templates/structure_check.h"

namespace parvis::templates::sam {

namespace {

constexpr std::string_view kTransformName = "AWS::Serverless-2016-10-31";

// Rewrites every text that names `Resource.Property` or a renamed resource inside Ref, GetAtt and Sub.
class Renamer {
 public:
  explicit Renamer(const Context& context) : context_(context) {}

  void rewrite(json::value& value) const {
    if (value.is_array()) {
      for (auto& item : value.as_array()) rewrite(item);
      return;
    }
    if (!value.is_object()) return;
    json::object& object = value.as_object();
    if (json::value* depends = object.if_contains("DependsOn")) rename_depends(*depends);
    if (object.size() == 1) {
      const std::string key(object.begin()->key());
      json::value& argument = object.begin()->value();
      if (key == "Ref" && argument.is_string()) argument = renamed_ref(std::string(argument.as_string()));
      else if (key == "Fn::Sub") rewrite_sub(argument);
      else if (key == "Fn::GetAtt") rewrite_get_att(argument);
    }
    for (auto& [key, item] : object) rewrite(item);
  }

 private:
  std::string renamed_ref(const std::string& name) const {
    if (auto it = context_.changed.find(name); it != context_.changed.end()) return it->second;
    if (auto it = context_.refs.find(name); it != context_.refs.end()) return it->second;
    return name;
  }
  void rename_depends(json::value& value) const {
    const auto one = [&](json::value& name) {
      if (!name.is_string()) return;
      if (auto it = context_.changed.find(std::string(name.as_string())); it != context_.changed.end()) name = it->second;
    };
    if (value.is_array()) for (auto& item : value.as_array()) one(item);
    else one(value);
  }
  void rewrite_sub(json::value& argument) const {
    json::value* text = argument.is_array() && !argument.as_array().empty() ? &argument.as_array().front() : &argument;
    if (!text->is_string()) return;
    const std::string from(text->as_string());
    std::string out;
    for (std::size_t i = 0; i < from.size();) {
      const auto end = from.compare(i, 2, "${") == 0 ? from.find('}', i) : std::string::npos;
      if (end == std::string::npos) { out += from[i++]; continue; }
      const std::string inner = from.substr(i + 2, end - i - 2);
      const auto dot = inner.find('.');
      std::string made = inner;
      if (auto it = context_.changed.find(inner.substr(0, dot)); it != context_.changed.end()) {
        made = it->second + (dot == std::string::npos ? "" : inner.substr(dot));
      } else if (dot != std::string::npos) {
        const auto second = inner.find('.', dot + 1);
        if (auto found = context_.refs.find(inner.substr(0, second)); found != context_.refs.end()) made = found->second + (second == std::string::npos ? "" : inner.substr(second));
      }
      out += "${" + made + "}";
      i = end + 1;
    }
    *text = out;
  }
  void rewrite_get_att(json::value& argument) const {
    if (!argument.is_array() || argument.as_array().size() < 2) return;
    json::array& parts = argument.as_array();
    if (!parts[0].is_string() || !parts[1].is_string()) return;
    const std::string first(parts[0].as_string()), second(parts[1].as_string());
    if (auto it = context_.changed.find(first); it != context_.changed.end()) { parts[0] = it->second; return; }
    if (auto it = context_.refs.find(first); it != context_.refs.end()) { parts[0] = it->second; return; }
    const auto dot = second.find('.');
    if (dot == std::string::npos) return;
    if (auto it = context_.refs.find(first + "." + second.substr(0, dot)); it != context_.refs.end()) {
      parts[0] = it->second;
      parts[1] = second.substr(dot + 1);
    }
  }
  const Context& context_;
};

bool has_rest_api(const json::object& resources) {
  for (const auto& [id, resource] : resources) {
    if (!resource.is_object()) continue;
    const json::value* type = resource.as_object().if_contains("Type");
    if (type == nullptr) continue;
    if (is_text(*type, kApi)) return true;
    if (!is_text(*type, kFunction)) continue;
    const json::value* properties = resource.as_object().if_contains("Properties");
    const json::value* events = properties != nullptr && properties->is_object() ? properties->as_object().if_contains("Events") : nullptr;
    if (events == nullptr || !events->is_object()) continue;
    for (const auto& [name, event] : events->as_object()) {
      if (event.is_object() && event.as_object().contains("Type") && event.as_object().at("Type") == "Api") return true;
    }
  }
  return false;
}

void start(Context& context) {
  json::value* resources = context.root.if_contains("Resources");
  if (resources == nullptr || !resources->is_object() || resources->as_object().empty()) context.fail("/Resources", "'Resources' section is required", "add at least one resource");
  for (const auto& [id, resource] : resources->as_object()) {
    const std::string at = child("/Resources", id);
    if (!resource.is_object()) context.fail(at, fmt::format("resource {} is not a mapping", std::string_view(id)), "check the indentation");
    const json::value* properties = resource.as_object().if_contains("Properties");
    if (properties != nullptr && !properties->is_object() && !properties->is_null()) context.fail(at + "/Properties", fmt::format("resource {}: Properties is not a mapping", std::string_view(id)), "check the indentation");
  }
  context.py27 = has_rest_api(resources->as_object());
  for (const auto& [id, resource] : resources->as_object()) context.add_id(std::string(id));
  if (const json::value* declared = context.root.if_contains("Parameters"); declared != nullptr && declared->is_object()) {
    for (const auto& [name, parameter] : declared->as_object()) {
      if (parameter.is_object() && parameter.as_object().contains("Default")) context.parameters[name] = parameter.as_object().at("Default");
    }
  }
  for (const auto& [name, value] : context.options.parameters) context.parameters[name] = value;
  context.parameters["AWS::Region"] = context.options.region;
  context.parameters["AWS::Partition"] = context.partition();
}

// The names of a REST API's functions are part of its deployment's digest.
void note_function_names(Context& context, const std::string& id) {
  const json::value* events = context.properties(id).if_contains("Events");
  const json::value* name = context.properties(id).if_contains("FunctionName");
  if (!truthy(events) || !events->is_object() || !truthy(name)) return;
  const json::value resolved = context.resolve(*name);
  const std::string text = resolved.is_string() ? std::string(resolved.as_string()) : Py::from_json(resolved, true).repr();
  std::vector<std::string> names;
  if (auto it = context.events.find(id); it != context.events.end()) names = it->second.dict()->keys();
  for (const std::string& event_name : names) {
    const json::value& event = events->as_object().at(event_name);
    if (!event.is_object() || !event.as_object().contains("Type") || event.as_object().at("Type") != "Api") continue;
    const json::value* properties = event.as_object().if_contains("Properties");
    const json::value* api = properties != nullptr && properties->is_object() ? properties->as_object().if_contains("RestApiId") : nullptr;
    if (!truthy(api)) continue;
    const std::string api_id = scalar_text(api->is_object() && api->as_object().contains("Ref") ? api->as_object().at("Ref") : *api);
    context.function_names[api_id] += text;
  }
}

void transform_one(Context& context, const std::string& id, std::string_view type) {
  context.current = id;
  if (!is_alnum(id)) context.fail(context.pointer(id), fmt::format("resource {}: Logical ids must be alphanumeric.", id), "use letters and digits");
  if (type == kFunction) {
    note_function_names(context, id);
    return transform_function(context, id);
  }
  if (type == kApi) return transform_api(context, id);
  if (type == kHttpApi) return transform_http_api(context, id);
  if (type == kSimpleTable) return transform_simple_table(context, id);
  if (type == kLayerVersion) return transform_layer(context, id);
  context.fail(context.pointer(id) + "/Type", fmt::format("resource {}: the type '{}' is not supported", id, type),
               "supported: AWS::Serverless::Function, Api, HttpApi, SimpleTable, LayerVersion");
}

std::vector<Diagnostic> transform_resources(Context& context) {
  std::vector<Diagnostic> errors;
  const auto ids = context.ids();
  const auto type_of = [&](const std::string& id) { return scalar_text((*context.resource(id))["Type"]); };
  const auto group = [&](const std::string& type) { return type == kFunction ? 0 : type == kApi || type == kHttpApi ? 1 : 2; };
  for (int wanted = 0; wanted < 3; ++wanted) {
    for (const std::string& id : ids) {
      const std::string type = type_of(id);
      if (!type.starts_with("AWS::Serverless::") || group(type) != wanted) continue;
      try {
        transform_one(context, id, type);
      } catch (const Failed& failed) {
        errors.push_back(failed.diagnostic);
      }
    }
  }
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.position.line, a.position.column, a.what) < std::tie(b.position.line, b.position.column, b.what);
  });
  return errors;
}

// Properties that SAM has under another name: where they stand in the source.
constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
    {"Code", "CodeUri"}, {"Code", "InlineCode"}, {"Code", "ImageUri"}, {"Content", "ContentUri"}, {"DeadLetterConfig", "DeadLetterQueue"},
    {"TracingConfig", "Tracing"}, {"KeySchema", "PrimaryKey"}};

// A property that came from Globals, or under another name, stands where the user wrote it.
void place_properties(const Context& context, const std::string& id, const json::object& resource, Document& out) {
  const json::value* properties = resource.if_contains("Properties");
  if (properties == nullptr || !properties->is_object()) return;
  const auto place = [&](std::string_view name, std::string_view written) {
    const std::string own = child(child("/Resources", id) + "/Properties", name);
    const auto from = context.source.positions.find(context.pointer(id, written));
    if (from != context.source.positions.end()) out.positions.try_emplace(own, from->second);
  };
  for (const auto& [key, value] : properties->as_object()) {
    const std::string_view name = key;
    place(name, name);
    for (const auto& [made, written] : kRenamed) if (made == name) place(name, written);
  }
}

Document finished(Context& context) {
  json::object resources;
  for (const auto& [id, resource] : context.resources()) {
    if (!scalar_text(resource.as_object().contains("Type") ? resource.as_object().at("Type") : json::value()).starts_with("AWS::Serverless::")) resources.emplace(id, resource);
  }
  for (auto& [id, resource] : context.output) resources[id] = std::move(resource);
  context.root["Resources"] = std::move(resources);
  context.root.erase("Transform");
  json::value root = std::move(context.root);
  Renamer(context).rewrite(root);
  Document out{std::move(root), context.source.file, context.source.positions};
  for (const auto& [made, origin] : context.origins) {
    const auto place = context.places.find(made);
    if (made != origin) out.positions[child("/Resources", made)] = context.source.at(place == context.places.end() ? child("/Resources", origin) : place->second);
  }
  for (const auto& [id, resource] : out.root.as_object().at("Resources").as_object()) {
    if (resource.is_object()) place_properties(context, std::string(id), resource.as_object(), out);
  }
  return out;
}

}  // namespace

json::object* Context::resource(std::string_view id) {
  json::value* found = resources().if_contains(id);
  return found != nullptr && found->is_object() ? &found->as_object() : nullptr;
}
json::object& Context::properties(std::string_view id) {
  json::value& value = (*resource(id))["Properties"];
  if (!value.is_object()) value = json::object();
  return value.as_object();
}
std::vector<std::string> Context::ids() const { return py27 ? order.list() : plain_order; }
void Context::add_id(const std::string& id) {
  order.add(id);
  if (std::find(plain_order.begin(), plain_order.end(), id) == plain_order.end()) plain_order.push_back(id);
}
void Context::remove_id(const std::string& id) {
  order.remove(id);
  std::erase(plain_order, id);
}
std::string Context::pointer(std::string_view id, std::string_view property) const {
  std::string out = child("/Resources", id);
  if (property.empty()) return out;
  const std::string own = child(out + "/Properties", property);
  if (source.positions.contains(own)) return own;
  const json::value* type = nullptr;
  if (const auto* resources = source.root.as_object().if_contains("Resources"); resources != nullptr && resources->is_object()) {
    if (const auto* r = resources->as_object().if_contains(id); r != nullptr && r->is_object()) type = r->as_object().if_contains("Type");
  }
  if (type != nullptr && type->is_string() && type->as_string().starts_with("AWS::Serverless::")) {
    const std::string global = child(child("/Globals", std::string_view(type->as_string()).substr(17)), property);
    if (source.positions.contains(global)) return global;
  }
  return own;
}
std::string Context::partition() const {
  const std::string& region = options.region;
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov")) return "aws-us-gov";
  if (region.starts_with("us-isob")) return "aws-iso-b";
  if (region.starts_with("us-iso-")) return "aws-iso";
  if (region.starts_with("eusc-")) return "aws-eusc";
  return "aws";
}
void Context::fail(std::string_view pointer, std::string what, std::string hint) const { throw Failed{source.error(pointer, std::move(what), std::move(hint))}; }

json::value Context::resolve(json::value value) const {
  if (value.is_array()) {
    for (auto& item : value.as_array()) item = resolve(item);
    return value;
  }
  if (!value.is_object()) return value;
  json::object& object = value.as_object();
  for (auto& [key, item] : object) item = resolve(item);
  if (object.size() != 1) return value;
  json::value& argument = object.begin()->value();
  if (object.begin()->key() == "Ref" && argument.is_string()) {
    if (const json::value* found = parameters.if_contains(argument.as_string())) return *found;
    return value;
  }
  if (object.begin()->key() != "Fn::Sub") return value;
  json::value* text = argument.is_array() && !argument.as_array().empty() ? &argument.as_array().front() : &argument;
  if (!text->is_string()) return value;
  std::string out(text->as_string());
  for (std::size_t at = out.find("${"); at != std::string::npos; at = out.find("${", at + 1)) {
    const auto end = out.find('}', at);
    if (end == std::string::npos) break;
    const json::value* found = parameters.if_contains(out.substr(at + 2, end - at - 2));
    if (found == nullptr || !found->is_string()) continue;
    const std::string with(found->as_string());
    out.replace(at, end - at + 1, with);
    if (!with.empty()) at += with.size() - 1;
  }
  *text = out;
  return value;
}

json::object& Context::add(const std::string& id, std::string_view type, json::object properties, const json::object& attributes) {
  const bool taken = output.contains(id) || (id != current && resource(id) != nullptr);
  if (taken) fail(pointer(current), fmt::format("resource {}: makes a resource '{}', and another one has that logical id", current, id), "rename one of them");
  json::object made{{"Type", type}};
  for (const auto& [key, value] : attributes) made[key] = value;
  made["Properties"] = std::move(properties);
  origins[id] = current;
  return output.emplace(id, std::move(made)).first->value().as_object();
}

json::object passed_attributes(const json::object& resource) {
  json::object out;
  for (std::string_view name : {"Condition", "DeletionPolicy", "UpdateReplacePolicy"}) if (resource.contains(name)) out[name] = resource.at(name);
  return out;
}
json::object all_attributes(const json::object& resource) {
  json::object out = passed_attributes(resource);
  for (std::string_view name : {"UpdatePolicy", "Metadata"}) if (resource.contains(name)) out[name] = resource.at(name);
  return out;
}
json::array tag_list(const json::object& tags) {
  json::array out;
  for (const auto& [key, value] : tags) out.push_back(json::object{{"Key", key}, {"Value", value.is_null() ? json::value("") : value}});
  return out;
}
bool is_intrinsic(const json::value& value) {
  if (!value.is_object() || value.as_object().size() != 1) return false;
  const std::string_view key = value.as_object().begin()->key();
  return key == "Ref" || key == "Condition" || key.starts_with("Fn::");
}
bool is_no_value(const json::value& value) { return value == json::value(make_ref("AWS::NoValue")); }
bool truthy(const json::value* value) {
  if (value == nullptr || value->is_null()) return false;
  if (value->is_bool()) return value->as_bool();
  if (value->is_string()) return !value->as_string().empty();
  if (value->is_object()) return !value->as_object().empty();
  if (value->is_array()) return !value->as_array().empty();
  return *value != 0;
}
bool is_alnum(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c); });
}
json::object make_ref(std::string_view id) { return {{"Ref", id}}; }
json::object get_att(std::string_view id, std::string_view attribute) { return {{"Fn::GetAtt", json::array{id, attribute}}}; }
json::object sub(std::string text, json::object variables) { return {{"Fn::Sub", json::array{text, std::move(variables)}}}; }

std::string py_dumps(const json::value& value) {
  if (value.is_object()) {
    std::vector<std::string> keys;
    for (const auto& [key, item] : value.as_object()) keys.emplace_back(key);
    std::sort(keys.begin(), keys.end());
    std::string out;
    for (const std::string& key : keys) out += (out.empty() ? "" : ",") + py_dumps(json::string(key)) + ":" + py_dumps(value.as_object().at(key));
    return "{" + out + "}";
  }
  if (value.is_array()) {
    std::string out;
    for (const auto& item : value.as_array()) out += (out.empty() ? "" : ",") + py_dumps(item);
    return "[" + out + "]";
  }
  if (value.is_double()) return Py::scalar(value).repr();
  if (!value.is_string()) return json::serialize(value);
  std::string out = "\"";
  const std::string_view text = value.as_string();
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      ++i;
      if (c == '"' || c == '\\') { out += '\\'; out += static_cast<char>(c); }
      else if (c == '\n') out += "\\n";
      else if (c == '\r') out += "\\r";
      else if (c == '\t') out += "\\t";
      else if (c == '\b') out += "\\b";
      else if (c == '\f') out += "\\f";
      else if (c < 0x20) out += fmt::format("\\u{:04x}", c);
      else out += static_cast<char>(c);
      continue;
    }
    const std::size_t length = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    std::uint32_t point = c & (0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k) point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    i += length;
    if (point < 0x10000) out += fmt::format("\\u{:04x}", point);
    else out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((point - 0x10000) >> 10), 0xDC00 + ((point - 0x10000) & 0x3FF));
  }
  return out + "\"";
}

std::string sha1_hex(std::string_view data) { return hex_encode(sha1(data)); }
std::string hashed_id(std::string prefix, std::string_view data) { return data.empty() ? prefix : prefix + sha1_hex(data).substr(0, 10); }

void check_properties(const Context& context, const std::string& id, std::initializer_list<std::string_view> known) {
  const json::value* resource = context.root.at("Resources").as_object().if_contains(id);
  const json::value* properties = resource->as_object().if_contains("Properties");
  if (properties == nullptr || !properties->is_object()) return;
  for (const auto& [key, value] : properties->as_object()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      context.fail(context.pointer(id, key), fmt::format("resource {}: property '{}' is not supported", id, std::string_view(key)), "remove it or check its spelling");
    }
  }
}

void check_members(const Context& context, const json::object& value, const std::string& pointer, std::string_view what, std::initializer_list<std::string_view> known) {
  for (const auto& [key, item] : value) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      context.fail(child(pointer, std::string_view(key)), fmt::format("resource {}: '{}' of {} is not supported", context.current, std::string_view(key), what), "remove it or check its spelling");
    }
  }
}

bool uses_sam(const Document& document) {
  const json::value* transform = document.root.is_object() ? document.root.as_object().if_contains("Transform") : nullptr;
  if (transform == nullptr) return false;
  if (transform->is_array()) return std::find(transform->as_array().begin(), transform->as_array().end(), json::value(kTransformName)) != transform->as_array().end();
  return is_text(*transform, kTransformName);
}

std::expected<TransformResult, std::vector<Diagnostic>> transform(const Document& given, const TransformOptions& options) {
  auto expanded = expand_loops(given, options.parameters);
  if (!expanded) return std::unexpected(std::move(expanded.error()));
  const Document& document = *expanded;
  if (auto errors = check_structure(document); !errors.empty()) return std::unexpected(std::move(errors));
  if (!uses_sam(document)) {
    const json::value* resources = document.root.is_object() ? document.root.as_object().if_contains("Resources") : nullptr;
    if (resources != nullptr && resources->is_object()) {
      for (const auto& [id, resource] : resources->as_object()) {
        const json::value* type = resource.is_object() ? resource.as_object().if_contains("Type") : nullptr;
        if (type != nullptr && type->is_string() && type->as_string().starts_with("AWS::Serverless::")) {
          return std::unexpected(std::vector{document.error(child("/Resources", id) + "/Type", fmt::format("resource {} has a SAM type, and the template does not name the SAM transform", std::string_view(id)),
                                                            "add Transform: AWS::Serverless-2016-10-31 at the top")});
        }
      }
    }
    return TransformResult{document, {}};
  }
  Context context{document, options};
  context.root = document.root.as_object();
  try {
    start(context);
    prepare_apis(context);
    merge_globals(context);
    // Definitions that Globals brought are read as if the API had them.
    if (auto errors = transform_resources(context); !errors.empty()) return std::unexpected(std::move(errors));
  } catch (const Failed& failed) {
    return std::unexpected(std::vector{failed.diagnostic});
  }
  auto origins = context.origins;
  return TransformResult{finished(context), std::move(origins)};
}

}  // namespace parvis::templates::sam
