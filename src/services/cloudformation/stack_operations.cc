// CreateStack, UpdateStack, DeleteStack and UpdateTerminationProtection.
#include <fmt/format.h>

#include "services/cloudformation/operations.h"
#include "services/cloudformation/request.h"

namespace parvis::cloudformation {
namespace {

templates::OnFailure on_failure_of(const model::CreateStackInput& in) {
  if (in.on_failure && in.disable_rollback) refuse("You can specify either DisableRollback or OnFailure, but not both.");
  if (in.disable_rollback.value_or(false) || in.on_failure == "DO_NOTHING") return templates::OnFailure::kNothing;
  return in.on_failure == "DELETE" ? templates::OnFailure::kDelete : templates::OnFailure::kRollBack;
}

}  // namespace

awaitable<model::CreateStackOutput> CloudFormationService::create_stack(aws::CallContext call, model::CreateStackInput in) {
  const std::string name = in.stack_name.value_or("");
  check_stack_name(name);
  if (co_await with_.stacks.describe(call.scope, name)) throw aws::ApiError(model::errors::kAlreadyExistsException, fmt::format("Stack [{}] already exists", name));
  const std::vector<std::string> capabilities = in.capabilities.value_or(std::vector<std::string>());
  std::string text = co_await template_text(call, std::move(in.template_body), std::move(in.template_url));
  auto files = co_await included_files(call, text);
  Prepared prepared = prepare(std::move(text), in.parameters, {.region = call.scope.region, .capabilities = capabilities, .expands_directly = true, .files = std::move(files)});
  templates::DeployOptions options;
  options.details = details_of(prepared, in.tags, capabilities);
  options.details["termination_protection"] = in.enable_termination_protection.value_or(false);
  options.on_failure = on_failure_of(in);
  options.details["disable_rollback"] = options.on_failure == templates::OnFailure::kNothing;
  options.parameters = std::move(prepared.parameters);
  options.client_token = in.client_request_token.value_or("");
  const templates::Stack stack = co_await deploy(std::move(call), name, std::move(prepared.processed), std::move(options));
  model::CreateStackOutput out;
  out.stack_id = stack.id;
  co_return out;
}

awaitable<model::UpdateStackOutput> CloudFormationService::update_stack(aws::CallContext call, model::UpdateStackInput in) {
  const std::string asked = in.stack_name.value_or("");
  const auto found = co_await with_.stacks.describe(call.scope, asked);
  if (!found || found->status == "DELETE_COMPLETE") refuse(fmt::format("Stack [{}] does not exist", asked));
  const templates::Stack& before = *found;
  check_updatable(before);
  const json::object given = member_object(before.details, "given");
  const std::vector<std::string> capabilities = in.capabilities.value_or(std::vector<std::string>());
  std::string text;
  if (in.use_previous_template.value_or(false)) {
    if (in.template_body || in.template_url) refuse("You cannot specify both usePreviousTemplate and Template Body/Template URL.");
    text = previous_template(before);
  } else {
    text = co_await template_text(call, std::move(in.template_body), std::move(in.template_url));
  }
  auto files = co_await included_files(call, text);
  Prepared prepared = prepare(std::move(text), in.parameters, {.region = call.scope.region, .capabilities = capabilities, .previous = &given, .expands_directly = true, .files = std::move(files)});
  templates::DeployOptions options;
  options.details = details_of(prepared, in.tags, capabilities);
  for (const auto& [key, value] : before.details) if (!options.details.contains(key)) options.details[key] = value;
  if (!in.tags) options.details["tags"] = before.details.contains("tags") ? before.details.at("tags") : json::array();
  options.parameters = prepared.parameters;
  const auto preview = co_await with_.stacks.preview(prepared.processed, before.name, options, call);
  if (!preview) refuse(preview.error());
  const bool tags_changed = options.details.at("tags") != (before.details.contains("tags") ? before.details.at("tags") : json::value(json::array()));
  if (preview->changes.empty() && !preview->outputs_changed && !tags_changed && before.status != "CREATE_FAILED" && before.status != "UPDATE_FAILED") refuse("No updates are to be performed.");
  if (in.disable_rollback.value_or(false)) options.on_failure = templates::OnFailure::kNothing;
  options.client_token = in.client_request_token.value_or("");
  const templates::Stack stack = co_await deploy(std::move(call), before.name, std::move(prepared.processed), std::move(options));
  model::UpdateStackOutput out;
  out.stack_id = stack.id;
  co_return out;
}

awaitable<model::DeleteStackOutput> CloudFormationService::delete_stack(aws::CallContext call, model::DeleteStackInput in) {
  const auto stack = co_await with_.stacks.describe(call.scope, in.stack_name.value_or(""));
  if (!stack || stack->status == "DELETE_COMPLETE") co_return model::DeleteStackOutput();  // as on AWS
  if (stack->details.contains("termination_protection") && stack->details.at("termination_protection") == true) {
    refuse(fmt::format("Stack [{}] cannot be deleted while TerminationProtection is enabled", stack->name));
  }
  if (stack->status == "DELETE_IN_PROGRESS") co_return model::DeleteStackOutput();
  templates::RemoveOptions options;
  options.client_token = in.client_request_token.value_or("");
  if (in.retain_resources) options.retain.insert(in.retain_resources->begin(), in.retain_resources->end());
  if (!options.retain.empty() && stack->status != "DELETE_FAILED") {
    refuse(fmt::format("Invalid operation on stack [{}]. RetainResources can only be specified for stacks in DELETE_FAILED state.", stack->id));  // words not compared with AWS's
  }
  for (const json::object& record : co_await change_sets_.list(call.scope, stack->id)) {
    co_await change_sets_.erase(call.scope, stack->id, std::string(record.at("name").as_string()));
  }
  co_await launch([this, call, name = stack->name, options](Started started) -> awaitable<std::vector<templates::Diagnostic>> {
    templates::RemoveOptions removing = options;
    removing.on_started = std::move(started);
    auto done = co_await with_.stacks.remove(name, call, std::move(removing));
    co_return done ? std::vector<templates::Diagnostic>() : done.error();
  });
  co_return model::DeleteStackOutput();
}

awaitable<model::UpdateTerminationProtectionOutput> CloudFormationService::update_termination_protection(aws::CallContext call, model::UpdateTerminationProtectionInput in) {
  const templates::Stack stack = co_await need_stack(call.scope, in.stack_name.value_or(""));
  if (!co_await with_.stacks.annotate(call.scope, stack.name, {{"termination_protection", in.enable_termination_protection.value_or(false)}})) {
    refuse(fmt::format("Stack:{} is in {} state and can not be updated.", stack.id, stack.status));
  }
  model::UpdateTerminationProtectionOutput out;
  out.stack_id = stack.id;
  co_return out;
}

}  // namespace parvis::cloudformation
