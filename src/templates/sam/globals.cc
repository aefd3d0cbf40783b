// Globals: one section per kind of resource, merged under each resource's own properties.
// Source: AWS SAM Developer Guide, "Globals section".
#include <fmt/format.h>

#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {

using Names = std::vector<std::string_view>;
const std::map<std::string_view, Names>& supported() {
  static const std::map<std::string_view, Names> kSupported = {
      {"Function", {"Handler", "Runtime", "CodeUri", "DeadLetterQueue", "Description", "MemorySize", "Timeout", "VpcConfig", "Environment", "Tags",
                    "PropagateTags", "Tracing", "KmsKeyArn", "AutoPublishAlias", "AutoPublishAliasAllProperties", "Layers", "DeploymentPreference",
                    "RolePath", "PermissionsBoundary", "ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "AssumeRolePolicyDocument",
                    "EventInvokeConfig", "FileSystemConfigs", "CodeSigningConfigArn", "Architectures", "SnapStart", "EphemeralStorage",
                    "FunctionUrlConfig", "RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop", "SourceKMSKeyArn", "TenancyConfig",
                    "DurableConfig", "CapacityProviderConfig", "FunctionScalingConfig", "PublishToLatestPublished", "VersionDeletionPolicy"}},
      {"Api", {"Auth", "Name", "DefinitionUri", "CacheClusterEnabled", "CacheClusterSize", "MergeDefinitions", "Variables", "EndpointConfiguration",
               "MethodSettings", "BinaryMediaTypes", "MinimumCompressionSize", "Cors", "GatewayResponses", "AccessLogSetting", "CanarySetting",
               "TracingEnabled", "OpenApiVersion", "Domain", "AlwaysDeploy", "PropagateTags", "SecurityPolicy", "EndpointAccessMode"}},
      {"HttpApi", {"Auth", "AccessLogSettings", "StageVariables", "Tags", "CorsConfiguration", "DefaultRouteSettings", "Domain", "RouteSettings",
                   "FailOnWarnings", "PropagateTags"}},
      {"SimpleTable", {"SSESpecification"}},
      {"LayerVersion", {"PublishLambdaVersion"}}};
  return kSupported;
}

enum class Kind { kPrimitive, kDict, kList };
Kind kind_of(const json::value& value) {
  if (value.is_object()) return is_intrinsic(value) ? Kind::kPrimitive : Kind::kDict;
  return value.is_array() ? Kind::kList : Kind::kPrimitive;
}

json::value merge(const json::value& global, const json::value& local, std::string_view path) {
  const Kind kind = kind_of(global);
  if (kind != kind_of(local) || kind == Kind::kPrimitive) return local;
  if (kind == Kind::kList) {
    if (path == "Function.Architectures") return local;
    json::array out = global.as_array();
    for (const auto& item : local.as_array()) out.push_back(item);
    return out;
  }
  json::object out = global.as_object();
  for (const auto& [key, value] : local.as_object()) {
    if (auto it = out.find(key); it != out.end()) it->value() = merge(it->value(), value, fmt::format("{}.{}", path, std::string_view(key)));
    else out.emplace(key, value);
  }
  return out;
}

}  // namespace

void merge_globals(Context& context) {
  auto it = context.root.find("Globals");
  if (it == context.root.end()) return;
  if (!it->value().is_object()) context.fail("/Globals", "'Globals' is not a mapping", "write sections like Function: under it");
  const json::object globals = it->value().as_object();
  for (const auto& [section, properties] : globals) {
    const std::string at = child("/Globals", section);
    auto known = supported().find(section);
    if (known == supported().end()) {
      context.fail(at, fmt::format("Globals section '{}' is not supported", std::string_view(section)), "supported: Api, Function, HttpApi, LayerVersion, SimpleTable");
    }
    if (!properties.is_object()) context.fail(at, fmt::format("Globals section '{}' is not a mapping", std::string_view(section)), "write properties under it");
    for (const auto& [key, value] : properties.as_object()) {
      if (std::find(known->second.begin(), known->second.end(), key) == known->second.end()) {
        context.fail(child(at, key), fmt::format("'{}' is not a supported property of Globals section '{}'", std::string_view(key), std::string_view(section)),
                     "set it on each resource");
      }
    }
  }
  for (const std::string& id : context.ids()) {
    json::object& resource = *context.resource(id);
    const std::string type = scalar_text(resource["Type"]);
    if (!type.starts_with("AWS::Serverless::")) continue;
    auto section = globals.find(std::string_view(type).substr(17));
    if (section == globals.end()) continue;
    json::object base = section->value().as_object();
    if (auto ignore = resource.find("IgnoreGlobals"); ignore != resource.end()) {
      if (ignore->value() == "*") base.clear();
      else if (ignore->value().is_array()) {
        for (const auto& name : ignore->value().as_array()) base.erase(scalar_text(name));
      } else context.fail(context.pointer(id) + "/IgnoreGlobals", fmt::format("{}: IgnoreGlobals is neither '*' nor a list", id), "list names of properties");
    }
    json::object& local = context.properties(id);
    local = merge(base, local, std::string_view(type).substr(17)).as_object();
  }
  context.root.erase("Globals");
}

}  // namespace parvis::templates::sam
