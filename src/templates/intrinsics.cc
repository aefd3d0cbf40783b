#include "templates/intrinsics.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/hash.h"
#include "templates/references.h"
#include "templates/resolution.h"
#include "templates/structure_check.h"

namespace parvis::templates {

namespace {

// Collects which resources a value needs, and which names do not exist.
class Needs {
 public:
  Needs(const Document& document, const Evaluator& evaluator, const json::object& resources, std::vector<Diagnostic>& errors)
      : document_(document), evaluator_(evaluator), resources_(resources), errors_(errors) {}

  std::set<std::string> of(const std::string& id, const json::object& resource) {
    found_.clear();
    id_ = id;
    const std::string at = child("/Resources", id);
    if (const json::value* properties = resource.if_contains("Properties")) walk(*properties, at + "/Properties", {});
    if (const json::value* depends = resource.if_contains("DependsOn")) depends_on(*depends, at + "/DependsOn");
    return found_;
  }
  void of_output(const std::string& name, const json::object& output) {
    what_ = "output";
    id_ = name;
    const std::string at = child("/Outputs", name);
    if (const json::value* value = output.if_contains("Value")) walk(*value, at + "/Value", {});
    if (const json::value* exported = output.if_contains("Export")) walk(*exported, at + "/Export", {});
  }

 private:
  void depends_on(const json::value& value, const std::string& at) {
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.as_array().size(); ++i) depends_on(value.as_array()[i], child(at, i));
      return;
    }
    const std::string name = scalar_text(value);
    if (!resources_.contains(name)) errors_.push_back(document_.error(at, fmt::format("resource {}: DependsOn names '{}', which does not exist", id_, name), "name a resource of this template"));
    else if (exists(name)) found_.insert(name);
  }
  bool exists(std::string_view name) const {
    const json::value& resource = resources_.at(name);
    return resource.is_object() && evaluator_.holds(resource.as_object());
  }
  void name(std::string_view what, const std::string& at, bool parameters_too) {
    const std::string text(what);
    if (text.starts_with("AWS::") || (parameters_too && evaluator_.parameters().contains(text))) return;
    if (!resources_.contains(text)) {
      errors_.push_back(document_.error(at, fmt::format("{} {}: '{}' is neither a resource nor a parameter of this template", what_, id_, text), "check its spelling"));
    } else {
      if (!exists(text)) errors_.push_back(document_.error(at, fmt::format("{} {}: '{}' is needed, but its Condition does not hold", what_, id_, text), "give both the same Condition"));
      found_.insert(text);
    }
  }
  void sub(const json::value& argument, const std::string& at) {
    std::set<std::string, std::less<>> own;
    const json::value* text = &argument;
    if (argument.is_array() && argument.as_array().size() == 2) {
      text = &argument.as_array()[0];
      if (argument.as_array()[1].is_object()) {
        for (const auto& [key, value] : argument.as_array()[1].as_object()) own.insert(std::string(key));
        walk(argument.as_array()[1], child(at, 1), {});
      }
    }
    if (!text->is_string()) return;
    for (const std::string& variable : sub_variables(text->as_string())) {
      if (own.contains(variable)) continue;
      const auto dot = variable.find('.');
      name(variable.substr(0, dot), at, dot == std::string::npos);
    }
  }
  void walk(const json::value& value, const std::string& at, std::string_view) {
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.as_array().size(); ++i) walk(value.as_array()[i], child(at, i), {});
      return;
    }
    if (!value.is_object()) return;
    const json::object& object = value.as_object();
    if (object.size() == 1) {
      const std::string_view key = object.begin()->key();
      const json::value& argument = object.begin()->value();
      const std::string inner = child(at, key);
      if (key == "Ref" && argument.is_string()) return name(argument.as_string(), inner, true);
      if (key == "Fn::GetAtt") {
        const std::string first = argument.is_array() && !argument.as_array().empty() ? scalar_text(argument.as_array()[0]) : scalar_text(argument);
        return name(first.substr(0, argument.is_array() ? std::string::npos : first.find('.')), inner, false);
      }
      if (key == "Fn::Sub") return sub(argument, inner);
      if (key == "Fn::If" && argument.is_array() && argument.as_array().size() == 3) {
        const auto holds = evaluator_.condition(scalar_text(argument.as_array()[0]));
        const std::size_t branch = holds && *holds ? 1 : 2;
        return walk(argument.as_array()[branch], child(inner, branch), {});
      }
    }
    for (const auto& [key, item] : object) walk(item, child(at, std::string_view(key)), key);
  }

  const Document& document_;
  const Evaluator& evaluator_;
  const json::object& resources_;
  std::vector<Diagnostic>& errors_;
  std::set<std::string> found_;
  std::string_view what_ = "resource";
  std::string id_;
};

