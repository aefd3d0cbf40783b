// lambda/operations.h: the Lambda API. One short function per operation, in *_operations.cc by noun; the domain is in
// function.h, alias.h, policy.h, code.h, invoke.h and event_queue.h. Source: Lambda API Reference (2015-03-31).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "aws/api_call.h"
#include "models/lambda.h"
#include "services/lambda/code.h"
#include "services/lambda/code_signing.h"
#include "services/lambda/event_config.h"
#include "services/lambda/function_store.h"
#include "services/lambda/invoke.h"
#include "services/lambda/layer.h"
#include "services/lambda/policy.h"
#include "services/lambda/provisioned.h"
#include "services/lambda/service_options.h"
#include "services/lambda/url_site.h"

namespace parvis::lambda {

namespace model = aws::model::lambda;

// Thread-safe. Everything given outlives it; it outlives every call, and the run of `background`.
class LambdaService {
 public:
  LambdaService(asio::any_io_executor background, storage::Store& store, Runner& runner, const Clock& clock, Entropy& entropy, ServiceOptions options);
  void bind(aws::Registry& registry);
  // Before any operation: collects packages that a crash left without an owner, then delivers accepted events. Provisioned
  // concurrency comes back on `background`, after it has returned.
  awaitable<> start();
  awaitable<> stop(std::chrono::milliseconds limit) { co_await events_.stop(limit); }

  // For API Gateway and other callers inside the process: a synchronous call with a payload that is JSON already.
  // Throws as Invoke does; what the function did wrong is in the result's outcome.
  awaitable<functions::InvocationResult> invoke_arn(aws::CallContext call, std::string arn, std::string payload);
  EventQueue& events() { return events_; }
  // A request to a function URL; `request.target` is the path below it. `caller`: who signed it, if anybody did.
  awaitable<http::Response> answer_url(std::string url_id, http::Request request, std::optional<UrlCaller> caller, aws::TraceContext trace) {
    return site_.handle(std::move(url_id), std::move(request), std::move(caller), std::move(trace));
  }
  // A request to a link that GetFunction or GetLayerVersion gave out; `path` is what follows /_aws/lambda-code/.
  awaitable<http::Response> download(std::string path, std::string query);

 private:
  template <class Op>
  using Answer = awaitable<typename Op::Output>;
  // Changes the record of $LATEST; what else belongs to the change goes into the commit.
  using Change = std::function<void(FunctionRecord&, storage::Commit&)>;
  struct Changed { StoredFunction now; std::optional<CodeRef> loose; };  // loose: the package that nothing names any more
  // Reads, changes and writes until nobody came between. `new_revision`: code or configuration is new.
  awaitable<Changed> modify(FunctionRef ref, std::optional<std::string> revision_id, bool new_revision, Change change);
  // What a qualifier names.
  struct Target {
    StoredFunction function;      // $LATEST
    FunctionRecord record;        // what runs: $LATEST or a published version
    std::optional<Alias> alias;   // when the qualifier is one
    storage::Version alias_version = 0;
  };
  awaitable<Target> target(FunctionRef ref);  // throws ResourceNotFoundException
  struct CodeSource { std::optional<std::string> zip, bucket, key, version; bool dry_run = false; };
  awaitable<CodeRef> take_code(aws::CallContext call, CodeSource source);

  // version_operations.cc
  // Makes `latest` as it stands its next version, in `commit`; returns it.
  FunctionRecord add_version(FunctionRecord& latest, const std::optional<std::string>& description, storage::Commit& commit);
  awaitable<bool> used_by_versions(FunctionRecord owner, std::string code_id);
  awaitable<> purge(aws::Scope scope, std::string function_id);  // every part of a function that is gone
  awaitable<> delete_version(FunctionRef ref);
  awaitable<> erase_parts(FunctionRecord owner, std::string qualifier, storage::Commit& commit);
  // A link to the package, good for ten minutes on this process; "" for a local folder.
  std::string location_of(const aws::Scope& scope, const CodeRef& code) const;
  std::string link_signature(std::string_view path, std::string_view expires) const;

