// apigateway/operations.h: the management operations over the wire: `apigateway` (REST APIs) and `apigatewayv2` (HTTP APIs).
// They work on the same ApiCatalog as the templates; an API of a stack can be read, changed and deleted here as on AWS.
// Reads answer from the catalog's memory, which shows what is durable. What templates and imports do not set reads as AWS's
// default. Differs from AWS: routes and integrations have ids that follow from their keys; endpointConfiguration is always EDGE.
// Source: API Gateway API Reference (2015-07-09) and Version 2 API Reference (2018-11-29).
#pragma once

#include "aws/api_call.h"
#include "models/apigateway.h"
#include "models/apigatewayv2.h"
#include "services/apigateway/api_catalog.h"

namespace parvis::apigateway {

namespace rest = aws::model::apigateway;
namespace http_api = aws::model::apigatewayv2;

class ManagementService {  // thread-safe; `catalog` outlives it
 public:
  explicit ManagementService(ApiCatalog& catalog) : catalog_(catalog) {}
  void bind(aws::Registry& registry);

 private:
  // Throw NotFoundException with the message of their API; an API of the other kind is not found.
  std::shared_ptr<const CompiledApi> rest_api(const aws::Scope& scope, const std::optional<std::string>& id) const;
  std::shared_ptr<const CompiledApi> http_api_of(const aws::Scope& scope, const std::optional<std::string>& id) const;

  awaitable<rest::RestApis> get_rest_apis(aws::CallContext call, rest::GetRestApisRequest in);
  awaitable<rest::RestApi> get_rest_api(aws::CallContext call, rest::GetRestApiRequest in);
  awaitable<rest::DeleteRestApiOutput> delete_rest_api(aws::CallContext call, rest::DeleteRestApiRequest in);
  awaitable<rest::Resources> get_resources(aws::CallContext call, rest::GetResourcesRequest in);
  awaitable<rest::Stages> get_rest_stages(aws::CallContext call, rest::GetStagesRequest in);
  awaitable<rest::Stage> get_rest_stage(aws::CallContext call, rest::GetStageRequest in);
  awaitable<rest::DeleteStageOutput> delete_rest_stage(aws::CallContext call, rest::DeleteStageRequest in);
  awaitable<rest::Deployments> get_deployments(aws::CallContext call, rest::GetDeploymentsRequest in);
  awaitable<rest::Deployment> get_deployment(aws::CallContext call, rest::GetDeploymentRequest in);
  awaitable<rest::RestApi> import_rest_api(aws::CallContext call, rest::ImportRestApiRequest in);
  awaitable<rest::RestApi> put_rest_api(aws::CallContext call, rest::PutRestApiRequest in);
  awaitable<rest::Deployment> create_deployment(aws::CallContext call, rest::CreateDeploymentRequest in);
  awaitable<rest::Stage> create_rest_stage(aws::CallContext call, rest::CreateStageRequest in);
  awaitable<rest::Stage> update_rest_stage(aws::CallContext call, rest::UpdateStageRequest in);

  awaitable<http_api::GetApisResponse> get_apis(aws::CallContext call, http_api::GetApisRequest in);
  awaitable<http_api::GetApiResponse> get_api(aws::CallContext call, http_api::GetApiRequest in);
  awaitable<http_api::DeleteApiOutput> delete_api(aws::CallContext call, http_api::DeleteApiRequest in);
  awaitable<http_api::GetRoutesResponse> get_routes(aws::CallContext call, http_api::GetRoutesRequest in);
  awaitable<http_api::GetIntegrationsResponse> get_integrations(aws::CallContext call, http_api::GetIntegrationsRequest in);
  awaitable<http_api::GetStagesResponse> get_stages(aws::CallContext call, http_api::GetStagesRequest in);
  awaitable<http_api::GetStageResponse> get_stage(aws::CallContext call, http_api::GetStageRequest in);
  awaitable<http_api::DeleteStageOutput> delete_stage(aws::CallContext call, http_api::DeleteStageRequest in);
  awaitable<http_api::CreateApiResponse> create_api(aws::CallContext call, http_api::CreateApiRequest in);
  awaitable<http_api::ImportApiResponse> import_api(aws::CallContext call, http_api::ImportApiRequest in);
  awaitable<http_api::ReimportApiResponse> reimport_api(aws::CallContext call, http_api::ReimportApiRequest in);
  awaitable<http_api::CreateStageResponse> create_stage(aws::CallContext call, http_api::CreateStageRequest in);

  ApiCatalog& catalog_;
};

}  // namespace parvis::apigateway
