#include "services/apigateway/changes.h"
#include "services/apigateway/errors.h"
#include "services/apigateway/json_reader.h"
#include "services/apigateway/openapi.h"
#include "services/apigateway/operations.h"
#include "services/apigateway/views.h"

namespace parvis::apigateway {

namespace json = boost::json;

namespace {

constexpr std::size_t kDepthMax = 256;

// Source: ImportRestApi, parameters: endpointConfigurationTypes, basepath, ignore=documentation.
void check_parameters(const std::optional<std::map<std::string, std::string>>& parameters) {
  if (!parameters) return;
  for (const auto& [name, value] : *parameters) {
    const bool known = (name == "endpointConfigurationTypes" && one_of(value, {"EDGE", "REGIONAL"})) ||
                       (name == "basepath" && value == "ignore") || (name == "ignore" && value == "documentation");
    if (!known) refuse("parameters." + name, fmt::format("'{}' is not supported", value));
  }
}

// "/variables/a~1b" -> "a/b"
std::string pointer_part(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '~' && i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1');
    out += escaped ? (text[++i] == '0' ? '~' : '/') : text[i];
  }
  return out;
}

// Source: API Gateway, "Patch operations", UpdateStage: what is listed there beside these is refused by its path.
void apply_patch(const Api& api, Stage& stage, const rest::PatchOperation& patch) {
  constexpr std::string_view kVariables = "/variables/";
  const std::string op = patch.op.value_or(""), path = patch.path.value_or("");
  if (path.starts_with(kVariables) && path.size() > kVariables.size()) {
    const std::string name = pointer_part(std::string_view(path).substr(kVariables.size()));
    if (op == "remove") stage.variables.erase(name);
    else if (op == "add" || op == "replace") stage.variables[name] = patch.value.value_or("");
    else refuse("patchOperations" + path, fmt::format("'{}' is not supported, only add, replace and remove", op));
    return;
  }
  if (path != "/description" && path != "/deploymentId") refuse("patchOperations" + path, "cannot be changed here");
  if (op != "replace") refuse("patchOperations" + path, fmt::format("'{}' is not supported, only replace", op));
  if (path == "/description") {
    stage.description = patch.value.value_or("");
    return;
  }
  if (!api.deployments.contains(patch.value.value_or(""))) throw aws::ApiError(kBadRequest, "Invalid deployment identifier specified");
  stage.deployment_id = *patch.value;
}

}  // namespace

json::value parse_definition(const std::string& text) {
  boost::system::error_code failed;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::value body = json::parse(text, failed, {}, options);
  if (!failed) return body;
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] != '{') refuse("Body", "is not a JSON object; a definition in YAML must be converted to JSON first");
  refuse("Body", fmt::format("is not valid JSON: {}", failed.message()));
}

awaitable<rest::RestApi> ManagementService::import_rest_api(aws::CallContext call, rest::ImportRestApiRequest in) {
  check_parameters(in.parameters);
  const json::value body = parse_definition(in.body.value_or(""));
  NewApi details;
  details.protocol = Protocol::kRest;
  details.define = [&body](const std::string& id) { return import_openapi(Protocol::kRest, id, body); };
  co_return shown_rest_api(co_await catalog_.create(call.scope, std::move(details)));
}

awaitable<rest::RestApi> ManagementService::put_rest_api(aws::CallContext call, rest::PutRestApiRequest in) {
  rest_api(call.scope, in.rest_api_id);
  // Differs from AWS: the default there is to merge, which is not offered; nobody shall lose routes by leaving this out.
  if (in.mode != "overwrite") refuse("mode", "only overwrite is supported, and it must be given");
  check_parameters(in.parameters);
  const json::value body = parse_definition(in.body.value_or(""));
  const Definition definition = import_openapi(Protocol::kRest, *in.rest_api_id, body);
  const Api api = co_await catalog_.update(call.scope, *in.rest_api_id, [&definition](Api& changed) {
    changed.definition = definition;
    if (!definition.title.empty()) changed.name = definition.title;
    changed.description = definition.description;
  });
  co_return shown_rest_api(api);
}

awaitable<rest::Deployment> ManagementService::create_deployment(aws::CallContext call, rest::CreateDeploymentRequest in) {
  rest_api(call.scope, in.rest_api_id);
  const std::string stage_name = in.stage_name.value_or("");
  if (stage_name.empty() && (in.variables || in.stage_description)) refuse("stageName", "is missing: variables and stageDescription are a stage's");
  const Deployment made = co_await catalog_.deploy(call.scope, *in.rest_api_id, in.description.value_or(""), stage_name, "request\n" + call.request_id,
                                                   [&in](Stage& stage) {
                                                     if (in.stage_description) stage.description = *in.stage_description;
                                                     if (in.variables) stage.variables = *in.variables;
                                                   });
  co_return shown_deployment(made, false);
}

awaitable<rest::Stage> ManagementService::create_rest_stage(aws::CallContext call, rest::CreateStageRequest in) {
  rest_api(call.scope, in.rest_api_id);
  Stage stage;
  stage.name = *in.stage_name;
  stage.deployment_id = *in.deployment_id;
  stage.description = in.description.value_or("");
  if (in.variables) stage.variables = *in.variables;
  if (in.tags) stage.tags = *in.tags;
  co_return shown_rest_stage(co_await catalog_.add_stage(call.scope, *in.rest_api_id, std::move(stage)));
}

awaitable<rest::Stage> ManagementService::update_rest_stage(aws::CallContext call, rest::UpdateStageRequest in) {
  rest_api(call.scope, in.rest_api_id);
  const std::string name = *in.stage_name;
  const Api api = co_await catalog_.update(call.scope, *in.rest_api_id, [&](Api& changed) {
    const auto found = changed.stages.find(name);
    if (found == changed.stages.end()) throw aws::ApiError(kNotFound, "Invalid stage identifier specified");
    for (const rest::PatchOperation& patch : in.patch_operations.value_or(std::vector<rest::PatchOperation>{})) apply_patch(changed, found->second, patch);
    check_stage(changed.protocol, found->second);
    found->second.updated = catalog_.now();
  });
  co_return shown_rest_stage(api.stages.at(name));
}

}  // namespace parvis::apigateway