  // function_operations.cc
  Answer<model::CreateFunction> create_function(aws::CallContext call, model::CreateFunctionInput in);
  Answer<model::GetFunction> get_function(aws::CallContext call, model::GetFunctionInput in);
  Answer<model::GetFunctionConfiguration> get_function_configuration(aws::CallContext call, model::GetFunctionConfigurationInput in);
  Answer<model::ListFunctions> list_functions(aws::CallContext call, model::ListFunctionsInput in);
  awaitable<> add_versions(FunctionRecord owner, std::string after, std::size_t limit, std::vector<model::FunctionConfiguration>& out);
  Answer<model::UpdateFunctionCode> update_function_code(aws::CallContext call, model::UpdateFunctionCodeInput in);
  Answer<model::UpdateFunctionConfiguration> update_function_configuration(aws::CallContext call, model::UpdateFunctionConfigurationInput in);
  Answer<model::DeleteFunction> delete_function(aws::CallContext call, model::DeleteFunctionInput in);
  // invoke_operations.cc
  awaitable<> accept_event(FunctionRef ref, functions::Invocation invocation);
  // Counts this call into the chain of functions that it comes from. Throws RecursiveInvocationException.
  awaitable<> count_lineage(aws::TraceContext& trace, FunctionRef ref);
  Answer<model::InvokeWithResponseStream> invoke_with_stream(aws::CallContext call, model::InvokeWithResponseStreamInput in);
  Answer<model::Invoke> invoke(aws::CallContext call, model::InvokeInput in);
  Answer<model::InvokeAsync> invoke_async(aws::CallContext call, model::InvokeAsyncInput in);
  // version_operations.cc, alias_operations.cc
  Answer<model::PublishVersion> publish_version(aws::CallContext call, model::PublishVersionInput in);
  Answer<model::ListVersionsByFunction> list_versions(aws::CallContext call, model::ListVersionsByFunctionInput in);
  Answer<model::CreateAlias> create_alias(aws::CallContext call, model::CreateAliasInput in);
  Answer<model::GetAlias> get_alias(aws::CallContext call, model::GetAliasInput in);
  Answer<model::UpdateAlias> update_alias(aws::CallContext call, model::UpdateAliasInput in);
  Answer<model::DeleteAlias> delete_alias(aws::CallContext call, model::DeleteAliasInput in);
  Answer<model::ListAliases> list_aliases(aws::CallContext call, model::ListAliasesInput in);
  awaitable<> check_alias_versions(FunctionRecord owner, Alias alias, storage::Commit& commit);
  // permission_operations.cc
  awaitable<Policy> change_policy(FunctionRef ref, std::function<void(Policy&)> change);
  Answer<model::AddPermission> add_permission(aws::CallContext call, model::AddPermissionInput in);
  Answer<model::RemovePermission> remove_permission(aws::CallContext call, model::RemovePermissionInput in);
  Answer<model::GetPolicy> get_policy(aws::CallContext call, model::GetPolicyInput in);
  awaitable<Policy> policy_of(FunctionRef ref);  // throws ResourceNotFoundException
  Answer<model::PutResourcePolicy> put_resource_policy(aws::CallContext call, model::PutResourcePolicyInput in);
  Answer<model::GetResourcePolicy> get_resource_policy(aws::CallContext call, model::GetResourcePolicyInput in);
  Answer<model::DeleteResourcePolicy> delete_resource_policy(aws::CallContext call, model::DeleteResourcePolicyInput in);
  // layer_operations.cc
  Answer<model::PublishLayerVersion> publish_layer_version(aws::CallContext call, model::PublishLayerVersionInput in);
  Answer<model::GetLayerVersion> get_layer_version(aws::CallContext call, model::GetLayerVersionInput in);
  Answer<model::GetLayerVersionByArn> get_layer_version_by_arn(aws::CallContext call, model::GetLayerVersionByArnInput in);
  Answer<model::ListLayers> list_layers(aws::CallContext call, model::ListLayersInput in);
  Answer<model::ListLayerVersions> list_layer_versions(aws::CallContext call, model::ListLayerVersionsInput in);
  Answer<model::DeleteLayerVersion> delete_layer_version(aws::CallContext call, model::DeleteLayerVersionInput in);
  Answer<model::AddLayerVersionPermission> add_layer_permission(aws::CallContext call, model::AddLayerVersionPermissionInput in);
  Answer<model::RemoveLayerVersionPermission> remove_layer_permission(aws::CallContext call, model::RemoveLayerVersionPermissionInput in);
  Answer<model::GetLayerVersionPolicy> get_layer_policy(aws::CallContext call, model::GetLayerVersionPolicyInput in);
  awaitable<StoredLayerVersion> layer(aws::Scope scope, LayerRef ref);
  awaitable<Policy> change_layer_policy(aws::CallContext call, LayerRef ref, std::function<void(Policy&)> change);
  // Checks the layers that a function is to have; the commit that gives them to it holds only while they are there.
  awaitable<std::vector<LayerUse>> use_layers(aws::CallContext call, std::vector<std::string> arns, storage::Commit& commit);
  awaitable<> check_unpacked_size(FunctionRecord record);  // throws InvalidParameterValueException over 250 MB with layers
  awaitable<> collect_layers(aws::Scope scope);
  // url_operations.cc
  struct StoredUrl {
    StoredFunction function;
    FunctionUrl url;
    storage::Version part_version = 0, version = 0;
  };
  template <class Out>
  Out describe_url(const FunctionUrl& url) const;
  awaitable<StoredUrl> stored_url(FunctionRef ref);
  Answer<model::CreateFunctionUrlConfig> create_url(aws::CallContext call, model::CreateFunctionUrlConfigInput in);
  Answer<model::GetFunctionUrlConfig> get_url(aws::CallContext call, model::GetFunctionUrlConfigInput in);
  Answer<model::UpdateFunctionUrlConfig> update_url(aws::CallContext call, model::UpdateFunctionUrlConfigInput in);
  Answer<model::DeleteFunctionUrlConfig> delete_url(aws::CallContext call, model::DeleteFunctionUrlConfigInput in);
  Answer<model::ListFunctionUrlConfigs> list_urls(aws::CallContext call, model::ListFunctionUrlConfigsInput in);
  // event_config_operations.cc
  Answer<model::PutFunctionEventInvokeConfig> put_event_config(aws::CallContext call, model::PutFunctionEventInvokeConfigInput in);
  Answer<model::UpdateFunctionEventInvokeConfig> update_event_config(aws::CallContext call, model::UpdateFunctionEventInvokeConfigInput in);
  Answer<model::GetFunctionEventInvokeConfig> get_event_config(aws::CallContext call, model::GetFunctionEventInvokeConfigInput in);
  Answer<model::DeleteFunctionEventInvokeConfig> delete_event_config(aws::CallContext call, model::DeleteFunctionEventInvokeConfigInput in);
  Answer<model::ListFunctionEventInvokeConfigs> list_event_configs(aws::CallContext call, model::ListFunctionEventInvokeConfigsInput in);
  awaitable<> apply_destinations(FunctionRef ref, std::optional<model::DestinationConfig> in, EventConfig& config);
  awaitable<EventConfig> write_event_config(FunctionRef ref, EventConfig config);
  awaitable<EventConfig> event_config(FunctionRef ref);
  awaitable<EventRules> event_rules(FunctionRef ref);
  EventQueueOptions with_rules(EventQueueOptions options);
  // provisioned_operations.cc
  Answer<model::PutProvisionedConcurrencyConfig> put_provisioned(aws::CallContext call, model::PutProvisionedConcurrencyConfigInput in);
  Answer<model::GetProvisionedConcurrencyConfig> get_provisioned(aws::CallContext call, model::GetProvisionedConcurrencyConfigInput in);
  Answer<model::DeleteProvisionedConcurrencyConfig> delete_provisioned(aws::CallContext call, model::DeleteProvisionedConcurrencyConfigInput in);
  Answer<model::ListProvisionedConcurrencyConfigs> list_provisioned(aws::CallContext call, model::ListProvisionedConcurrencyConfigsInput in);
  awaitable<Provisioning> provisioning(FunctionRecord owner);
  static void guard_parts(const FunctionRecord& owner, std::string_view kind, storage::Stamp as_of, storage::Commit& commit);
  awaitable<> check_provisioned_count(FunctionRecord function, int count, int before, int others);
  ProvisionedState provisioned_now(const FunctionRecord& owner, const Provisioning& all, const std::string& qualifier);
  // Tells the engine what the store says about the function. Never throws.
  awaitable<> provision(FunctionRef ref);
  awaitable<> provision_once(FunctionRef ref);
  // Of works of one name one runs at a time, and once more when another was asked for meanwhile: the last one sees the newest state.
  // Never throws: a failure is logged, behind `failure`.
  awaitable<> one_at_a_time(std::string name, std::string failure, std::function<awaitable<>()> work);
  awaitable<> restore_environments(aws::Scope scope);  // at start: what boots without a call
  awaitable<> restore_provisioned(aws::Scope scope);
  // settings_operations.cc
  Answer<model::PutFunctionRecursionConfig> put_recursion(aws::CallContext call, model::PutFunctionRecursionConfigInput in);
  Answer<model::GetFunctionRecursionConfig> get_recursion(aws::CallContext call, model::GetFunctionRecursionConfigInput in);
  Answer<model::PutRuntimeManagementConfig> put_runtime_management(aws::CallContext call, model::PutRuntimeManagementConfigInput in);
  Answer<model::GetRuntimeManagementConfig> get_runtime_management(aws::CallContext call, model::GetRuntimeManagementConfigInput in);
  struct Usage { std::int64_t functions = 0; std::uint64_t code_bytes = 0; };
  awaitable<Usage> usage(aws::Scope scope);
  awaitable<int> set_aside(aws::Scope scope);  // concurrency that functions reserve, or have provisioned without reserving
  awaitable<> count_set_aside(aws::Scope scope);  // and tells the invoker, after every change. Never throws.
  Answer<model::ListTags> list_tags(aws::CallContext call, model::ListTagsInput in);
  Answer<model::TagResource> tag_resource(aws::CallContext call, model::TagResourceInput in);
  Answer<model::UntagResource> untag_resource(aws::CallContext call, model::UntagResourceInput in);
  Answer<model::PutFunctionConcurrency> put_concurrency(aws::CallContext call, model::PutFunctionConcurrencyInput in);
  Answer<model::GetFunctionConcurrency> get_concurrency(aws::CallContext call, model::GetFunctionConcurrencyInput in);
  Answer<model::DeleteFunctionConcurrency> delete_concurrency(aws::CallContext call, model::DeleteFunctionConcurrencyInput in);
  Answer<model::GetAccountSettings> get_account_settings(aws::CallContext call, model::GetAccountSettingsInput in);

  const Clock& clock_;
  Entropy& entropy_;
  ServiceOptions options_;
  FunctionStore functions_;
  CodeStore code_;
  Invoker invoker_;
  EventQueue events_;
  LayerStore layers_{functions_};
  UrlSite site_;
  CodeSigning code_signing_{functions_};
  std::string link_key_;  // of this process
  asio::any_io_executor background_;
  std::mutex at_work_mutex_;
  std::map<std::string, bool> at_work_;  // names in one_at_a_time(), and whether to do it again
};

}  // namespace parvis::lambda
