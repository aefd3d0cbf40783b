#include <charconv>

#include "services/apigateway/errors.h"
#include "services/apigateway/operations.h"
#include "services/apigateway/paging.h"
#include "services/apigateway/views.h"

namespace parvis::apigateway {
namespace {

// `maxResults` is text in the model.
std::size_t limit_of(const std::optional<std::string>& text) {
  if (!text) return kPageMax;
  std::size_t limit = 0;
  const char* end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, limit);
  if (error != std::errc{} || at != end || limit < 1) throw aws::ApiError(kBadRequest, "Invalid maxResults specified: it must be a positive whole number");
  return std::min(limit, kPageMax);
}

const Stage& stage_of(const Api& api, const std::optional<std::string>& name) {
  const auto found = api.stages.find(name.value_or(""));
  if (found == api.stages.end()) throw aws::ApiError(kNotFound, "Invalid stage identifier specified");
  return found->second;
}

}  // namespace

awaitable<http_api::GetApisResponse> ManagementService::get_apis(aws::CallContext call, http_api::GetApisRequest in) {
  const std::size_t limit = limit_of(in.max_results);
  http_api::GetApisResponse out;
  out.items.emplace();
  for (const auto& compiled : catalog_.list()) {
    const Api& api = compiled->api;
    if (api.protocol == Protocol::kHttp && api.scope.account == call.scope.account && api.scope.region == call.scope.region) {
      out.items->push_back(shown_http_api<http_api::Api>(api));
    }
  }
  out.next_token = cut_page(*out.items, in.next_token, "nextToken", limit, [](const http_api::Api& api) { return *api.api_id; });
  co_return out;
}

awaitable<http_api::GetApiResponse> ManagementService::get_api(aws::CallContext call, http_api::GetApiRequest in) {
  co_return shown_http_api<http_api::GetApiResponse>(http_api_of(call.scope, in.api_id)->api);
}

awaitable<http_api::DeleteApiOutput> ManagementService::delete_api(aws::CallContext call, http_api::DeleteApiRequest in) {
  const auto compiled = http_api_of(call.scope, in.api_id);
  co_await catalog_.remove(call.scope, compiled->api.id);
  co_return http_api::DeleteApiOutput{};
}

awaitable<http_api::GetRoutesResponse> ManagementService::get_routes(aws::CallContext call, http_api::GetRoutesRequest in) {
  const auto compiled = http_api_of(call.scope, in.api_id);
  const std::size_t limit = limit_of(in.max_results);
  http_api::GetRoutesResponse out;
  out.items = shown_routes(compiled->api);
  out.next_token = cut_page(*out.items, in.next_token, "nextToken", limit, [](const http_api::Route& route) { return *route.route_id; });
  co_return out;
}

awaitable<http_api::GetIntegrationsResponse> ManagementService::get_integrations(aws::CallContext call, http_api::GetIntegrationsRequest in) {
  const auto compiled = http_api_of(call.scope, in.api_id);
  const std::size_t limit = limit_of(in.max_results);
  http_api::GetIntegrationsResponse out;
  out.items = shown_integrations(compiled->api);
  out.next_token = cut_page(*out.items, in.next_token, "nextToken", limit, [](const http_api::Integration& each) { return *each.integration_id; });
  co_return out;
}

awaitable<http_api::GetStagesResponse> ManagementService::get_stages(aws::CallContext call, http_api::GetStagesRequest in) {
  const auto compiled = http_api_of(call.scope, in.api_id);
  const std::size_t limit = limit_of(in.max_results);
  http_api::GetStagesResponse out;
  out.items.emplace();
  for (const auto& [name, stage] : compiled->api.stages) out.items->push_back(shown_http_stage<http_api::Stage>(stage));
  out.next_token = cut_page(*out.items, in.next_token, "nextToken", limit, [](const http_api::Stage& stage) { return *stage.stage_name; });
  co_return out;
}

awaitable<http_api::GetStageResponse> ManagementService::get_stage(aws::CallContext call, http_api::GetStageRequest in) {
  const auto compiled = http_api_of(call.scope, in.api_id);
  co_return shown_http_stage<http_api::GetStageResponse>(stage_of(compiled->api, in.stage_name));
}

awaitable<http_api::DeleteStageOutput> ManagementService::delete_stage(aws::CallContext call, http_api::DeleteStageRequest in) {
  const auto compiled = http_api_of(call.scope, in.api_id);
  const std::string name = stage_of(compiled->api, in.stage_name).name;
  co_await catalog_.remove_stage(call.scope, compiled->api.id, name);
  co_return http_api::DeleteStageOutput{};
}

}  // namespace parvis::apigateway
