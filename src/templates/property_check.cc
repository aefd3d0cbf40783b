#include "templates/property_check.h"

#include <set>

#include <fmt/format.h>

#include "templates/references.h"
#include "templates/structure_check.h"

namespace parvis::templates {

namespace {

using aws::PropertyRule;

const PropertyRule* find_rule(const aws::ResourceType& type, std::string_view path) {
  for (const PropertyRule& rule : type.rules()) {
    if (rule.path == path) return &rule;
  }
  return nullptr;
}
// Whether the members below `path` are listed one by one; otherwise the value is taken as it is.
bool has_members(const aws::ResourceType& type, std::string_view path) {
  for (const PropertyRule& rule : type.rules()) {
    if (rule.path.size() > path.size() && rule.path.starts_with(path) && rule.path[path.size()] == '.') return true;
  }
  return false;
}
bool is_call(const json::value& value) {
  if (!value.is_object() || value.as_object().size() != 1) return false;
  const std::string_view key = value.as_object().begin()->key();
  return key == "Ref" || key.starts_with("Fn::");
}

class Checker {
 public:
  Checker(const Document& document, const std::string& id, const aws::ResourceType& type, std::vector<Diagnostic>& errors, std::vector<Diagnostic>& warnings)
      : document_(document), id_(id), type_(type), errors_(errors), warnings_(warnings) {}

  void members(const json::value& value, const std::string& path, const std::string& at, bool warned) {
    shape(value, path, at);
    if (is_call(value)) {
      const auto& [key, argument] = *value.as_object().begin();
      if (key == "Fn::If" && argument.is_array() && argument.as_array().size() == 3) {
        for (std::size_t i = 1; i < 3; ++i) members(argument.as_array()[i], path, child(child(at, std::string_view(key)), i), warned);
      }
      return;
    }
    if (value.is_array()) {
      if (!has_members(type_, path + "[]")) return;
      for (std::size_t i = 0; i < value.as_array().size(); ++i) members(value.as_array()[i], path + "[]", child(at, i), warned);
      return;
    }
    if (!value.is_object() || (!path.empty() && !has_members(type_, path))) return;
    for (const auto& [key, item] : value.as_object()) property(key, item, path, child(at, std::string_view(key)), warned);
  }

 private:
  void property(std::string_view name, const json::value& value, const std::string& parent, const std::string& at, bool warned) {
    const std::string path = parent.empty() ? std::string(name) : fmt::format("{}.{}", parent, name);
    const PropertyRule* rule = find_rule(type_, path);
    if (rule == nullptr && (has_members(type_, path) || has_members(type_, path + "[]"))) {
      members(value, path, at, warned);  // the rules name only what is below it
      return;
    }
    if (rule == nullptr && type_.any_property()) return;
    if (rule == nullptr) {
      errors_.push_back(document_.error(at, fmt::format("resource {}: the property {} of {} is not supported", id_, path, type_.name()), "remove it or check its spelling"));
      return;
    }
    const auto note = [&](std::string_view what) { return fmt::format("resource {}: the property {} {}{}{}", id_, path, what, rule->note.empty() ? "" : ": ", rule->note); };
    if (rule->handling == PropertyRule::Handling::kRefused) {
      errors_.push_back(document_.error(at, note("is refused"), "remove it"));
      return;
    }
    if (rule->handling == PropertyRule::Handling::kWarned && !warned) {
      warnings_.push_back(document_.warning(at, note("has no effect"), "remove it, or keep it for AWS"));
      warned = true;
    }
    members(value, path, at, warned);
  }

  // The rules below a property tell whether it is a list or a mapping; what is neither would be left out by its type.
  void shape(const json::value& value, const std::string& path, const std::string& at) {
    if (path.empty() || path.ends_with("[]") || value.is_null() || is_call(value)) return;
    const bool list = has_members(type_, path + "[]"), mapping = has_members(type_, path);
    if (list && !mapping && !value.is_array()) errors_.push_back(document_.error(at, fmt::format("resource {}: the property {} is not a list", id_, path), "write it as a list"));
    if (mapping && !list && !value.is_object()) errors_.push_back(document_.error(at, fmt::format("resource {}: the property {} is not a mapping", id_, path), "write its members under it"));
  }

  const Document& document_;
  const std::string& id_;
  const aws::ResourceType& type_;
  std::vector<Diagnostic>& errors_;
  std::vector<Diagnostic>& warnings_;
};

void check_attributes(const Document& document, const std::string& id, const json::object& resource, std::vector<Diagnostic>& errors,
                      std::vector<Diagnostic>& warnings) {
  for (const auto& [key, value] : resource) {
    const std::string at = child(child("/Resources", id), std::string_view(key));
    if (key == "CreationPolicy" || key == "UpdatePolicy") {
      warnings.push_back(document.warning(at, fmt::format("resource {}: the attribute {} has no effect", id, std::string_view(key)), "remove it, or keep it for AWS"));
    } else if (!known_attribute(key)) {
      errors.push_back(document.error(at, fmt::format("resource {}: the attribute {} is not known", id, std::string_view(key)), "check its spelling"));
    }
  }
}

void append(std::vector<Diagnostic>& all, std::vector<Diagnostic> more) { all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end())); }

