// cloudformation/operations.h: the CloudFormation API over the stack engine of src/templates: stacks, change sets, exports, templates.
//
// Change sets are stored under (account, region, "cloudformation", "changeset", stack id, name) → JSON. Everything else is the engine's.
// Operations that deploy or delete answer as soon as the engine has recorded that they began, and go on in the background.
// Source: CloudFormation API Reference (2010-05-15); messages as recorded from AWS by public tools, marked where they are not.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "models/cloudformation.h"
#include "services/cloudformation/change_set.h"
#include "templates/stack.h"

namespace parvis::cloudformation {

namespace model = aws::model::cloudformation;

struct Dependencies {  // all outlive the service
  asio::any_io_executor background;
  templates::StackEngine& stacks;
  storage::Store& store;
  const Clock& clock;
  Entropy& entropy;
  const SealKey* key = nullptr;  // of stored change sets
  // At most `bytes_max` of an object of the platform's S3; throws ApiError.
  std::function<awaitable<std::string>(aws::CallContext, std::string bucket, std::string key, std::string version, std::size_t bytes_max)> fetch_object;
};

// Thread-safe; outlives every call.
class CloudFormationService {
 public:
  explicit CloudFormationService(Dependencies dependencies);
  void bind(aws::Registry& registry);

 private:
  using Started = std::function<void(const templates::Stack&)>;
  // Runs an operation in the background; answers with the stack as it began. Throws ValidationError with what `operation` gives when it did not begin.
  awaitable<templates::Stack> launch(std::function<awaitable<std::vector<templates::Diagnostic>>(Started)> operation);
  awaitable<templates::Stack> deploy(aws::CallContext call, std::string name, templates::Document document, templates::DeployOptions options);
  awaitable<templates::Stack> need_stack(const aws::Scope& scope, std::string name);
  awaitable<std::map<std::string, std::string>> included_files(aws::CallContext call, std::string text);  // of a template, from S3
  awaitable<std::string> template_text(aws::CallContext call, std::optional<std::string> body, std::optional<std::string> url);

  awaitable<model::CreateStackOutput> create_stack(aws::CallContext call, model::CreateStackInput in);
  awaitable<model::UpdateStackOutput> update_stack(aws::CallContext call, model::UpdateStackInput in);
  awaitable<model::DeleteStackOutput> delete_stack(aws::CallContext call, model::DeleteStackInput in);
  awaitable<model::UpdateTerminationProtectionOutput> update_termination_protection(aws::CallContext call, model::UpdateTerminationProtectionInput in);

  awaitable<model::DescribeStacksOutput> describe_stacks(aws::CallContext call, model::DescribeStacksInput in);
  awaitable<model::ListStacksOutput> list_stacks(aws::CallContext call, model::ListStacksInput in);
  awaitable<model::DescribeStackEventsOutput> describe_stack_events(aws::CallContext call, model::DescribeStackEventsInput in);
  awaitable<model::DescribeStackResourceOutput> describe_stack_resource(aws::CallContext call, model::DescribeStackResourceInput in);
  awaitable<model::DescribeStackResourcesOutput> describe_stack_resources(aws::CallContext call, model::DescribeStackResourcesInput in);
  awaitable<model::ListStackResourcesOutput> list_stack_resources(aws::CallContext call, model::ListStackResourcesInput in);
  awaitable<model::ListExportsOutput> list_exports(aws::CallContext call, model::ListExportsInput in);
  awaitable<model::ListImportsOutput> list_imports(aws::CallContext call, model::ListImportsInput in);

  awaitable<model::GetTemplateOutput> get_template(aws::CallContext call, model::GetTemplateInput in);
  awaitable<model::GetTemplateSummaryOutput> get_template_summary(aws::CallContext call, model::GetTemplateSummaryInput in);
  awaitable<model::ValidateTemplateOutput> validate_template(aws::CallContext call, model::ValidateTemplateInput in);

  awaitable<model::CreateChangeSetOutput> create_change_set(aws::CallContext call, model::CreateChangeSetInput in);
  awaitable<model::DescribeChangeSetOutput> describe_change_set(aws::CallContext call, model::DescribeChangeSetInput in);
  awaitable<model::ExecuteChangeSetOutput> execute_change_set(aws::CallContext call, model::ExecuteChangeSetInput in);
  awaitable<model::DeleteChangeSetOutput> delete_change_set(aws::CallContext call, model::DeleteChangeSetInput in);
  awaitable<model::ListChangeSetsOutput> list_change_sets(aws::CallContext call, model::ListChangeSetsInput in);
  // Finds it by ARN, or by name and stack. Throws ChangeSetNotFound.
  awaitable<json::object> need_change_set(const aws::Scope& scope, std::string name, std::optional<std::string> stack);
  // The record with its execution status as the stack tells it.
  awaitable<json::object> with_execution(const aws::Scope& scope, json::object record);

  Dependencies with_;
  ChangeSets change_sets_;
};

}  // namespace parvis::cloudformation
