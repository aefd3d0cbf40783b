// GetTemplate, GetTemplateSummary and ValidateTemplate.
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "services/cloudformation/operations.h"
#include "services/cloudformation/request.h"
#include "templates/includes.h"
#include "templates/structure_check.h"

namespace parvis::cloudformation {
namespace {

// Calls `each` with name and definition of every declared parameter.
template <class Each>
void for_parameters(const templates::Document& document, Each each) {
  const json::object declared = member_object(document.root.as_object(), "Parameters");
  for (const auto& [name, definition] : declared) {
    static const json::object kEmpty;
    each(std::string(name), definition.is_object() ? definition.as_object() : kEmpty);
  }
}
std::string scalar(const json::object& from, std::string_view name) {
  const json::value* found = from.if_contains(name);
  return found == nullptr ? std::string() : templates::scalar_text(*found);
}
std::string reason_of(const Needed& needed) { return fmt::format("The following resource(s) require capabilities: [{}]", fmt::join(needed.types, ", ")); }

}  // namespace

awaitable<model::GetTemplateOutput> CloudFormationService::get_template(aws::CallContext call, model::GetTemplateInput in) {
  json::object details;
  if (in.change_set_name) {
    details = member_object(co_await need_change_set(call.scope, *in.change_set_name, in.stack_name), "details");
  } else {
    if (!in.stack_name) refuse("StackName is required when ChangeSetName is not given");  // words not compared with AWS's
    const templates::Stack stack = co_await need_stack(call.scope, *in.stack_name);
    previous_template(stack);
    details = stack.details;
  }
  const std::string processed = member_text(details, "processed");
  model::GetTemplateOutput out;
  out.template_body = in.template_stage == "Processed" && !processed.empty() ? processed : member_text(details, "template");
  out.stages_available = {"Original", "Processed"};
  co_return out;
}

awaitable<model::GetTemplateSummaryOutput> CloudFormationService::get_template_summary(aws::CallContext call, model::GetTemplateSummaryInput in) {
  std::string text;
  if (in.stack_name) text = previous_template(co_await need_stack(call.scope, *in.stack_name));
  else text = co_await template_text(call, std::move(in.template_body), std::move(in.template_url));
  const templates::Document document = parse_template(text);
  model::GetTemplateSummaryOutput out;
  auto& parameters = out.parameters.emplace();
  for_parameters(document, [&](std::string name, const json::object& definition) {
    auto& made = parameters.emplace_back();
    made.parameter_key = std::move(name);
    if (definition.contains("Default")) made.default_value = scalar(definition, "Default");
    made.parameter_type = scalar(definition, "Type");
    made.no_echo = scalar(definition, "NoEcho") == "true";
    if (definition.contains("Description")) made.description = scalar(definition, "Description");
    auto& constraints = made.parameter_constraints.emplace();
    if (const json::value* allowed = definition.if_contains("AllowedValues"); allowed != nullptr && allowed->is_array()) {
      auto& values = constraints.allowed_values.emplace();
      for (const auto& value : allowed->as_array()) values.push_back(templates::scalar_text(value));
    }
  });
  if (document.root.as_object().contains("Description")) out.description = scalar(document.root.as_object(), "Description");
  const Needed needed = needed_capabilities(document);
  if (!needed.types.empty()) {
    out.capabilities = needed.capabilities;
    out.capabilities_reason = reason_of(needed);
  }
  std::map<std::string, std::vector<std::string>> by_type;
  for (const auto& [id, resource] : member_object(document.root.as_object(), "Resources")) {
    if (resource.is_object()) by_type[scalar(resource.as_object(), "Type")].emplace_back(id);
  }
  auto& types = out.resource_types.emplace();
  for (const auto& [type, ids] : by_type) types.push_back(type);
  if (document.root.as_object().contains("AWSTemplateFormatVersion")) out.version = scalar(document.root.as_object(), "AWSTemplateFormatVersion");
  if (const json::value* metadata = document.root.as_object().if_contains("Metadata")) out.metadata = json::serialize(*metadata);
  if (auto transforms = transforms_of(document); !transforms.empty()) out.declared_transforms = std::move(transforms);
  co_return out;
}

awaitable<model::ValidateTemplateOutput> CloudFormationService::validate_template(aws::CallContext call, model::ValidateTemplateInput in) {
  const templates::Document document = parse_template(co_await template_text(call, std::move(in.template_body), std::move(in.template_url)));
  if (templates::included_files(document).empty()) {  // else it is checked when the files are there
    if (const auto errors = templates::check_structure(document); !errors.empty()) refuse(errors);
  }
  model::ValidateTemplateOutput out;
  auto& parameters = out.parameters.emplace();
  for_parameters(document, [&](std::string name, const json::object& definition) {
    auto& made = parameters.emplace_back();
    made.parameter_key = std::move(name);
    if (definition.contains("Default")) made.default_value = scalar(definition, "Default");
    made.no_echo = scalar(definition, "NoEcho") == "true";
    if (definition.contains("Description")) made.description = scalar(definition, "Description");
  });
  out.description = scalar(document.root.as_object(), "Description");
  Needed needed = needed_capabilities(document);
  auto transforms = transforms_of(document);
  if (!transforms.empty()) needed.capabilities.push_back("CAPABILITY_AUTO_EXPAND");
  if (!needed.capabilities.empty()) {
    out.capabilities = needed.capabilities;
    out.capabilities_reason = needed.types.empty() ? fmt::format("The following transform(s) require capabilities: [{}]", fmt::join(transforms, ", ")) : reason_of(needed);
  }
  if (!transforms.empty()) out.declared_transforms = std::move(transforms);
  co_return out;
}

}  // namespace parvis::cloudformation
