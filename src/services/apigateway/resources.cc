#include "services/apigateway/resources.h"

#include <charconv>

#include "services/apigateway/errors.h"
#include "services/apigateway/json_reader.h"
#include "services/apigateway/openapi.h"

namespace parvis::apigateway {
namespace json = boost::json;
namespace {

using aws::PropertyRule;
using aws::ResourceRequest;
using aws::ResourceResult;
using Handling = PropertyRule::Handling;
using Change = PropertyRule::Change;

constexpr std::string_view kOneMachine = "has no meaning on one machine";
constexpr std::string_view kInline = "only an inline Body is supported";
constexpr std::string_view kNoMapping = "is not supported";
constexpr std::string_view kNotTraced = "segments are not recorded yet; the trace id is passed on";
constexpr std::string_view kNotThrottled = "throttling, logging and metrics per route are not applied";
constexpr std::string_view kNoAccessLog = "access logs are not written; requests appear in the event stream";

std::string text_of(const json::object& properties, std::string_view name) {
  const auto* value = properties.if_contains(name);
  return value && !value->is_null() ? text_at(*value, name) : std::string();
}
bool flag_of(const json::object& properties, std::string_view name) {
  const auto* value = properties.if_contains(name);
  return value && !value->is_null() && bool_at(*value, name);
}
std::map<std::string, std::string> map_of(const json::object& properties, std::string_view name) {
  const auto* value = properties.if_contains(name);
  return value && !value->is_null() ? text_map_at(*value, name) : std::map<std::string, std::string>{};
}
// Tags of version 1 are a list of Key and Value, of version 2 a map.
std::map<std::string, std::string> tags_of(const json::object& properties) {
  const auto* value = properties.if_contains("Tags");
  if (!value || value->is_null()) return {};
  if (value->is_object()) return text_map_at(*value, "Tags");
  std::map<std::string, std::string> out;
  if (!value->is_array()) refuse("Tags", "must be a list");
  for (const auto& entry : value->as_array()) {
    const json::object& tag = object_at(entry, "Tags[]");
    out[text_of(tag, "Key")] = text_of(tag, "Value");
  }
  return out;
}
void require_value(const json::object& properties, std::string_view name, std::string_view only) {
  const std::string value = text_of(properties, name);
  if (!value.empty() && value != only) refuse(name, fmt::format("'{}' is not supported, only {}", value, only));
}
// What makes a creation idempotent: one step of one stack.
std::string creation_token(const ResourceRequest& request) {
  return request.token.empty() ? "" : request.stack_id + "\n" + request.logical_id + "\n" + request.token;
}
// Of the resource a removal names; a half-made resource may lack it.
std::string parent_of(const ResourceRequest& request, std::string_view name) {
  std::string id = text_of(request.properties, name);
  return id.empty() ? text_of(request.old_properties, name) : id;
}

// The API's fields but for its definition.
void apply_common(const json::object& properties, Api& api) {
  if (const std::string name = text_of(properties, "Name"); !name.empty()) api.name = name;
  else if (!api.definition.title.empty()) api.name = api.definition.title;
  api.description = text_of(properties, "Description");
  if (api.description.empty()) api.description = api.definition.description;
  api.disable_execute_api_endpoint = flag_of(properties, "DisableExecuteApiEndpoint");
  api.tags = tags_of(properties);
}

class ApiType : public aws::ResourceType {
 public:
  ApiType(ApiCatalog& catalog, Protocol protocol) : catalog_(catalog), protocol_(protocol) {}

  awaitable<ResourceResult> create(ResourceRequest request) override {
    NewApi details{.protocol = protocol_, .name = text_of(request.properties, "Name"), .description = text_of(request.properties, "Description"),
                   .disable_execute_api_endpoint = flag_of(request.properties, "DisableExecuteApiEndpoint"),
                   .tags = tags_of(request.properties), .token = creation_token(request), .define = {}};
    details.define = [&](const std::string& id) { return define(request.properties, id); };
    co_return result(co_await catalog_.create(request.call.scope, std::move(details)));
  }
  awaitable<ResourceResult> update(ResourceRequest request) override {
    co_return result(co_await catalog_.update(request.call.scope, request.physical_id, [&](Api& api) {
      api.definition = define(request.properties, api.id);
      apply_common(request.properties, api);
    }));
  }
  awaitable<> remove(ResourceRequest request) override { co_await catalog_.remove(request.call.scope, request.physical_id); }

 protected:
  virtual Definition define(const json::object& properties, const std::string& api_id) const = 0;
  virtual ResourceResult result(const Api& api) const = 0;
  Definition import_body(const json::object& properties, const std::string& api_id) const {
    const auto* body = properties.if_contains("Body");
    return body && !body->is_null() ? import_openapi(protocol_, api_id, *body) : Definition{};
  }
  ApiCatalog& catalog_;