enum class Mark { kNew, kOpen, kDone };
// Depth first, in template order; returns the cycle it meets.
std::vector<std::string> visit(const std::string& id, const std::map<std::string, std::set<std::string>>& needs, std::map<std::string, Mark>& marks,
                               std::vector<std::string>& path, std::vector<std::string>& order) {
  marks[id] = Mark::kOpen;
  path.push_back(id);
  for (const std::string& next : needs.at(id)) {
    if (marks[next] == Mark::kDone) continue;
    if (marks[next] == Mark::kOpen) {
      std::vector<std::string> cycle(std::find(path.begin(), path.end(), next), path.end());
      cycle.push_back(next);
      return cycle;
    }
    if (auto cycle = visit(next, needs, marks, path, order); !cycle.empty()) return cycle;
  }
  path.pop_back();
  marks[id] = Mark::kDone;
  order.push_back(id);
  return {};
}

}  // namespace

std::string Evaluator::masked(std::string text) const {
  const auto hide = [&text](const std::string& secret) {
    if (secret.size() < 3) return;  // too short to be one, and half of every text would go
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 4)) text.replace(at, secret.size(), "****");
  };
  for (const std::string& name : no_echo_) {
    const json::value& value = parameters_.at(name);
    if (value.is_array()) for (const auto& item : value.as_array()) hide(scalar_text(item));
    else hide(scalar_text(value));
  }
  return text;
}

