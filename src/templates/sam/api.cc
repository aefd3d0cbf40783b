// AWS::Serverless::Api: the REST API, its deployment (named after a digest of the definition) and its stage.
// Source: AWS SAM Developer Guide, "AWS::Serverless::Api"; aws-sam-translator 1.115.0, model/api/api_generator.py.
#include <algorithm>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {

constexpr const char* kIntegration = "x-amazon-apigateway-integration";

struct Cors {
  json::value origin = "'*'", headers, methods, max_age;
  bool credentials = false;
};

PyDict type_of(const char* name) {
  PyDict out(true);
  out.set({"type", false}, Py(name));
  return out;
}

// The OPTIONS method that answers a preflight from the gateway itself.
Py preflight(const Cors& cors, Py methods, bool marked) {
  PyDict parameters, headers;
  const auto header = [&](const std::string& name, Py value, const char* type) {
    parameters.set({"method.response.header." + name, false}, std::move(value));
    headers.set({name, false}, Py(type_of(type)));
  };
  header("Access-Control-Allow-Origin", Py::from_json(cors.origin, marked), "string");
  if (truthy(&cors.headers)) header("Access-Control-Allow-Headers", Py::from_json(cors.headers, marked), "string");
  if (methods.truthy()) header("Access-Control-Allow-Methods", std::move(methods), "string");
  if (!cors.max_age.is_null()) header("Access-Control-Max-Age", Py::from_json(cors.max_age, marked), "integer");
  if (cors.credentials) header("Access-Control-Allow-Credentials", Py("'true'"), "string");

  PyDict request_templates(true), response_templates(true);
  request_templates.set({"application/json", false}, Py("{\n  \"statusCode\" : 200\n}\n"));
  response_templates.set({"application/json", false}, Py("{}\n"));
  PyDict response;
  response.set({"statusCode", false}, Py("200"));
  response.set({"responseParameters", false}, Py(std::move(parameters)));
  response.set({"responseTemplates", false}, Py(std::move(response_templates)));
  PyDict responses;
  responses.set({"default", false}, Py(std::move(response)));
  PyDict integration;
  integration.set({"type", false}, Py("mock"));
  integration.set({"requestTemplates", false}, Py(std::move(request_templates)));
  integration.set({"responses", false}, Py(std::move(responses)));
  PyDict ok;
  ok.set({"description", false}, Py("Default response for CORS method"));
  ok.set({"headers", false}, Py(std::move(headers)));
  PyDict answers;
  answers.set({"200", false}, Py(std::move(ok)));
  PyDict out;
  out.set({"summary", false}, Py("CORS support"));
  out.set({"consumes", false}, Py(Py::List{Py("application/json")}));
  out.set({"produces", false}, Py(Py::List{Py("application/json")}));
  out.set({kIntegration, false}, Py(std::move(integration)));
  out.set({"responses", false}, Py(std::move(answers)));
  return Py(std::move(out));
}

std::string allowed_methods(const Py& item) {
  std::set<std::string> methods;
  for (const std::string& name : item.dict()->keys()) {
    std::string upper;
    for (char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    methods.insert(upper);
  }
  methods.insert("OPTIONS");
  if (item.find(kAnyMethod) != nullptr) methods = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};
  std::string out;
  for (const std::string& method : methods) out += (out.empty() ? "" : ",") + method;
  return "'" + out + "'";
}

class ApiTransform {
 public:
  ApiTransform(Context& context, const std::string& id)
      : context_(context), id_(id), source_(*context.resource(id)), properties_(context.properties(id)), api_(context.apis[id]) {}

  void run() {
    check_properties(context_, id_,
                     {"Name", "StageName", "Tags", "PropagateTags", "DefinitionBody", "CacheClusterEnabled", "CacheClusterSize", "Variables", "EndpointConfiguration",
                      "MethodSettings", "BinaryMediaTypes", "MinimumCompressionSize", "Cors", "AccessLogSetting", "CanarySetting", "TracingEnabled", "OpenApiVersion",
                      "FailOnWarnings", "Description", "Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode"});
    if (!properties_.contains("StageName")) context_.fail(context_.pointer(id_), fmt::format("resource {}: StageName is required", id_), "for example StageName: Prod");
    open_api_version();
    json::object rest = rest_api();
    stage_and_deployment();
    if (truthy(properties_.if_contains("PropagateTags")) && has("Tags")) rest["Tags"] = tag_list(properties_["Tags"].as_object());
    json::object attributes = all_attributes(source_);
    if (source_.contains("DependsOn")) attributes["DependsOn"] = source_.at("DependsOn");
    context_.add(id_, "AWS::ApiGateway::RestApi", std::move(rest), attributes);
  }

 private:
  bool has(std::string_view name) const { return truthy(properties_.if_contains(name)); }

