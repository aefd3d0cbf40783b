#include "services/apigateway/errors.h"
#include "services/apigateway/operations.h"
#include "services/apigateway/paging.h"
#include "services/apigateway/views.h"

namespace parvis::apigateway {
namespace {

constexpr int kPageDefault = 25;  // Source: GetRestApis, limit

std::size_t limit_of(const std::optional<int>& limit) {
  if (limit && *limit < 1) throw aws::ApiError(kBadRequest, "Invalid limit specified: it must be between 1 and 500");
  return std::min(static_cast<std::size_t>(limit.value_or(kPageDefault)), kPageMax);
}

// `embed` asks for one thing in each operation that has it.
bool embeds(const std::optional<std::vector<std::string>>& embed, std::string_view what) {
  if (!embed) return false;
  for (const std::string& name : *embed) {
    if (name != what) throw aws::ApiError(kBadRequest, fmt::format("Invalid embed value '{}': only '{}' is supported", name, what));
  }
  return !embed->empty();
}

const Stage& stage_of(const Api& api, const std::optional<std::string>& name) {
  const auto found = api.stages.find(name.value_or(""));
  if (found == api.stages.end()) throw aws::ApiError(kNotFound, "Invalid stage identifier specified");
  return found->second;
}

}  // namespace

awaitable<rest::RestApis> ManagementService::get_rest_apis(aws::CallContext call, rest::GetRestApisRequest in) {
  const std::size_t limit = limit_of(in.limit);
  rest::RestApis out;
  out.items.emplace();
  for (const auto& compiled : catalog_.list()) {
    const Api& api = compiled->api;
    if (api.protocol == Protocol::kRest && api.scope.account == call.scope.account && api.scope.region == call.scope.region) {
      out.items->push_back(shown_rest_api(api));
    }
  }
  out.position = cut_page(*out.items, in.position, "position", limit, [](const rest::RestApi& api) { return *api.id; });
  co_return out;
}

awaitable<rest::RestApi> ManagementService::get_rest_api(aws::CallContext call, rest::GetRestApiRequest in) {
  co_return shown_rest_api(rest_api(call.scope, in.rest_api_id)->api);
}

awaitable<rest::DeleteRestApiOutput> ManagementService::delete_rest_api(aws::CallContext call, rest::DeleteRestApiRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  co_await catalog_.remove(call.scope, compiled->api.id);
  co_return rest::DeleteRestApiOutput{};
}

awaitable<rest::Resources> ManagementService::get_resources(aws::CallContext call, rest::GetResourcesRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  const std::size_t limit = limit_of(in.limit);
  rest::Resources out;
  out.items = shown_resources(compiled->api, embeds(in.embed, "methods"));
  out.position = cut_page(*out.items, in.position, "position", limit, [](const rest::Resource& resource) { return *resource.path; });
  co_return out;
}

awaitable<rest::Stages> ManagementService::get_rest_stages(aws::CallContext call, rest::GetStagesRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  rest::Stages out;
  out.item.emplace();
  for (const auto& [name, stage] : compiled->api.stages) {
    if (!in.deployment_id || stage.deployment_id == *in.deployment_id) out.item->push_back(shown_rest_stage(stage));
  }
  co_return out;
}

awaitable<rest::Stage> ManagementService::get_rest_stage(aws::CallContext call, rest::GetStageRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  co_return shown_rest_stage(stage_of(compiled->api, in.stage_name));
}

awaitable<rest::DeleteStageOutput> ManagementService::delete_rest_stage(aws::CallContext call, rest::DeleteStageRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  const std::string name = stage_of(compiled->api, in.stage_name).name;
  co_await catalog_.remove_stage(call.scope, compiled->api.id, name);
  co_return rest::DeleteStageOutput{};
}

awaitable<rest::Deployments> ManagementService::get_deployments(aws::CallContext call, rest::GetDeploymentsRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  const std::size_t limit = limit_of(in.limit);
  rest::Deployments out;
  out.items.emplace();
  for (const auto& [id, deployment] : compiled->api.deployments) out.items->push_back(shown_deployment(deployment, false));
  out.position = cut_page(*out.items, in.position, "position", limit, [](const rest::Deployment& deployment) { return *deployment.id; });
  co_return out;
}

awaitable<rest::Deployment> ManagementService::get_deployment(aws::CallContext call, rest::GetDeploymentRequest in) {
  const auto compiled = rest_api(call.scope, in.rest_api_id);
  const auto found = compiled->api.deployments.find(in.deployment_id.value_or(""));
  if (found == compiled->api.deployments.end()) throw aws::ApiError(kNotFound, "Invalid Deployment identifier specified");
  co_return shown_deployment(found->second, embeds(in.embed, "apisummary"));
}

}  // namespace parvis::apigateway
