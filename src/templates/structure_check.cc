#include "templates/structure_check.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace parvis::templates {

namespace {

using Names = std::set<std::string_view>;

const Names kFunctions = {"Fn::Base64", "Fn::Cidr", "Fn::FindInMap", "Fn::GetAtt", "Fn::GetAZs", "Fn::If", "Fn::ImportValue", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"};
const Names kExtensions = {"Fn::Length", "Fn::ToJsonString"};
const Names kOfConditions = {"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or"};
const Names kOfRules = {"Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"};
// They ask for attributes of parameters of the types AWS::EC2::….
const Names kRefusedOfRules = {"Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"};

constexpr std::string_view kLoop = "Fn::ForEach";  // in a template that is validated as it was written

enum class Place { kValue, kCondition, kRule };

bool letters_and_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
}

class StructureCheck {
 public:
  explicit StructureCheck(const Document& document) : document_(document) {}

  std::vector<Diagnostic> run() {
    if (!document_.root.is_object()) return {};  // said by others
    const json::object& root = document_.root.as_object();
    extensions_ = uses_language_extensions(root);
    sections(root);
    each("Parameters", [&](std::string_view name, const json::value&, const std::string& at) {
      logical_name("parameter", name, at);
      if (const json::value* resources = root.if_contains("Resources"); resources != nullptr && resources->is_object() && resources->as_object().contains(name))
        fail(at, fmt::format("parameter {}: a resource has the same name", name), "rename one of them");
    });
    each("Mappings", [&](std::string_view name, const json::value& value, const std::string& at) { mapping(name, value, at); });
    each("Conditions", [&](std::string_view name, const json::value& value, const std::string& at) {
      logical_name("condition", name, at);
      walk(value, at, Place::kCondition);
    });
    each("Rules", [&](std::string_view name, const json::value& value, const std::string& at) { rule(name, value, at); });
    each("Resources", [&](std::string_view id, const json::value& value, const std::string& at) { resource(id, value, at); });
    each("Outputs", [&](std::string_view name, const json::value& value, const std::string& at) { output(name, value, at); });
    if (const json::value* globals = root.if_contains("Globals")) walk(*globals, "/Globals", Place::kValue);
    return std::move(errors_);
  }

 private:
  void fail(const std::string& at, std::string what, std::string hint) { errors_.push_back(document_.error(at, std::move(what), std::move(hint))); }

  template <class Visit>
  void each(std::string_view section, Visit visit) {
    const json::value* found = document_.root.as_object().if_contains(section);
    if (found == nullptr || !found->is_object()) return;
    for (const auto& [key, value] : found->as_object())
      if (!key.starts_with(kLoop)) visit(key, value, child(child("", section), std::string_view(key)));
  }

  void sections(const json::object& root) {
    static const Names kKnown = {"AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Mappings", "Metadata", "Outputs", "Parameters", "Resources", "Rules", "Transform"};
    for (const auto& [key, value] : root) {
      const std::string at = child("", std::string_view(key));
      if (key == "Hooks") fail(at, "the section Hooks is not supported: there are no blue/green deployments", "remove it");
      else if (!kKnown.contains(std::string_view(key))) fail(at, fmt::format("Invalid template property or properties [{}]", std::string_view(key)), "check its spelling and indentation");
    }
    if (const json::value* version = root.if_contains("AWSTemplateFormatVersion"); version != nullptr && scalar_text(*version) != "2010-09-09")
      fail("/AWSTemplateFormatVersion", fmt::format("Template format error: unsupported value for AWSTemplateFormatVersion: '{}'", scalar_text(*version)), "write '2010-09-09'");
    if (const json::value* description = root.if_contains("Description"); description != nullptr && !description->is_string())
      fail("/Description", "Template format error: any Description member must be a string.", "write text");
    if (const json::value* transform = root.if_contains("Transform")) transforms(*transform, "/Transform");
  }