  void open_api_version() {
    if (!has("OpenApiVersion")) return;
    static const std::regex kVersions("[2-3](\\.\\d)(\\.\\d)?");
    const json::value& given = properties_["OpenApiVersion"];
    version_ = given.is_double() ? Py::scalar(given).repr() : scalar_text(given);
    if (!std::regex_match(version_, kVersions)) context_.fail(context_.pointer(id_, "OpenApiVersion"), fmt::format("resource {}: The OpenApiVersion value must be of the format '3.0.0'.", id_), "write 3.0.1");
    if (api_.managed && version_.starts_with('3')) {
      api_.definition.dict()->set({"openapi", false}, Py(PyText{version_, given.is_string() && context_.py27}));
      api_.definition.dict()->erase("swagger");
    }
  }

  json::object rest_api() {
    json::object out;
    for (std::string_view name : {"MinimumCompressionSize"}) if (properties_.contains(name)) out[name] = properties_[name];
    const json::value media = properties_.contains("BinaryMediaTypes") ? context_.resolve(properties_["BinaryMediaTypes"]) : json::value();
    if (!media.is_null()) out["BinaryMediaTypes"] = media;
    if (has("EndpointConfiguration")) endpoint(out, properties_["EndpointConfiguration"]);
    else if (context_.partition() != "aws") endpoint(out, "REGIONAL");
    if (api_.has_definition && !valid_definition(api_.definition, false) && (has("Cors") || truthy(&media))) {
      context_.fail(context_.pointer(id_, "DefinitionBody"), fmt::format("resource {}: 'DefinitionBody' does not contain a valid Swagger definition.", id_), "write swagger: '2.0' and paths");
    }
    if (has("Cors")) add_cors();
    if (truthy(&media)) add_media_types(media);
    if (has("FailOnWarnings")) out["FailOnWarnings"] = properties_["FailOnWarnings"];
    if (api_.has_definition) {
      postprocess();
      out["Body"] = api_.definition.to_json();
    }
    for (std::string_view name : {"Name", "Description", "Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode"}) {
      if (has(name)) out[name] = properties_[name];
    }
    return out;
  }

  void endpoint(json::object& out, const json::value& value) {
    if (value.is_object() && truthy(value.as_object().if_contains("Type"))) {
      const json::object& config = value.as_object();
      check_members(context_, config, context_.pointer(id_, "EndpointConfiguration"), "EndpointConfiguration", {"Type", "VPCEndpointIds", "VpcEndpointIds", "IpAddressType"});
      out["Parameters"] = json::object{{"endpointConfigurationTypes", config.at("Type")}};
      json::object made{{"Types", json::array{config.at("Type")}}};
      if (truthy(config.if_contains("VPCEndpointIds"))) made["VpcEndpointIds"] = config.at("VPCEndpointIds");
      else if (config.contains("VpcEndpointIds")) made["VpcEndpointIds"] = config.at("VpcEndpointIds");
      if (config.contains("IpAddressType")) made["IpAddressType"] = config.at("IpAddressType");
      out["EndpointConfiguration"] = std::move(made);
      return;
    }
    json::array types;
    types.push_back(value);
    out["EndpointConfiguration"] = json::object{{"Types", std::move(types)}};
    out["Parameters"] = json::object{{"endpointConfigurationTypes", value}};
  }