void probe_outputs(const Document& document, const Evaluator& evaluator, std::vector<Diagnostic>& errors) {
  const json::value* outputs = document.root.as_object().if_contains("Outputs");
  if (outputs == nullptr || !outputs->is_object()) return;
  for (const auto& [name, output] : outputs->as_object()) {
    if (!output.is_object() || !evaluator.holds(output.as_object())) continue;
    for (std::string_view part : {"Value", "Export"}) {
      const json::value* given = output.as_object().if_contains(part);
      if (given != nullptr) append(errors, evaluator.probe(*given, child(child("/Outputs", std::string_view(name)), part)));
    }
  }
}

bool replaces(const aws::ResourceType& type, const std::string& path, const json::value* old, const json::value* now) {
  if (old != nullptr && now != nullptr && *old == *now) return false;
  const auto itself = [&] {
    const PropertyRule* rule = find_rule(type, path);
    return rule != nullptr && rule->change == PropertyRule::Change::kReplaces;
  };
  if (itself()) return true;
  if (old == nullptr || now == nullptr) return false;
  if (old->is_object() && now->is_object() && has_members(type, path)) {
    std::set<std::string> keys;
    for (const auto& [key, value] : old->as_object()) keys.emplace(key);
    for (const auto& [key, value] : now->as_object()) keys.emplace(key);
    for (const std::string& key : keys) {
      if (replaces(type, fmt::format("{}.{}", path, key), old->as_object().if_contains(key), now->as_object().if_contains(key))) return true;
    }
  }
  if (old->is_array() && now->is_array() && has_members(type, path + "[]") && old->as_array().size() == now->as_array().size()) {
    for (std::size_t i = 0; i < old->as_array().size(); ++i) {
      const json::value &a = old->as_array()[i], &b = now->as_array()[i];
      if (!a.is_object() || !b.is_object()) continue;
      for (const auto& [key, value] : b.as_object()) {
        if (replaces(type, fmt::format("{}[].{}", path, std::string_view(key)), a.as_object().if_contains(key), &value)) return true;
      }
    }
  }
  return false;
}

}  // namespace

void check_rules(const Document& document, const std::string& logical_id, const aws::ResourceType& type, const json::value& properties,
                 std::vector<Diagnostic>& errors, std::vector<Diagnostic>& warnings) {
  const std::string at = child("/Resources", logical_id) + "/Properties";
  Checker(document, logical_id, type, errors, warnings).members(properties, "", at, false);
  for (std::string_view name : type.required()) {
    if (properties.is_object() && properties.as_object().contains(name)) continue;
    errors.push_back(document.error(at, fmt::format("resource {}: the property {} of {} is required", logical_id, name, type.name()), "add it"));
  }
}

std::vector<Diagnostic> check_resources(const aws::ResourceTypes& types, const Document& document, const Evaluator& evaluator,
                                        std::vector<Diagnostic>& warnings) {
  const json::value* resources = document.root.as_object().if_contains("Resources");
  if (resources == nullptr || !resources->is_object()) return {document.error("/Resources", "the template has no resources", "add a Resources section")};
  std::vector<Diagnostic> errors = refused_references(document);
  static const json::value kEmpty = json::object();
  for (const auto& [key, resource] : resources->as_object()) {
    const std::string id(key);
    const std::string at = child("/Resources", id);
    if (!resource.is_object() || !evaluator.holds(resource.as_object())) continue;
    check_attributes(document, id, resource.as_object(), errors, warnings);
    const json::value* named = resource.as_object().if_contains("Type");
    const std::string type_name = named != nullptr ? scalar_text(*named) : std::string();
    const aws::ResourceType* type = types.find(type_name);
    if (type == nullptr) {
      errors.push_back(document.error(at + "/Type", fmt::format("resource {}: the type {} is not supported", id, type_name), "see the list of resource types in docs/compatibility.md"));
      continue;
    }
    const json::value* properties = resource.as_object().if_contains("Properties");
    check_rules(document, id, *type, properties != nullptr && !properties->is_null() ? *properties : kEmpty, errors, warnings);
    if (properties != nullptr) append(errors, evaluator.probe(*properties, at + "/Properties"));
    for (std::string_view policy : {"DeletionPolicy", "UpdateReplacePolicy"})
      if (const json::value* given = resource.as_object().if_contains(policy)) append(errors, evaluator.probe(*given, child(at, policy)));
  }
  probe_outputs(document, evaluator, errors);
  return errors;
}

bool needs_replacement(const aws::ResourceType& type, const json::object& old, const json::object& now) {
  std::set<std::string> keys;
  for (const auto& [key, value] : old) keys.emplace(key);
  for (const auto& [key, value] : now) keys.emplace(key);
  for (const std::string& key : keys) {
    if (replaces(type, key, old.if_contains(key), now.if_contains(key))) return true;
  }
  return false;
}

}  // namespace parvis::templates