std::expected<Evaluator, std::vector<Diagnostic>> Evaluator::make(const Document& document, Environment environment, const std::map<std::string, json::value>& parameters) {
  Evaluator out;
  out.document_ = &document;
  out.environment_ = std::move(environment);
  std::vector<Diagnostic> errors;
  if (!document.root.is_object()) return std::unexpected(std::vector{document.error("", "the template is not a mapping")});
  const json::object& root = document.root.as_object();
  out.extensions_ = uses_language_extensions(root);
  for (std::string_view section : {"Parameters", "Mappings", "Conditions", "Outputs", "Rules"}) {
    if (const json::value* value = root.if_contains(section); value != nullptr && !value->is_object()) {
      errors.push_back(document.error(child("", section), fmt::format("'{}' is not a mapping", section), "check the indentation"));
    }
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  if (const json::value* declared = root.if_contains("Parameters")) {
    if (declared->as_object().size() > kParametersMax) errors.push_back(document.error("/Parameters", fmt::format("more than {} parameters", kParametersMax), "use fewer"));
    for (const auto& [name, definition] : declared->as_object()) {
      auto given = parameters.find(std::string(name));
      auto value = check_parameter(document, std::string(name), definition, given == parameters.end() ? nullptr : &given->second);
      if (!value) { errors.push_back(value.error()); continue; }
      if (const std::string type = scalar_text(definition.as_object().at("Type")); !ssm_value_type(type).empty()) {
        // What was given is the name; a template that is only looked at goes on with it.
        const std::string given_name = scalar_text(*value);
        out.ssm_names_[std::string(name)] = given_name;
        const auto fetched = out.environment_.fetched.find(std::string(name));
        value = fetched_parameter(fetched == out.environment_.fetched.end() ? given_name : fetched->second, ssm_value_type(type));
      }
      out.parameters_[name] = std::move(*value);
      const json::value* hidden = definition.as_object().if_contains("NoEcho");
      if (hidden != nullptr && scalar_text(*hidden) == "true") out.no_echo_.insert(std::string(name));
    }
  }
  for (const auto& [name, value] : parameters) {
    const json::value* declared = root.if_contains("Parameters");
    if (declared == nullptr || !declared->as_object().contains(name)) {
      errors.push_back(document.error("/Parameters", fmt::format("a value is given for the parameter '{}', which the template does not declare", name), "remove the value or declare it"));
    }
  }
  if (const json::value* mappings = root.if_contains("Mappings")) out.mappings_ = mappings->as_object();
  if (!errors.empty()) return std::unexpected(std::move(errors));
  if (const json::value* conditions = root.if_contains("Conditions")) {
    for (const auto& [name, definition] : conditions->as_object()) {
      try {
        static const Lookups kNone;
        Resolution(out, kNone, true).condition(std::string(name), "/Conditions");
      } catch (const Resolution::Failed& failed) {
        errors.push_back(failed.diagnostic);
      } catch (const Resolution::Unknown&) {
        out.conditions_[std::string(name)] = false;  // it hangs on a value that is not there yet: one of the two is taken
      }
    }
  }
  if (errors.empty()) errors = out.broken_rules();
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return out;
}

// Source: CloudFormation User Guide, "Rules section structure". How CloudFormation words a broken rule is not compared.
std::vector<Diagnostic> Evaluator::broken_rules() const {
  static const Lookups kNone;
  std::vector<Diagnostic> errors;
  const json::value* rules = document_->root.as_object().if_contains("Rules");
  if (rules == nullptr || !rules->is_object()) return errors;
  for (const auto& [name, value] : rules->as_object()) {
    const std::string at = child("/Rules", std::string_view(name));
    const json::value* asserted = value.is_object() ? value.as_object().if_contains("Assertions") : nullptr;
    if (asserted == nullptr || !asserted->is_array()) {
      errors.push_back(document_->error(at, fmt::format("rule {} has no list Assertions", std::string_view(name)), "add it"));
      continue;
    }
    const json::object& rule = value.as_object();
    try {
      Resolution resolution(*this, kNone, true);
      if (const json::value* when = rule.if_contains("RuleCondition"); when != nullptr && !resolution.test(*when, at + "/RuleCondition")) continue;
      const json::array& assertions = asserted->as_array();
      for (std::size_t i = 0; i < assertions.size(); ++i) {
        const std::string place = child(at + "/Assertions", i);
        if (!assertions[i].is_object() || !assertions[i].as_object().contains("Assert")) {
          errors.push_back(document_->error(place, fmt::format("rule {}: an assertion has no Assert", std::string_view(name)), "add it"));
          continue;
        }
        const json::object& assertion = assertions[i].as_object();
        if (resolution.test(assertion.at("Assert"), place + "/Assert")) continue;
        const json::value* described = assertion.if_contains("AssertDescription");
        errors.push_back(document_->error(place, fmt::format("rule {} does not hold: {}", std::string_view(name), described != nullptr ? scalar_text(*described) : "its assertion is false"), "give other parameters"));
      }
    } catch (const Resolution::Failed& failed) {
      errors.push_back(failed.diagnostic);
    } catch (const Resolution::Unknown&) {
      continue;  // checked when the values are there
    }
  }
  return errors;
}

std::expected<bool, Diagnostic> Evaluator::condition(const std::string& name) const {
  static const Lookups kNone;
  if (auto it = conditions_.find(name); it != conditions_.end()) return it->second;
  Resolution resolution(*this, kNone);
  try {
    return resolution.condition(name, "/Conditions");
  } catch (const Resolution::Failed& failed) {
    return std::unexpected(failed.diagnostic);
  }
}

bool Evaluator::holds(const json::object& element) const {
  const json::value* name = element.if_contains("Condition");
  if (name == nullptr || !name->is_string()) return true;
  return condition(std::string(name->as_string())).value_or(false);
}

std::expected<json::value, Diagnostic> Evaluator::resolve(const json::value& value, const std::string& pointer, const Lookups& lookups) const {
  Resolution resolution(*this, lookups);
  try {
    auto out = resolution.value(value, pointer);
    return out.value_or(json::value());
  } catch (const Resolution::Failed& failed) {
    return std::unexpected(failed.diagnostic);
  }
}

std::vector<Diagnostic> Evaluator::unknown_conditions() const {
  std::vector<Diagnostic> errors;
  for (const auto& [section, what] : {std::pair<std::string_view, std::string_view>{"Resources", "resource"}, {"Outputs", "output"}}) {
    const json::value* elements = document_->root.as_object().if_contains(section);
    if (elements == nullptr || !elements->is_object()) continue;
    for (const auto& [id, element] : elements->as_object()) {
      const json::value* name = element.is_object() ? element.as_object().if_contains("Condition") : nullptr;
      if (name == nullptr) continue;
      if (auto known = condition(scalar_text(*name)); !known)
        errors.push_back(document_->error(child(child(child("", section), std::string_view(id)), "Condition"), fmt::format("{} {}: {}", what, std::string_view(id), known.error().what), known.error().hint));
    }
  }
  return errors;
}

std::expected<Evaluator::Graph, std::vector<Diagnostic>> Evaluator::graph() const {
  std::vector<Diagnostic> errors;
  const json::value* section = document_->root.as_object().if_contains("Resources");
  if (section == nullptr || !section->is_object() || section->as_object().empty()) {
    return std::unexpected(std::vector{document_->error("/Resources", "the template has no resources", "add a Resources section")});
  }
  const json::object& resources = section->as_object();
  if (resources.size() > kResourcesMax) return std::unexpected(std::vector{document_->error("/Resources", fmt::format("the template has {} resources, the limit is {}", resources.size(), kResourcesMax), "split the stack")});
  if (auto unknown = unknown_conditions(); !unknown.empty()) return std::unexpected(std::move(unknown));  // what follows from them is no news
  Graph out;
  Needs needs(*document_, *this, resources, errors);
  std::vector<std::string> ids;
  for (const auto& [key, resource] : resources) {
    const std::string id(key);
    const std::string at = child("/Resources", id);
    if (!std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c); })) errors.push_back(document_->error(at, fmt::format("the logical id '{}' is not alphanumeric", id), "use letters and digits"));
    if (!resource.is_object() || !resource.as_object().contains("Type") || !resource.as_object().at("Type").is_string()) {
      errors.push_back(document_->error(at, fmt::format("resource {} has no Type", id), "add Type"));
      continue;
    }
    if (!holds(resource.as_object())) continue;
    out.needs[id] = needs.of(id, resource.as_object());
    ids.push_back(id);
  }
  if (const json::value* outputs = document_->root.as_object().if_contains("Outputs"); outputs != nullptr) {
    for (const auto& [name, output] : outputs->as_object())
      if (output.is_object() && holds(output.as_object())) needs.of_output(std::string(name), output.as_object());
  }
  for (auto& [id, list] : out.needs) std::erase_if(list, [&](const auto& name) { return !out.needs.contains(name); });
  std::map<std::string, Mark> marks;
  for (const std::string& id : ids) {
    if (marks[id] != Mark::kNew) continue;
    std::vector<std::string> path;
    const auto cycle = visit(id, out.needs, marks, path, out.order);
    if (cycle.empty()) continue;
    std::string shown;
    for (const std::string& step : cycle) shown += (shown.empty() ? "" : " -> ") + step;
    errors.push_back(document_->error(child("/Resources", cycle.front()), fmt::format("resources need each other in a circle: {}", shown), "break it, for example with a separate policy or permission"));
    break;
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return out;
}

}  // namespace parvis::templates