 private:
  Protocol protocol_;
};

class RestApiType final : public ApiType {
 public:
  explicit RestApiType(ApiCatalog& catalog) : ApiType(catalog, Protocol::kRest) {}
  std::string_view name() const override { return "AWS::ApiGateway::RestApi"; }
  std::span<const PropertyRule> rules() const override {
    static constexpr PropertyRule kRules[] = {
        {"ApiKeySourceType", Handling::kRefused, Change::kInPlace, "API keys are not supported yet"},
        {"BinaryMediaTypes"},
        {"Body"},
        {"BodyS3Location", Handling::kRefused, Change::kInPlace, kInline},
        {"CloneFrom", Handling::kRefused, Change::kInPlace, kNoMapping},
        {"Description"},
        {"DisableExecuteApiEndpoint"},
        {"EndpointAccessMode", Handling::kRefused, Change::kInPlace, kNoMapping},
        {"EndpointConfiguration"},
        {"EndpointConfiguration.Types", Handling::kNeutral, Change::kInPlace, kOneMachine},
        {"EndpointConfiguration.IpAddressType", Handling::kNeutral, Change::kInPlace, kOneMachine},
        {"EndpointConfiguration.VpcEndpointIds", Handling::kRefused, Change::kInPlace, "private endpoints are not supported"},
        {"FailOnWarnings", Handling::kNeutral, Change::kInPlace, "an import that cannot be applied whole always fails"},
        {"MinimumCompressionSize", Handling::kWarned, Change::kInPlace, "answers are not compressed by the gateway"},
        {"Mode"},
        {"Name"},
        {"Parameters"},
        {"Policy", Handling::kRefused, Change::kInPlace, "resource policies are not evaluated yet"},
        {"SecurityPolicy", Handling::kRefused, Change::kInPlace, kNoMapping},
        {"Tags[].Key"}, {"Tags[].Value"},
        {"Version", Handling::kRefused, Change::kInPlace, "write it into the Body"},
    };
    return kRules;
  }

 protected:
  Definition define(const json::object& properties, const std::string& api_id) const override {
    require_value(properties, "Mode", "overwrite");
    for (const auto& [name, value] : map_of(properties, "Parameters")) {
      if (name != "endpointConfigurationTypes" && !(name == "basepath" && value == "ignore")) refuse("Parameters." + name, "is not supported");
    }
    if (const auto* value = properties.if_contains("EndpointConfiguration"); value && value->is_object()) {
      if (const auto* types = value->as_object().if_contains("Types")) {
        for (const std::string& type : texts_at(*types, "EndpointConfiguration.Types")) {
          if (type == "PRIVATE") refuse("EndpointConfiguration.Types", "private endpoints are not supported");
        }
      }
    }
    Definition definition = import_body(properties, api_id);
    if (const auto* types = properties.if_contains("BinaryMediaTypes"); types && !types->is_null()) {
      for (std::string type : texts_at(*types, "BinaryMediaTypes")) {
        // SAM writes the slash as ~1, as a JSON pointer does.
        if (const auto at = type.find("~1"); at != std::string::npos) type.replace(at, 2, "/");
        auto& list = definition.binary_media_types;
        if (std::find(list.begin(), list.end(), type) == list.end()) list.push_back(type);
      }
    }
    return definition;
  }
  ResourceResult result(const Api& api) const override {
    return {api.id, {{"RestApiId", api.id}, {"RootResourceId", api.root_resource_id()}}};
  }
};

class HttpApiType final : public ApiType {
 public:
  explicit HttpApiType(ApiCatalog& catalog) : ApiType(catalog, Protocol::kHttp) {}
  std::string_view name() const override { return "AWS::ApiGatewayV2::Api"; }
  std::span<const PropertyRule> rules() const override {
    static constexpr std::string_view kQuick = "quick creation is not supported: give a Body";
    static constexpr PropertyRule kRules[] = {
        {"ApiKeySelectionExpression", Handling::kRefused, Change::kInPlace, "WebSocket APIs are not supported yet"},
        {"BasePath", Handling::kRefused, Change::kInPlace, kNoMapping},
        {"Body"},
        {"BodyS3Location", Handling::kRefused, Change::kInPlace, kInline},
        {"CorsConfiguration"},
        {"CorsConfiguration.AllowCredentials"},
        {"CorsConfiguration.AllowHeaders"},
        {"CorsConfiguration.AllowMethods"},
        {"CorsConfiguration.AllowOrigins"},
        {"CorsConfiguration.ExposeHeaders"},
        {"CorsConfiguration.MaxAge"},
        {"CredentialsArn", Handling::kRefused, Change::kInPlace, kQuick},
        {"Description"},
        {"DisableExecuteApiEndpoint"},
        {"DisableSchemaValidation", Handling::kRefused, Change::kInPlace, "WebSocket APIs are not supported yet"},
        {"FailOnWarnings", Handling::kNeutral, Change::kInPlace, "an import that cannot be applied whole always fails"},
        {"IpAddressType", Handling::kNeutral, Change::kInPlace, kOneMachine},
        {"Name"},
        {"ProtocolType", Handling::kApplied, Change::kReplaces},
        {"RouteKey", Handling::kRefused, Change::kInPlace, kQuick},
        {"RouteSelectionExpression", Handling::kRefused, Change::kInPlace, "WebSocket APIs are not supported yet"},
        {"Tags"},
        {"Target", Handling::kRefused, Change::kInPlace, kQuick},
        {"Version"},
    };
    return kRules;
  }