  void add_cors() {
    const std::string at = context_.pointer(id_, "Cors");
    const json::value& given = properties_["Cors"];
    Cors cors;
    if (given.is_string() || is_intrinsic(given)) {
      cors.origin = given;
    } else if (given.is_object()) {
      for (const auto& [key, value] : given.as_object()) {
        if (key == "AllowOrigin") cors.origin = value;
        else if (key == "AllowHeaders") cors.headers = value;
        else if (key == "AllowMethods") cors.methods = value;
        else if (key == "MaxAge") cors.max_age = value;
        else if (key == "AllowCredentials") cors.credentials = value.is_bool() && value.as_bool();
        else context_.fail(child(at, key), fmt::format("resource {}: Invalid key '{}' for 'Cors' property.", id_, std::string_view(key)), "use AllowOrigin, AllowHeaders, AllowMethods, MaxAge, AllowCredentials");
      }
    } else {
      context_.fail(at, fmt::format("resource {}: Invalid value for 'Cors' property", id_), "write an origin or a mapping");
    }
    if (cors.credentials && cors.origin == "'*'") {
      context_.fail(at, fmt::format("resource {}: Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set", id_), "name an origin");
    }
    api_.definition = api_.definition.deep_copy();
    PyDict& paths = *api_.definition.find("paths")->dict();
    std::set<std::string> seen;
    for (const std::string& path : paths.keys()) {
      std::string plain = path;
      while (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
      if (!seen.insert(plain).second) continue;
      Py methods = truthy(&cors.methods) ? Py::from_json(cors.methods, context_.py27) : Py();
      for (Py* item : conditional_contents(*paths.find(path))) {
        if (item->find("options") != nullptr) continue;
        if (!methods.truthy()) methods = Py(allowed_methods(*item));
        item->dict()->set({"options", false}, preflight(cors, methods, context_.py27));
      }
    }
    api_.definition = api_.definition.deep_copy();
  }

  // "~1" stands for "/" in media types.
  static json::value slashed(const json::value& value) {
    if (value.is_string()) {
      std::string text(value.as_string());
      for (auto at = text.find("~1"); at != std::string::npos; at = text.find("~1", at + 1)) text.replace(at, 2, "/");
      return json::string(text);
    }
    if (value.is_array()) {
      json::array out;
      for (const auto& item : value.as_array()) out.push_back(slashed(item));
      return out;
    }
    return value;
  }
  void add_media_types(const json::value& media) {
    if (!api_.has_definition) return;
    api_.definition = api_.definition.deep_copy();
    api_.definition.dict()->set({"x-amazon-apigateway-binary-media-types", false}, Py::from_json(slashed(media), true));
    api_.definition = api_.definition.deep_copy();
  }

  // OpenAPI 3 spells some parts of Swagger 2 differently.
  void postprocess() {
    PyDict* body = api_.definition.dict();
    if (body == nullptr || body->find("swagger") != nullptr) return;
    const Py* own = body->find("openapi");
    const std::string version = own != nullptr && version_.empty() && own->text() != nullptr ? own->text()->text : version_;
    if (!version.starts_with('3')) return;
    for (const auto& [from, to] : {std::pair{"securityDefinitions", "securitySchemes"}, std::pair{"definitions", "schemas"}}) {
      Py* moved = body->find(from);
      if (moved == nullptr || !moved->truthy()) continue;
      Py value = std::move(*moved);
      const Py* components = body->find("components");
      if (components == nullptr || !components->truthy()) body->set({"components", false}, Py(PyDict()));
      body->find("components")->dict()->set({to, false}, std::move(value));
      body->erase(from);
    }
    Py* paths = body->find("paths");
    if (paths == nullptr || paths->dict() == nullptr) return;
    for (const std::string& path : paths->dict()->keys()) {
      Py* options = paths->find(path)->find("options");
      if (options == nullptr || options->dict() == nullptr) continue;
      options->dict()->erase("produces");
      options->dict()->erase("consumes");
      Py* responses = options->find("responses");
      Py* ok = responses != nullptr ? responses->find("200") : nullptr;
      Py* headers = ok != nullptr ? ok->find("headers") : nullptr;
      if (headers == nullptr || headers->dict() == nullptr) continue;
      for (const std::string& name : headers->dict()->keys()) {
        Py value = std::move(*headers->find(name));
        PyDict schema;
        schema.set({"schema", false}, std::move(value));
        headers->dict()->set({name, false}, Py(std::move(schema)));
      }
    }
  }

  void stage_and_deployment() {
    json::object attributes = passed_attributes(source_);
    const json::value& name = properties_["StageName"];
    const std::string prefix = name.is_string() ? std::string(name.as_string()) : "";
    const std::string stage_id = is_alnum(prefix) ? id_ + prefix + "Stage" : hashed_id(id_ + "Stage", prefix);
    std::string deployment_id = id_ + "Deployment";
    json::object deployment{{"RestApiId", make_ref(id_)}};
    if (version_.empty()) deployment["StageName"] = "Stage";
    if (api_.has_definition && api_.definition.truthy()) {
      std::string hashed = api_.definition.repr();
      if (!version_.empty()) hashed += "||" + version_;
      if (const auto it = context_.function_names.find(id_); it != context_.function_names.end() && !it->second.empty()) hashed += "||" + it->second;
      deployment["Description"] = "RestApi deployment id: " + sha1_hex(hashed);
      deployment_id = hashed_id(deployment_id, hashed);
    }
    json::object stage{{"RestApiId", make_ref(id_)}, {"DeploymentId", make_ref(deployment_id)}, {"StageName", name}};
    for (std::string_view kept : {"CacheClusterEnabled", "CacheClusterSize", "Variables", "MethodSettings", "AccessLogSetting", "CanarySetting", "TracingEnabled"}) {
      if (const json::value* value = properties_.if_contains(kept); value != nullptr && !value->is_null()) stage[kept] = *value;
    }
    if (const json::value* tags = properties_.if_contains("Tags"); tags != nullptr && tags->is_object()) stage["Tags"] = tag_list(tags->as_object());
    context_.refs[id_ + ".Deployment"] = deployment_id;
    context_.refs[id_ + ".Stage"] = stage_id;
    context_.add(deployment_id, "AWS::ApiGateway::Deployment", std::move(deployment), attributes);
    context_.add(stage_id, "AWS::ApiGateway::Stage", std::move(stage), attributes);
  }

  Context& context_;
  const std::string id_;
  const json::object source_;
  json::object& properties_;
  ApiState& api_;
  std::string version_;
};

}  // namespace

void transform_api(Context& context, const std::string& id) { ApiTransform(context, id).run(); }

}  // namespace parvis::templates::sam
