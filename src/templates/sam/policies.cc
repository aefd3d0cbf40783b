// Policies of functions by name: SAM's policy templates and AWS managed policies.
#include <fmt/format.h>

#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {

const json::object& policy_templates() {
  static const json::object kTemplates = [] {
    std::string text =
#include "templates/sam/policy_templates.inc"
        ;
    return json::parse(text).as_object();
  }();
  return kTemplates;
}

const std::map<std::string, std::string, std::less<>>& managed_policies() {  // name -> path and name
  static const auto kPolicies = [] {
    std::map<std::string, std::string, std::less<>> out;
    std::string_view text =
#include "templates/sam/managed_policies.inc"
        ;
    while (!text.empty()) {
      const auto end = text.find('\n');
      const std::string_view path = text.substr(0, end);
      const auto slash = path.rfind('/');
      out.emplace(slash == std::string_view::npos ? path : path.substr(slash + 1), path);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
  }();
  return kPolicies;
}

json::value substitute(const json::value& value, const json::object& parameters) {
  if (value.is_array()) {
    json::array out;
    for (const auto& item : value.as_array()) out.push_back(substitute(item, parameters));
    return out;
  }
  if (!value.is_object()) return value;
  const json::object& object = value.as_object();
  if (const json::value* name = object.if_contains("Ref"); name != nullptr && object.size() == 1 && name->is_string()) {
    if (const json::value* found = parameters.if_contains(name->as_string())) return *found;
  }
  json::object out;
  for (const auto& [key, item] : object) out.emplace(key, substitute(item, parameters));
  return out;
}

}  // namespace

bool is_policy_template(const json::value& policy) {
  return policy.is_object() && policy.as_object().size() == 1 && policy_templates().contains(policy.as_object().begin()->key());
}

json::value expand_policy_template(const Context& context, const json::value& policy, std::string_view pointer) {
  const auto& [name, parameters] = *policy.as_object().begin();
  const json::object& found = policy_templates().at(name).as_object();
  if (!parameters.is_object()) {
    context.fail(pointer, fmt::format("resource {}: policy template '{}' has no parameters", context.current, std::string_view(name)), "write a mapping, {} when it takes none");
  }
  json::object given;
  for (const auto& parameter : found.at("Parameters").as_array()) {
    const json::value* value = parameters.as_object().if_contains(parameter.as_string());
    if (value == nullptr) {
      context.fail(pointer, fmt::format("resource {}: policy template '{}' needs the parameter '{}'", context.current, std::string_view(name), std::string_view(parameter.as_string())),
                   "add it");
    }
    given.emplace(parameter.as_string(), *value);
  }
  return substitute(found.at("Definition"), given);
}

std::string managed_policy_arn(const Context& context, std::string_view name) {
  auto it = managed_policies().find(name);
  if (it == managed_policies().end()) return std::string(name);
  return fmt::format("arn:{}:iam::aws:policy/{}", context.partition(), it->second);
}

}  // namespace parvis::templates::sam