 protected:
  Definition define(const json::object& properties, const std::string& api_id) const override {
    require_value(properties, "ProtocolType", "HTTP");
    Definition definition = import_body(properties, api_id);
    if (const std::string version = text_of(properties, "Version"); !version.empty()) definition.version = version;
    if (const auto* cors = properties.if_contains("CorsConfiguration"); cors && !cors->is_null()) definition.cors = read(*cors);
    return definition;
  }
  ResourceResult result(const Api& api) const override {
    return {api.id, {{"ApiId", api.id}, {"ApiEndpoint", "https://" + api.domain_name()}}};
  }

 private:
  static Cors read(const json::value& value) {
    constexpr std::string_view kWhere = "CorsConfiguration";
    const json::object& object = object_at(value, kWhere);
    const auto list = [&](std::string_view name) {
      const auto* member = object.if_contains(name);
      return member && !member->is_null() ? texts_at(*member, fmt::format("{}.{}", kWhere, name)) : std::vector<std::string>{};
    };
    Cors cors{list("AllowOrigins"), list("AllowMethods"), list("AllowHeaders"), list("ExposeHeaders"), flag_of(object, "AllowCredentials"), {}};
    if (const auto* age = object.if_contains("MaxAge")) cors.max_age_s = integer_at(*age, "CorsConfiguration.MaxAge", -1, 86'400);
    check_cors(cors, kWhere);
    return cors;
  }
};

class DeploymentType final : public aws::ResourceType {
 public:
  explicit DeploymentType(ApiCatalog& catalog) : catalog_(catalog) {}
  std::string_view name() const override { return "AWS::ApiGateway::Deployment"; }
  std::span<const PropertyRule> rules() const override {
    static constexpr PropertyRule kRules[] = {
        {"DeploymentCanarySettings", Handling::kRefused, Change::kReplaces, "canary deployments are not supported"},
        {"Description"},
        {"RestApiId", Handling::kApplied, Change::kReplaces},
        {"StageDescription", Handling::kRefused, Change::kInPlace, "give the stage a resource of its own"},
        {"StageName"},
    };
    return kRules;
  }
  std::span<const std::string_view> required() const override {
    static constexpr std::string_view kNames[] = {"RestApiId"};
    return kNames;
  }
  awaitable<ResourceResult> create(ResourceRequest request) override {
    const Deployment made = co_await catalog_.deploy(request.call.scope, text_of(request.properties, "RestApiId"),
                                                     text_of(request.properties, "Description"),
                                                     text_of(request.properties, "StageName"), creation_token(request));
    co_return ResourceResult{made.id, {{"DeploymentId", made.id}}};
  }
  awaitable<ResourceResult> update(ResourceRequest request) override {
    const std::string stage_name = text_of(request.properties, "StageName");
    co_await catalog_.update(request.call.scope, text_of(request.properties, "RestApiId"), [&](Api& api) {
      const auto found = api.deployments.find(request.physical_id);
      if (found == api.deployments.end()) throw aws::ApiError(kNotFound, "Invalid deployment identifier specified");
      found->second.description = text_of(request.properties, "Description");
      found->second.stage_name = stage_name;
      if (stage_name.empty()) return;
      Stage& stage = api.stages[stage_name];
      stage.name = stage_name;
      stage.deployment_id = request.physical_id;
      check_stage(api.protocol, stage);
    });
    co_return ResourceResult{request.physical_id, {{"DeploymentId", request.physical_id}}};
  }
  awaitable<> remove(ResourceRequest request) override {
    co_await catalog_.remove_deployment(request.call.scope, parent_of(request, "RestApiId"), request.physical_id);
  }

