// Operations that only read stacks.
#include <algorithm>

#include <fmt/format.h>

#include "services/cloudformation/operations.h"
#include "services/cloudformation/request.h"

namespace parvis::cloudformation {
namespace {

constexpr std::size_t kPage = 100;

template <class Shape>
void fill_resource(Shape& out, const templates::StackResource& from, const templates::Stack& stack) {
  out.logical_resource_id = from.logical_id;
  if (!from.physical_id.empty()) out.physical_resource_id = from.physical_id;
  out.resource_type = from.type;
  out.resource_status = from.status;
  const aws::Timestamp time = timestamp(from.updated.time_since_epoch().count() != 0 ? from.updated : stack.updated);
  if constexpr (requires { out.timestamp; }) out.timestamp = time;
  else out.last_updated_timestamp = time;
  if constexpr (requires { out.stack_name; }) {
    out.stack_name = stack.name;
    out.stack_id = stack.id;
  }
  out.drift_information.emplace().stack_resource_drift_status = "NOT_CHECKED";
}

model::Stack to_model(const templates::Stack& from) {
  model::Stack out;
  out.stack_id = from.id;
  out.stack_name = from.name;
  if (std::string id = member_text(from.details, "change_set_id"); !id.empty()) out.change_set_id = std::move(id);
  if (std::string text = member_text(from.details, "description"); !text.empty()) out.description = std::move(text);
  if (!from.parameters.empty()) {
    auto& parameters = out.parameters.emplace();
    for (const auto& [key, value] : from.parameters) {
      auto& parameter = parameters.emplace_back();
      parameter.parameter_key = key;
      parameter.parameter_value = value;
      if (const auto resolved = from.resolved.find(key); resolved != from.resolved.end()) parameter.resolved_value = resolved->second;
    }
  }
  out.creation_time = timestamp(from.created);
  if (from.status != "CREATE_IN_PROGRESS" && from.status != "REVIEW_IN_PROGRESS" && from.updated > from.created) out.last_updated_time = timestamp(from.updated);
  if (from.deleted.time_since_epoch().count() != 0) out.deletion_time = timestamp(from.deleted);
  out.rollback_configuration.emplace();
  out.stack_status = from.status;
  if (!from.reason.empty() && from.reason != "User Initiated") out.stack_status_reason = from.reason;
  out.disable_rollback = from.details.contains("disable_rollback") && from.details.at("disable_rollback") == true;
  out.notification_ar_ns.emplace();
  if (from.details.contains("capabilities") && from.details.at("capabilities").is_array()) {
    auto& capabilities = out.capabilities.emplace();
    for (const auto& name : from.details.at("capabilities").as_array()) capabilities.emplace_back(name.as_string());
  }
  if (!from.outputs.empty()) {
    auto& outputs = out.outputs.emplace();
    for (const templates::StackOutput& output : from.outputs) {
      auto& made = outputs.emplace_back();
      made.output_key = output.key;
      made.output_value = output.value;
      if (!output.description.empty()) made.description = output.description;
      if (!output.export_name.empty()) made.export_name = output.export_name;
    }
  }
  auto& tags = out.tags.emplace();
  if (from.details.contains("tags") && from.details.at("tags").is_array()) {
    for (const auto& tag : from.details.at("tags").as_array()) {
      auto& made = tags.emplace_back();
      made.key = member_text(tag.as_object(), "Key");
      made.value = member_text(tag.as_object(), "Value");
    }
  }
  out.enable_termination_protection = from.details.contains("termination_protection") && from.details.at("termination_protection") == true;
  out.drift_information.emplace().stack_drift_status = "NOT_CHECKED";
  return out;
}

}  // namespace

awaitable<model::DescribeStacksOutput> CloudFormationService::describe_stacks(aws::CallContext call, model::DescribeStacksInput in) {
  model::DescribeStacksOutput out;
  auto& stacks = out.stacks.emplace();
  if (in.stack_name && !in.stack_name->empty()) {
    stacks.push_back(to_model(co_await need_stack(call.scope, *in.stack_name)));
    co_return out;
  }
  std::vector<templates::Stack> all = co_await with_.stacks.list(call.scope);
  out.next_token = take_page(all, in.next_token, kPage);
  for (const templates::Stack& stack : all) stacks.push_back(to_model(stack));
  co_return out;
}

awaitable<model::ListStacksOutput> CloudFormationService::list_stacks(aws::CallContext call, model::ListStacksInput in) {
  std::vector<templates::Stack> all = co_await with_.stacks.list(call.scope);
  for (templates::Stack& stack : co_await with_.stacks.deleted(call.scope)) all.push_back(std::move(stack));
  if (in.stack_status_filter && !in.stack_status_filter->empty()) {
    std::erase_if(all, [&](const templates::Stack& stack) { return std::ranges::find(*in.stack_status_filter, stack.status) == in.stack_status_filter->end(); });
  }
  std::ranges::sort(all, std::ranges::greater(), &templates::Stack::created);
  model::ListStacksOutput out;
  out.next_token = take_page(all, in.next_token, kPage);
  auto& summaries = out.stack_summaries.emplace();
  for (const templates::Stack& stack : all) {
    auto& made = summaries.emplace_back();
    const model::Stack full = to_model(stack);
    made.stack_id = full.stack_id;
    made.stack_name = full.stack_name;
    made.template_description = full.description;
    made.creation_time = full.creation_time;
    made.last_updated_time = full.last_updated_time;
    made.deletion_time = full.deletion_time;
    made.stack_status = full.stack_status;
    made.stack_status_reason = full.stack_status_reason;
    made.drift_information.emplace().stack_drift_status = "NOT_CHECKED";
  }
  co_return out;
}

awaitable<model::DescribeStackEventsOutput> CloudFormationService::describe_stack_events(aws::CallContext call, model::DescribeStackEventsInput in) {
  const std::string name = in.stack_name.value_or("");
  const auto stack = co_await with_.stacks.describe(call.scope, name);
  if (!stack) refuse(fmt::format("Stack [{}] does not exist", name));
  std::vector<templates::StackEvent> events = co_await with_.stacks.events(call.scope, stack->id);
  std::ranges::reverse(events);
  model::DescribeStackEventsOutput out;
  out.next_token = take_page(events, in.next_token, kPage);
  auto& made = out.stack_events.emplace();
  for (const templates::StackEvent& event : events) {
    auto& to = made.emplace_back();
    to.stack_id = stack->id;
    to.stack_name = stack->name;
    to.event_id = event.type == "AWS::CloudFormation::Stack" ? event.id : fmt::format("{}-{}-{}", event.logical_id, event.status, event.id);
    to.logical_resource_id = event.logical_id;
    to.physical_resource_id = event.physical_id;
    to.resource_type = event.type;
    to.timestamp = timestamp(event.time);
    to.resource_status = event.status;
    if (!event.reason.empty()) to.resource_status_reason = event.reason;
    if (!event.client_token.empty()) to.client_request_token = event.client_token;
  }
  co_return out;
}

awaitable<model::DescribeStackResourceOutput> CloudFormationService::describe_stack_resource(aws::CallContext call, model::DescribeStackResourceInput in) {
  const std::string name = in.stack_name.value_or(""), id = in.logical_resource_id.value_or("");
  const auto stack = co_await with_.stacks.describe(call.scope, name);
  if (!stack) refuse(fmt::format("Stack '{}' does not exist", name));
  const auto found = std::ranges::find(stack->resources, id, &templates::StackResource::logical_id);
  if (found == stack->resources.end()) refuse(fmt::format("Resource {} does not exist for stack {}", id, stack->name));
  model::DescribeStackResourceOutput out;
  fill_resource(out.stack_resource_detail.emplace(), *found, *stack);
  co_return out;
}

awaitable<model::DescribeStackResourcesOutput> CloudFormationService::describe_stack_resources(aws::CallContext call, model::DescribeStackResourcesInput in) {
  std::vector<templates::Stack> stacks;
  if (in.stack_name && in.physical_resource_id) refuse("You cannot specify both StackName and PhysicalResourceId");  // words not compared with AWS's
  if (in.stack_name) stacks.push_back(co_await need_stack(call.scope, *in.stack_name));
  else if (!in.physical_resource_id) refuse("Either StackName or PhysicalResourceId must be specified");
  else stacks = co_await with_.stacks.list(call.scope);
  model::DescribeStackResourcesOutput out;
  auto& made = out.stack_resources.emplace();
  for (const templates::Stack& stack : stacks) {
    const auto holds = [&](const templates::StackResource& resource) { return !in.physical_resource_id || resource.physical_id == *in.physical_resource_id; };
    if (in.physical_resource_id && std::ranges::none_of(stack.resources, holds)) continue;
    for (const templates::StackResource& resource : stack.resources) {
      if (in.logical_resource_id && resource.logical_id != *in.logical_resource_id) continue;
      fill_resource(made.emplace_back(), resource, stack);
    }
  }
  if (in.physical_resource_id && made.empty()) refuse(fmt::format("Stack for {} does not exist", *in.physical_resource_id));
  co_return out;
}

awaitable<model::ListStackResourcesOutput> CloudFormationService::list_stack_resources(aws::CallContext call, model::ListStackResourcesInput in) {
  templates::Stack stack = co_await need_stack(call.scope, in.stack_name.value_or(""));
  model::ListStackResourcesOutput out;
  out.next_token = take_page(stack.resources, in.next_token, kPage);
  auto& made = out.stack_resource_summaries.emplace();
  for (const templates::StackResource& resource : stack.resources) fill_resource(made.emplace_back(), resource, stack);
  co_return out;
}

awaitable<model::ListExportsOutput> CloudFormationService::list_exports(aws::CallContext call, model::ListExportsInput in) {
  std::vector<model::Export> all;
  for (const templates::Stack& stack : co_await with_.stacks.list(call.scope)) {
    for (const templates::StackOutput& output : stack.outputs) {
      if (output.export_name.empty()) continue;
      auto& made = all.emplace_back();
      made.exporting_stack_id = stack.id;
      made.name = output.export_name;
      made.value = output.value;
    }
  }
  model::ListExportsOutput out;
  out.next_token = take_page(all, in.next_token, kPage);
  out.exports = std::move(all);
  co_return out;
}

awaitable<model::ListImportsOutput> CloudFormationService::list_imports(aws::CallContext call, model::ListImportsInput in) {
  const std::string name = in.export_name.value_or("");
  std::vector<std::string> importing;
  for (const templates::Stack& stack : co_await with_.stacks.list(call.scope)) {
    if (std::ranges::find(stack.imports, name) != stack.imports.end()) importing.push_back(stack.name);
  }
  if (importing.empty()) refuse(fmt::format("Export '{}' is not imported by any stack.", name));
  model::ListImportsOutput out;
  out.next_token = take_page(importing, in.next_token, kPage);
  out.imports = std::move(importing);
  co_return out;
}

}  // namespace parvis::cloudformation
