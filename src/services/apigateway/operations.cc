#include "services/apigateway/operations.h"

#include "services/apigateway/errors.h"

namespace parvis::apigateway {

void ManagementService::bind(aws::Registry& registry) {
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) { return (this->*method)(std::move(call), std::move(in)); });
  };
  bind(rest::GetRestApis{}, &ManagementService::get_rest_apis);
  bind(rest::GetRestApi{}, &ManagementService::get_rest_api);
  bind(rest::DeleteRestApi{}, &ManagementService::delete_rest_api);
  bind(rest::GetResources{}, &ManagementService::get_resources);
  bind(rest::GetStages{}, &ManagementService::get_rest_stages);
  bind(rest::GetStage{}, &ManagementService::get_rest_stage);
  bind(rest::DeleteStage{}, &ManagementService::delete_rest_stage);
  bind(rest::GetDeployments{}, &ManagementService::get_deployments);
  bind(rest::GetDeployment{}, &ManagementService::get_deployment);
  bind(rest::ImportRestApi{}, &ManagementService::import_rest_api);
  bind(rest::PutRestApi{}, &ManagementService::put_rest_api);
  bind(rest::CreateDeployment{}, &ManagementService::create_deployment);
  bind(rest::CreateStage{}, &ManagementService::create_rest_stage);
  bind(rest::UpdateStage{}, &ManagementService::update_rest_stage);
  bind(http_api::CreateApi{}, &ManagementService::create_api);
  bind(http_api::ImportApi{}, &ManagementService::import_api);
  bind(http_api::ReimportApi{}, &ManagementService::reimport_api);
  bind(http_api::CreateStage{}, &ManagementService::create_stage);
  bind(http_api::GetApis{}, &ManagementService::get_apis);
  bind(http_api::GetApi{}, &ManagementService::get_api);
  bind(http_api::DeleteApi{}, &ManagementService::delete_api);
  bind(http_api::GetRoutes{}, &ManagementService::get_routes);
  bind(http_api::GetIntegrations{}, &ManagementService::get_integrations);
  bind(http_api::GetStages{}, &ManagementService::get_stages);
  bind(http_api::GetStage{}, &ManagementService::get_stage);
  bind(http_api::DeleteStage{}, &ManagementService::delete_stage);
}

std::shared_ptr<const CompiledApi> ManagementService::rest_api(const aws::Scope& scope, const std::optional<std::string>& id) const {
  auto api = catalog_.get(scope, id.value_or(""));
  if (api->api.protocol != Protocol::kRest) throw aws::ApiError(kNotFound, fmt::format("Invalid API identifier specified {}:{}", scope.account, *id));
  return api;
}

std::shared_ptr<const CompiledApi> ManagementService::http_api_of(const aws::Scope& scope, const std::optional<std::string>& id) const {
  auto api = catalog_.find(id.value_or(""));
  if (!api || api->api.protocol != Protocol::kHttp || api->api.scope.account != scope.account || api->api.scope.region != scope.region) {
    throw aws::ApiError(kNotFound, fmt::format("Invalid API identifier specified {}", id.value_or("")));
  }
  return api;
}

}  // namespace parvis::apigateway