  void transforms(const json::value& value, const std::string& at) {
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.as_array().size(); ++i) transforms(value.as_array()[i], child(at, i));
      return;
    }
    const json::value* name = value.is_object() ? value.as_object().if_contains("Name") : &value;
    const std::string text = name != nullptr ? scalar_text(*name) : std::string();
    if (value.is_string() && (text == "AWS::Serverless-2016-10-31" || text == "AWS::LanguageExtensions")) return;
    fail(at, fmt::format("No transform named {} found.", text), "available are AWS::Serverless-2016-10-31 and AWS::LanguageExtensions");
  }

  void logical_name(std::string_view what, std::string_view name, const std::string& at) {
    if (!letters_and_digits(name)) fail(at, fmt::format("{} {}: its name is not alphanumeric", what, name), "use letters and digits");
  }

  void mapping(std::string_view name, const json::value& value, const std::string& at) {
    const auto shape = [&](const std::string& place, std::string_view found) {
      fail(place, fmt::format("mapping {}: {} is not a mapping", name, found), "a mapping has top-level keys, second-level keys and values");
    };
    if (!value.is_object()) return shape(at, "it");
    for (const auto& [top, below] : value.as_object()) {
      const std::string place = child(at, std::string_view(top));
      if (!below.is_object()) { shape(place, std::string_view(top)); continue; }
      for (const auto& [key, item] : below.as_object()) {
        const bool texts = item.is_array() && std::none_of(item.as_array().begin(), item.as_array().end(), [](const json::value& one) { return one.is_object() || one.is_array(); });
        if (item.is_object() || (item.is_array() && !texts)) fail(child(place, std::string_view(key)), fmt::format("mapping {}: {}.{} is neither text nor a list of texts", name, std::string_view(top), std::string_view(key)), "functions and further levels are not possible here");
      }
    }
  }

  void rule(std::string_view name, const json::value& value, const std::string& at) {
    if (!members("rule", name, value, at, {"RuleCondition", "Assertions"})) return;
    const json::object& rule = value.as_object();
    if (const json::value* condition = rule.if_contains("RuleCondition")) walk(*condition, at + "/RuleCondition", Place::kRule);
    const json::value* assertions = rule.if_contains("Assertions");
    if (assertions == nullptr || !assertions->is_array()) return fail(at, fmt::format("rule {} has no list Assertions", name), "add it");
    for (std::size_t i = 0; i < assertions->as_array().size(); ++i) {
      const json::value& assertion = assertions->as_array()[i];
      const std::string place = child(at + "/Assertions", i);
      if (!members("rule", name, assertion, place, {"Assert", "AssertDescription"})) continue;
      if (!assertion.as_object().contains("Assert")) fail(place, fmt::format("rule {}: an assertion has no Assert", name), "add it");
      else walk(assertion.as_object().at("Assert"), place + "/Assert", Place::kRule);
    }
  }

  void output(std::string_view name, const json::value& value, const std::string& at) {
    logical_name("output", name, at);
    if (!members("output", name, value, at, {"Value", "Description", "Export", "Condition"})) return;
    const json::object& output = value.as_object();
    if (const json::value* given = output.if_contains("Value")) {
      if (given->is_array()) fail(at + "/Value", fmt::format("output {}: Value is a list", name), "use Fn::Join");
      walk(*given, at + "/Value", Place::kValue);
    } else fail(at, fmt::format("output {} has no Value", name), "add it");
    if (const json::value* exported = output.if_contains("Export")) {
      if (!members("output", name, *exported, at + "/Export", {"Name"})) return;
      if (const json::value* chosen = exported->as_object().if_contains("Name")) walk(*chosen, at + "/Export/Name", Place::kValue);
      else fail(at + "/Export", fmt::format("output {}: its Export has no Name", name), "add it");
    }
    for (std::string_view text : {"Description", "Condition"})
      if (const json::value* given = output.if_contains(text); given != nullptr && !given->is_string()) fail(child(at, text), fmt::format("output {}: {} is not text", name, text), "write text");
  }

  bool members(std::string_view what, std::string_view name, const json::value& value, const std::string& at, const Names& known) {
    if (!value.is_object()) return fail(at, fmt::format("{} {} is not a mapping", what, name), "check the indentation"), false;
    for (const auto& [key, item] : value.as_object())
      if (!known.contains(std::string_view(key))) fail(child(at, std::string_view(key)), fmt::format("{} {}: '{}' is not known", what, name, std::string_view(key)), "check its spelling");
    return true;
  }

  void resource(std::string_view id, const json::value& value, const std::string& at) {
    if (!value.is_object()) return;  // said by others
    const json::object& resource = value.as_object();
    const json::value* type = resource.if_contains("Type");
    const std::string type_name = type != nullptr ? scalar_text(*type) : std::string();
    if (type_name.empty()) fail(at, fmt::format("resource {} has no Type", id), "add Type");
    // The transform would drop these; those of other types are told with their properties.
    const bool sam_or_none = type_name.empty() || type_name.starts_with("AWS::Serverless::");
    for (const auto& [key, item] : resource) {
      const std::string_view name = key;
      const std::string place = child(at, name);
      if (name == "DeletionPolicy" || name == "UpdateReplacePolicy") policy(id, name, item, type_name, place);
      else if (name == "IgnoreGlobals" && type_name.starts_with("AWS::Serverless::")) continue;
      else if (name == "Condition" && !item.is_string()) fail(place, fmt::format("resource {}: Condition is not the name of a condition", id), "write the name of a condition");
      else if (!known_attribute(name) && sam_or_none) fail(place, fmt::format("resource {}: the attribute {} is not known", id, name), "check its spelling");
    }
    if (const json::value* properties = resource.if_contains("Properties")) {
      if (properties->is_object() || properties->is_null()) walk(*properties, at + "/Properties", Place::kValue);
      else fail(at + "/Properties", fmt::format("resource {}: Properties is not a mapping", id), "check the indentation");
    }
  }

  void policy(std::string_view id, std::string_view name, const json::value& value, const std::string& type, const std::string& at) {
    if (value.is_object() && extensions_) return walk(value, at, Place::kValue);
    const std::string text = value.is_string() ? std::string(value.as_string()) : std::string();
    if (text == "Delete" || text == "Retain" || (text == "RetainExceptOnCreate" && name == "DeletionPolicy")) return;
    // None of the types that can be snapshot is offered here.
    if (text == "Snapshot") return fail(at, fmt::format("Template error: resource type {} does not support {} policy Snapshot", type, name == "DeletionPolicy" ? "deletion" : "update replace"), "use Retain");
    if (value.is_object()) return fail(at, fmt::format("resource {}: a function in {} needs the transform AWS::LanguageExtensions", id, name), "add Transform: AWS::LanguageExtensions");
    fail(at, fmt::format("resource {}: {} has the value '{}'", id, name, scalar_text(value)), name == "DeletionPolicy" ? "use Delete, Retain or RetainExceptOnCreate" : "use Delete or Retain");
  }

  void walk(const json::value& value, const std::string& at, Place place) {
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.as_array().size(); ++i) walk(value.as_array()[i], child(at, i), place);
      return;
    }
    if (!value.is_object()) return;
    const json::object& object = value.as_object();
    for (const auto& [key, item] : object) {
      const std::string inner = child(at, std::string_view(key));
      if (!call(key, inner, place)) continue;
      if (object.size() > 1 && is_call(key)) fail(at, fmt::format("{} stands beside other members", std::string_view(key)), "a function is the only member of its mapping; check the indentation");
      walk(item, inner, place);
    }
  }

  static bool is_call(std::string_view key) { return key == "Ref" || key.starts_with("Fn::"); }

  // False, with an error, for a function that may not stand here.
  bool call(std::string_view key, const std::string& at, Place place) {
    if (key.size() < 4 || (key.substr(0, 4) != "Fn::" && key.substr(0, 4) != "fn::")) return true;
    if (kFunctions.contains(key) || (extensions_ && key.starts_with(kLoop))) return true;
    if (kExtensions.contains(key)) {
      if (!extensions_) fail(at, fmt::format("{} needs the transform AWS::LanguageExtensions", key), "add Transform: AWS::LanguageExtensions");
      return extensions_;
    }
    if (kOfConditions.contains(key)) {
      if (place == Place::kValue) fail(at, fmt::format("{} stands outside Conditions", key), "write it under Conditions and use Fn::If");
      return place != Place::kValue;
    }
    if (kOfRules.contains(key)) {
      if (place != Place::kRule) fail(at, fmt::format("{} stands outside Rules", key), "it works on parameters, under Rules");
      return place == Place::kRule;
    }
    if (key == "Fn::Transform") fail(at, "Fn::Transform is not supported but for AWS::Include with a Location: there are no macros", "put what it makes in its place");
    else if (kRefusedOfRules.contains(key)) fail(at, fmt::format("{} is not supported: there are no parameters of the types AWS::EC2::…", key), "remove it");
    else fail(at, fmt::format("Template error: Encountered unsupported function: {}", key), "check its spelling");
    return false;
  }

  const Document& document_;
  std::vector<Diagnostic> errors_;
  bool extensions_ = false;
};

}  // namespace

bool uses_language_extensions(const json::object& root) {
  const json::value* transform = root.if_contains("Transform");
  if (transform == nullptr) return false;
  const json::value name("AWS::LanguageExtensions");
  if (!transform->is_array()) return *transform == name;
  return std::find(transform->as_array().begin(), transform->as_array().end(), name) != transform->as_array().end();
}

bool known_attribute(std::string_view name) {
  static const Names kAttributes = {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy"};
  return kAttributes.contains(name);
}

std::vector<Diagnostic> check_structure(const Document& document) { return StructureCheck(document).run(); }

}  // namespace parvis::templates