 private:
  ApiCatalog& catalog_;
};

// Both kinds of stage; Ref gives the stage's name.
class StageType : public aws::ResourceType {
 public:
  StageType(ApiCatalog& catalog, std::string_view parent) : catalog_(catalog), parent_(parent) {}
  awaitable<ResourceResult> create(ResourceRequest request) override {
    Stage stage = read(request.properties);
    const std::string name = stage.name;
    co_await catalog_.put_stage(request.call.scope, text_of(request.properties, parent_), std::move(stage), true);
    co_return ResourceResult{name, {}};
  }
  awaitable<ResourceResult> update(ResourceRequest request) override {
    co_await catalog_.put_stage(request.call.scope, text_of(request.properties, parent_), read(request.properties), false);
    co_return ResourceResult{request.physical_id, {}};
  }
  awaitable<> remove(ResourceRequest request) override {
    co_await catalog_.remove_stage(request.call.scope, parent_of(request, parent_), request.physical_id);
  }

 protected:
  virtual Stage read(const json::object& properties) const = 0;

 private:
  ApiCatalog& catalog_;
  std::string_view parent_;
};

class RestStageType final : public StageType {
 public:
  explicit RestStageType(ApiCatalog& catalog) : StageType(catalog, "RestApiId") {}
  std::string_view name() const override { return "AWS::ApiGateway::Stage"; }
  std::span<const PropertyRule> rules() const override {
    static constexpr PropertyRule kRules[] = {
        {"AccessLogSetting", Handling::kWarned, Change::kInPlace, kNoAccessLog},
        {"CacheClusterEnabled", Handling::kRefused, Change::kInPlace, "caching is not supported"},
        {"CacheClusterSize", Handling::kRefused, Change::kInPlace, "caching is not supported"},
        {"CanarySetting", Handling::kRefused, Change::kInPlace, "canary deployments are not supported"},
        {"ClientCertificateId", Handling::kRefused, Change::kInPlace, "only Lambda is behind an API"},
        {"DeploymentId"},
        {"Description"},
        {"DocumentationVersion", Handling::kWarned, Change::kInPlace, "documentation is not served"},
        {"MethodSettings", Handling::kWarned, Change::kInPlace, kNotThrottled},
        {"RestApiId", Handling::kApplied, Change::kReplaces},
        {"StageName", Handling::kApplied, Change::kReplaces},
        {"Tags[].Key"}, {"Tags[].Value"},
        {"TracingEnabled", Handling::kWarned, Change::kInPlace, kNotTraced},
        {"Variables"},
    };
    return kRules;
  }
  std::span<const std::string_view> required() const override {
    static constexpr std::string_view kNames[] = {"RestApiId"};
    return kNames;
  }

 protected:
  Stage read(const json::object& properties) const override {
    return {text_of(properties, "StageName"), text_of(properties, "DeploymentId"), false, text_of(properties, "Description"),
            map_of(properties, "Variables"), tags_of(properties)};
  }
};

class HttpStageType final : public StageType {
 public:
  explicit HttpStageType(ApiCatalog& catalog) : StageType(catalog, "ApiId") {}
  std::string_view name() const override { return "AWS::ApiGatewayV2::Stage"; }
  std::span<const PropertyRule> rules() const override {
    static constexpr PropertyRule kRules[] = {
        {"AccessLogSettings", Handling::kWarned, Change::kInPlace, kNoAccessLog},
        {"ApiId", Handling::kApplied, Change::kReplaces},
        {"AutoDeploy"},
        {"ClientCertificateId", Handling::kRefused, Change::kInPlace, "WebSocket APIs are not supported yet"},
        {"DefaultRouteSettings", Handling::kWarned, Change::kInPlace, kNotThrottled},
        {"DeploymentId", Handling::kRefused, Change::kInPlace, "only AutoDeploy: true is supported"},
        {"Description"},
        {"RouteSettings", Handling::kWarned, Change::kInPlace, kNotThrottled},
        {"StageName", Handling::kApplied, Change::kReplaces},
        {"StageVariables"},
        {"Tags"},
    };
    return kRules;
  }
  std::span<const std::string_view> required() const override {
    static constexpr std::string_view kNames[] = {"ApiId", "StageName"};
    return kNames;
  }

 protected:
  Stage read(const json::object& properties) const override {
    if (!flag_of(properties, "AutoDeploy")) refuse("AutoDeploy", "only AutoDeploy: true is supported, deployments of HTTP APIs are not");
    return {text_of(properties, "StageName"), "", true, text_of(properties, "Description"), map_of(properties, "StageVariables"), tags_of(properties)};
  }
};

}  // namespace

void add_resource_types(aws::ResourceTypes& types, ApiCatalog& catalog) {
  types.add(std::make_unique<RestApiType>(catalog));
  types.add(std::make_unique<DeploymentType>(catalog));
  types.add(std::make_unique<RestStageType>(catalog));
  types.add(std::make_unique<HttpApiType>(catalog));
  types.add(std::make_unique<HttpStageType>(catalog));
}

}  // namespace parvis::apigateway
