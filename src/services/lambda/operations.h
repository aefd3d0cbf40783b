// lambda/operations.h: the Lambda API. One short function per operation; the domain is in function.h, code.h, invoke.h
// and event_queue.h. Source: Lambda API Reference (2015-03-31).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "aws/api_call.h"
#include "models/lambda.h"
#include "services/lambda/code.h"
#include "services/lambda/event_queue.h"
#include "services/lambda/function_store.h"
#include "services/lambda/invoke.h"

namespace parvis::lambda {

namespace model = aws::model::lambda;

struct ServiceOptions {
  CodeOptions code;
  InvokeOptions invoke;
  EventQueueOptions events;
  // Reads a package from S3 by a call in the caller's name. Throws ApiError with S3's own code. Not set: refused.
  std::function<awaitable<std::string>(aws::CallContext, std::string bucket, std::string key, std::string version)> fetch_object;
};

// Thread-safe. Everything given outlives it; it outlives every call, and the run of `background`.
class LambdaService {
 public:
  LambdaService(asio::any_io_executor background, storage::Store& store, Runner& runner, const Clock& clock, Entropy& entropy,
                ServiceOptions options);
  void bind(aws::Registry& registry);
  // Before any operation: collects packages that a crash left without an owner, then delivers accepted events.
  awaitable<> start();
  awaitable<> stop(std::chrono::milliseconds limit) { co_await events_.stop(limit); }

  // For API Gateway and other callers inside the process: a synchronous call with a payload that is JSON already.
  // Throws as Invoke does; what the function did wrong is in the result's outcome.
  awaitable<functions::InvocationResult> invoke_arn(aws::CallContext call, std::string arn, std::string payload);
  EventQueue& events() { return events_; }

 private:
  using Change = std::function<void(FunctionRecord&)>;
  // Reads, changes and writes until nobody came between. `new_revision`: code or configuration is new.
  awaitable<StoredFunction> modify(FunctionRef ref, std::optional<std::string> revision_id, bool new_revision, Change change);
  struct CodeSource {
    std::optional<std::string> zip, bucket, key, version;
    bool dry_run = false;
  };
  awaitable<CodeRef> take_code(aws::CallContext call, CodeSource source);

  awaitable<model::CreateFunctionOutput> create_function(aws::CallContext call, model::CreateFunctionInput in);
  awaitable<model::GetFunctionOutput> get_function(aws::CallContext call, model::GetFunctionInput in);
  awaitable<model::GetFunctionConfigurationOutput> get_function_configuration(aws::CallContext call, model::GetFunctionConfigurationInput in);
  awaitable<model::ListFunctionsOutput> list_functions(aws::CallContext call, model::ListFunctionsInput in);
  awaitable<model::UpdateFunctionCodeOutput> update_function_code(aws::CallContext call, model::UpdateFunctionCodeInput in);
  awaitable<model::UpdateFunctionConfigurationOutput> update_function_configuration(aws::CallContext call,
                                                                                    model::UpdateFunctionConfigurationInput in);
  awaitable<model::DeleteFunctionOutput> delete_function(aws::CallContext call, model::DeleteFunctionInput in);
  awaitable<model::InvokeOutput> invoke(aws::CallContext call, model::InvokeInput in);
  awaitable<model::AddPermissionOutput> add_permission(aws::CallContext call, model::AddPermissionInput in);
  awaitable<model::RemovePermissionOutput> remove_permission(aws::CallContext call, model::RemovePermissionInput in);
  awaitable<model::GetPolicyOutput> get_policy(aws::CallContext call, model::GetPolicyInput in);
  awaitable<model::ListTagsOutput> list_tags(aws::CallContext call, model::ListTagsInput in);
  awaitable<model::TagResourceOutput> tag_resource(aws::CallContext call, model::TagResourceInput in);
  awaitable<model::UntagResourceOutput> untag_resource(aws::CallContext call, model::UntagResourceInput in);
  awaitable<model::PutFunctionConcurrencyOutput> put_concurrency(aws::CallContext call, model::PutFunctionConcurrencyInput in);
  awaitable<model::GetFunctionConcurrencyOutput> get_concurrency(aws::CallContext call, model::GetFunctionConcurrencyInput in);
  awaitable<model::DeleteFunctionConcurrencyOutput> delete_concurrency(aws::CallContext call, model::DeleteFunctionConcurrencyInput in);
  awaitable<model::GetAccountSettingsOutput> get_account_settings(aws::CallContext call, model::GetAccountSettingsInput in);

  const Clock& clock_;
  Entropy& entropy_;
  ServiceOptions options_;
  FunctionStore functions_;
  CodeStore code_;
  Invoker invoker_;
  EventQueue events_;
};

}  // namespace parvis::lambda
