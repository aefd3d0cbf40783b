// Change sets: what a deployment would do, looked at before it is done.
#include <algorithm>

#include <fmt/format.h>

#include "services/cloudformation/operations.h"
#include "services/cloudformation/request.h"

namespace parvis::cloudformation {
namespace {

using Replacement = templates::PlannedChange::Replacement;

constexpr std::string_view kNoChanges = "The submitted information didn't contain changes. Submit different information to create a change set.";
constexpr std::size_t kPage = 100;

std::string_view text_of(Replacement replacement) {
  switch (replacement) {
    case Replacement::kYes: return "True";
    case Replacement::kConditional: return "Conditional";
    case Replacement::kNo: break;
  }
  return "False";
}

json::array stored_changes(const std::vector<templates::PlannedChange>& changes) {
  json::array out;
  for (const templates::PlannedChange& change : changes) {
    using Action = templates::PlannedChange::Action;
    json::array properties;
    for (const auto& property : change.properties) properties.push_back(json::object{{"name", property.name}, {"replacement", text_of(property.replacement)}});
    out.push_back(json::object{{"action", change.action == Action::kAdd ? "Add" : change.action == Action::kModify ? "Modify" : "Remove"},
                               {"logical", change.logical_id}, {"physical", change.physical_id}, {"type", change.type},
                               {"replacement", text_of(change.replacement)}, {"properties", std::move(properties)}});
  }
  return out;
}

model::Change to_model(const json::object& from) {
  model::Change out;
  out.type = "Resource";
  auto& change = out.resource_change.emplace();
  change.action = member_text(from, "action");
  change.logical_resource_id = member_text(from, "logical");
  if (std::string physical = member_text(from, "physical"); !physical.empty()) change.physical_resource_id = std::move(physical);
  change.resource_type = member_text(from, "type");
  auto& scope = change.scope.emplace();
  auto& details = change.details.emplace();
  if (change.action != "Modify") return out;
  change.replacement = member_text(from, "replacement");
  scope.push_back("Properties");
  for (const auto& property : from.at("properties").as_array()) {
    const std::string replacement = member_text(property.as_object(), "replacement");
    auto& detail = details.emplace_back();
    auto& target = detail.target.emplace();
    target.attribute = "Properties";
    target.name = member_text(property.as_object(), "name");
    target.requires_recreation = replacement == "True" ? "Always" : replacement == "Conditional" ? "Conditionally" : "Never";
    detail.evaluation = replacement == "Conditional" ? "Dynamic" : "Static";
    detail.change_source = "DirectModification";
  }
  return out;
}

template <class Shape>
void fill_summary(Shape& out, const json::object& record) {
  out.change_set_name = member_text(record, "name");
  out.change_set_id = member_text(record, "id");
  out.stack_id = member_text(record, "stack_id");
  out.stack_name = member_text(record, "stack_name");
  if (std::string text = member_text(record, "description"); !text.empty()) out.description = std::move(text);
  out.creation_time = timestamp(Millis(std::chrono::milliseconds(record.at("created").as_int64())));
  out.execution_status = member_text(record, "execution");
  out.status = member_text(record, "status");
  if (std::string reason = member_text(record, "reason"); !reason.empty()) out.status_reason = std::move(reason);
  out.include_nested_stacks = false;
}

}  // namespace

awaitable<model::CreateChangeSetOutput> CloudFormationService::create_change_set(aws::CallContext call, model::CreateChangeSetInput in) {
  const std::string type = in.change_set_type.value_or("UPDATE"), name = in.change_set_name.value_or(""), asked = in.stack_name.value_or("");
  auto found = co_await with_.stacks.describe(call.scope, asked);
  if (found && found->status == "DELETE_COMPLETE") found.reset();
  if (type == "UPDATE") {
    if (!found) refuse(fmt::format("Stack [{}] does not exist", asked));
    check_updatable(*found);
  } else {
    if (!found) check_stack_name(asked);
    if (found && found->status != "REVIEW_IN_PROGRESS") refuse(fmt::format("Stack [{}] already exists and cannot be created again with the changeSet [{}].", found->name, name));
  }
  const json::object given = found ? member_object(found->details, "given") : json::object();
  const std::vector<std::string> capabilities = in.capabilities.value_or(std::vector<std::string>());
  std::string text;
  if (in.use_previous_template.value_or(false)) {
    if (in.template_body || in.template_url) refuse("You cannot specify both usePreviousTemplate and Template Body/Template URL.");
    if (!found) refuse("UsePreviousTemplate needs a stack that exists");  // words not compared with AWS's
    text = previous_template(*found);
  } else {
    text = co_await template_text(call, std::move(in.template_body), std::move(in.template_url));
  }
  auto files = co_await included_files(call, text);
  const Prepared prepared = prepare(std::move(text), in.parameters, {.region = call.scope.region, .capabilities = capabilities, .previous = type == "UPDATE" ? &given : nullptr, .files = std::move(files)});
  templates::DeployOptions options;
  options.parameters = prepared.parameters;
  const auto preview = co_await with_.stacks.preview(prepared.processed, found ? found->name : asked, options, call);
  if (!preview) refuse(preview.error());

  json::object details = details_of(prepared, in.tags, capabilities);
  if (found) {
    for (const auto& [key, value] : found->details) if (!details.contains(key)) details[key] = value;
    if (!in.tags && found->details.contains("tags")) details["tags"] = found->details.at("tags");
  } else {
    auto review = co_await with_.stacks.review(asked, {{"tags", details["tags"]}, {"description", details["description"]}}, call);
    if (!review) refuse(review.error());
    found = std::move(*review);
  }
  const bool tags_changed = details["tags"] != (found->details.contains("tags") ? found->details.at("tags") : json::value(json::array()));
  const bool changes = type == "CREATE" || !preview->changes.empty() || preview->outputs_changed || tags_changed;
  const std::string id = fmt::format("arn:aws:cloudformation:{}:{}:changeSet/{}/{}", call.scope.region, call.scope.account, name, with_.entropy.uuid());
  details["change_set_id"] = id;
  json::object shown;
  for (const auto& [key, value] : prepared.parameters) shown[key] = value;
  const json::object declared = member_object(prepared.processed.root.as_object(), "Parameters");
  for (const auto& [key, definition] : declared) {
    if (!definition.is_object()) continue;
    const json::value* hidden = definition.as_object().if_contains("NoEcho");
    const json::value* standard = definition.as_object().if_contains("Default");
    if (!shown.contains(key) && standard != nullptr) shown[key] = templates::scalar_text(*standard);
    if (hidden != nullptr && templates::scalar_text(*hidden) == "true") shown[key] = "****";
  }
  json::object record{{"id", id}, {"name", name}, {"stack_id", found->id}, {"stack_name", found->name}, {"created", with_.clock.wall().time_since_epoch().count()},
                      {"status", changes ? "CREATE_COMPLETE" : "FAILED"}, {"reason", changes ? "" : kNoChanges}, {"execution", changes ? "AVAILABLE" : "UNAVAILABLE"},
                      {"description", in.description.value_or("")}, {"on_failure", in.on_stack_failure.value_or("")}, {"parameters", std::move(shown)},
                      {"changes", stored_changes(preview->changes)}, {"details", std::move(details)}};
  if (!co_await change_sets_.put(call.scope, record, true)) {
    throw aws::ApiError(model::errors::kAlreadyExistsException, fmt::format("ChangeSet {} already exists", name));
  }
  model::CreateChangeSetOutput out;
  out.id = id;
  out.stack_id = found->id;
  co_return out;
}

awaitable<json::object> CloudFormationService::need_change_set(const aws::Scope& scope, std::string name, std::optional<std::string> stack_name) {
  const bool arn = name.starts_with("arn:");
  std::string stack_id;
  if (!arn) {
    if (!stack_name) refuse("StackName must be specified if ChangeSetName is not specified as an ARN.");
    const auto stack = co_await with_.stacks.describe(scope, *stack_name);
    if (!stack) refuse(fmt::format("Stack [{}] does not exist", *stack_name));
    stack_id = stack->id;
  }
  for (json::object& record : co_await change_sets_.list(scope, stack_id)) {
    if (member_text(record, arn ? "id" : "name") == name) co_return std::move(record);
  }
  throw aws::ApiError(model::errors::kChangeSetNotFoundException, fmt::format("ChangeSet [{}] does not exist", name));
}

awaitable<json::object> CloudFormationService::with_execution(const aws::Scope& scope, json::object record) {
  if (member_text(record, "execution") != "EXECUTE_IN_PROGRESS") co_return record;
  const auto stack = co_await with_.stacks.describe(scope, member_text(record, "stack_id"));
  if (stack && stack->status.ends_with("_IN_PROGRESS") && !stack->status.starts_with("DELETE")) co_return record;
  const bool applied = stack && member_text(stack->details, "change_set_id") == member_text(record, "id") && (stack->status == "CREATE_COMPLETE" || stack->status == "UPDATE_COMPLETE");
  record["execution"] = applied ? "EXECUTE_COMPLETE" : "EXECUTE_FAILED";
  co_return record;
}

awaitable<model::DescribeChangeSetOutput> CloudFormationService::describe_change_set(aws::CallContext call, model::DescribeChangeSetInput in) {
  json::object found = co_await need_change_set(call.scope, in.change_set_name.value_or(""), std::move(in.stack_name));
  const json::object record = co_await with_execution(call.scope, std::move(found));
  const json::object details = member_object(record, "details");
  model::DescribeChangeSetOutput out;
  fill_summary(out, record);
  auto& parameters = out.parameters.emplace();
  for (const auto& [key, value] : member_object(record, "parameters")) {
    auto& made = parameters.emplace_back();
    made.parameter_key = std::string(key);
    made.parameter_value = templates::scalar_text(value);
  }
  out.notification_ar_ns.emplace();
  out.rollback_configuration.emplace();
  auto& capabilities = out.capabilities.emplace();
  for (const auto& name : details.at("capabilities").as_array()) capabilities.emplace_back(name.as_string());
  auto& tags = out.tags.emplace();
  for (const auto& tag : details.at("tags").as_array()) {
    auto& made = tags.emplace_back();
    made.key = member_text(tag.as_object(), "Key");
    made.value = member_text(tag.as_object(), "Value");
  }
  if (std::string then = member_text(record, "on_failure"); !then.empty()) out.on_stack_failure = std::move(then);
  std::vector<model::Change> changes;
  for (const auto& change : record.at("changes").as_array()) changes.push_back(to_model(change.as_object()));
  out.next_token = take_page(changes, in.next_token, kPage);
  out.changes = std::move(changes);
  co_return out;
}

awaitable<model::ExecuteChangeSetOutput> CloudFormationService::execute_change_set(aws::CallContext call, model::ExecuteChangeSetInput in) {
  json::object record = co_await need_change_set(call.scope, in.change_set_name.value_or(""), std::move(in.stack_name));
  const std::string id = member_text(record, "id"), stack_id = member_text(record, "stack_id");
  const templates::Stack stack = co_await need_stack(call.scope, stack_id);
  if (member_text(record, "execution") != "AVAILABLE") {
    throw aws::ApiError(model::errors::kInvalidChangeSetStatusException, fmt::format("ChangeSet [{}] cannot be executed in its current status of [{}]", id, member_text(record, "status")));
  }
  if (stack.status != "REVIEW_IN_PROGRESS") check_updatable(stack);
  json::object details = member_object(record, "details");
  auto document = templates::parse_document(member_text(details, details.at("processed").as_string().empty() ? "template" : "processed"), "template");
  if (!document) refuse({document.error()});
  templates::DeployOptions options;
  for (const auto& [key, value] : member_object(details, "given")) options.parameters[std::string(key)] = value;
  options.client_token = in.client_request_token.value_or("");
  const std::string then = member_text(record, "on_failure");
  if (in.disable_rollback.value_or(false) || then == "DO_NOTHING") options.on_failure = templates::OnFailure::kNothing;
  else if (then == "DELETE") options.on_failure = templates::OnFailure::kDelete;
  details["disable_rollback"] = options.on_failure == templates::OnFailure::kNothing;
  options.details = std::move(details);
  co_await deploy(call, stack.name, std::move(*document), std::move(options));
  record["execution"] = "EXECUTE_IN_PROGRESS";
  co_await change_sets_.put(call.scope, record, false);
  // The others were made for the stack as it was.
  for (const json::object& other : co_await change_sets_.list(call.scope, stack_id)) {
    if (member_text(other, "id") != id) co_await change_sets_.erase(call.scope, stack_id, member_text(other, "name"));
  }
  co_return model::ExecuteChangeSetOutput();
}

awaitable<model::DeleteChangeSetOutput> CloudFormationService::delete_change_set(aws::CallContext call, model::DeleteChangeSetInput in) {
  const std::string name = in.change_set_name.value_or("");
  json::object record;
  try {
    record = co_await need_change_set(call.scope, name, std::move(in.stack_name));
  } catch (const aws::ApiError& error) {
    if (error.code() != model::errors::kChangeSetNotFoundException.code) throw;
  }
  if (record.empty()) co_return model::DeleteChangeSetOutput();  // as on AWS
  const json::object now = co_await with_execution(call.scope, record);
  if (member_text(now, "execution") == "EXECUTE_IN_PROGRESS") {
    throw aws::ApiError(model::errors::kInvalidChangeSetStatusException, fmt::format("ChangeSet [{}] cannot be deleted while it is executed", member_text(record, "id")));  // words not compared with AWS's
  }
  co_await change_sets_.erase(call.scope, member_text(record, "stack_id"), member_text(record, "name"));
  co_return model::DeleteChangeSetOutput();
}

awaitable<model::ListChangeSetsOutput> CloudFormationService::list_change_sets(aws::CallContext call, model::ListChangeSetsInput in) {
  const std::string name = in.stack_name.value_or("");
  const auto stack = co_await with_.stacks.describe(call.scope, name);
  if (!stack) refuse(fmt::format("Stack [{}] does not exist", name));
  std::vector<json::object> records = co_await change_sets_.list(call.scope, stack->id);
  model::ListChangeSetsOutput out;
  out.next_token = take_page(records, in.next_token, kPage);
  auto& summaries = out.summaries.emplace();
  for (json::object& record : records) fill_summary(summaries.emplace_back(), co_await with_execution(call.scope, std::move(record)));
  co_return out;
}

}  // namespace parvis::cloudformation
