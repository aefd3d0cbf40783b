#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <re2/re2.h>

#include "templates/references.h"
#include "templates/resolution.h"

namespace parvis::templates {

namespace {

json::array split_list(const std::string& text) {
  json::array out;
  std::size_t begin = 0;
  for (;;) {
    const auto end = text.find(',', begin);
    std::string item = text.substr(begin, end == std::string::npos ? std::string::npos : end - begin);
    item.erase(0, item.find_first_not_of(" \t"));
    item.erase(item.find_last_not_of(" \t") == std::string::npos ? 0 : item.find_last_not_of(" \t") + 1);
    out.push_back(json::string(item));
    if (end == std::string::npos) return out;
    begin = end + 1;
  }
}

bool is_number(const std::string& text) {
  static const re2::RE2 kNumber("[+-]?[0-9]+(\\.[0-9]+)?");
  return text.size() <= 64 && re2::RE2::FullMatch(text, kNumber);
}

}  // namespace

json::value fetched_parameter(const std::string& text, std::string_view inner_type) {
  if (inner_type == "CommaDelimitedList" || inner_type.starts_with("List<")) return split_list(text);
  return json::string(text);
}

std::expected<json::value, Diagnostic> check_parameter(const Document& document, const std::string& name, const json::value& definition, const json::value* given) {
  const std::string at = child("/Parameters", name);
  const auto refuse = [&](std::string_view member, std::string what, std::string hint) {
    return std::unexpected(document.error(member.empty() ? at : child(at, member), fmt::format("parameter {}: {}", name, what), std::move(hint)));
  };
  if (!definition.is_object()) return refuse("", "is not a mapping", "write Type under it");
  const json::object& rules = definition.as_object();
  const auto rule = [&](std::string_view member) -> std::string {
    const json::value* value = rules.if_contains(member);
    return value != nullptr ? scalar_text(*value) : "";
  };
  static const std::vector<std::string_view> kMembers = {"Type", "Default", "Description", "AllowedValues", "AllowedPattern", "ConstraintDescription", "MinLength", "MaxLength", "MinValue", "MaxValue", "NoEcho"};
  for (const auto& [key, value] : rules) {
    if (std::find(kMembers.begin(), kMembers.end(), std::string_view(key)) == kMembers.end()) return refuse(key, fmt::format("'{}' is not known", std::string_view(key)), "check its spelling");
  }
  const std::string type = rule("Type");
  if (type.empty()) return refuse("", "has no Type", "for example Type: String");
  const bool from_store = is_ssm_type(type);
  if (type.starts_with("AWS::SSM::") && (!from_store || (type != "AWS::SSM::Parameter::Name" && ssm_value_type(type).empty())))
    return refuse("Type", fmt::format("the type '{}' does not exist", type), "for example AWS::SSM::Parameter::Value<String>");
  const bool hidden = rule("NoEcho") == "true";
  const bool is_list = !from_store && (type == "CommaDelimitedList" || type.starts_with("List<"));
  const bool numbers = type == "Number" || type == "List<Number>";
  if (!is_list && type != "String" && type != "Number" && !type.starts_with("AWS::")) return refuse("Type", fmt::format("the type '{}' does not exist", type), "use String, Number, CommaDelimitedList or List<Number>");
  if (const json::value* allowed = rules.if_contains("AllowedValues"); allowed != nullptr && !allowed->is_array()) return refuse("AllowedValues", "AllowedValues is not a list", "write it as a list");
  for (std::string_view member : {"MinLength", "MaxLength", "MinValue", "MaxValue"}) {
    if (!rules.contains(member)) continue;
    if (!is_number(rule(member))) return refuse(member, fmt::format("{} is not a number", member), "write a number");
    if (numbers != member.ends_with("Value")) return refuse(member, fmt::format("{} does not go with the type {}", member, type), numbers ? "use MinValue and MaxValue" : "use MinLength and MaxLength");
  }
  const json::value* source = given != nullptr ? given : rules.if_contains("Default");
  if (source == nullptr || source->is_null()) return refuse("", "has no value and no Default", fmt::format("give one: --parameter {}=value", name));
  std::string text;
  if (source->is_array()) {
    for (const auto& item : source->as_array()) text += (text.empty() ? "" : ",") + scalar_text(item);
  } else if (source->is_object()) {
    return refuse("Default", "its value is a mapping", "write text or a number");
  } else {
    text = scalar_text(*source);
  }
  if (text.size() > 4096) return refuse("", "its value is longer than 4096 bytes", "make it shorter");
  const json::array items = is_list ? split_list(text) : json::array{json::string(text)};
  const std::string why = rule("ConstraintDescription");
  for (const auto& item : items) {
    const std::string one(item.as_string()), shown = hidden ? "****" : one;
    if (numbers && !is_number(one)) return refuse("", fmt::format("'{}' is not a number", shown), why);
    if (const json::value* allowed = rules.if_contains("AllowedValues"); allowed != nullptr && allowed->is_array()) {
      const bool found = std::any_of(allowed->as_array().begin(), allowed->as_array().end(), [&](const json::value& value) { return scalar_text(value) == one; });
      if (!found) return refuse("AllowedValues", fmt::format("'{}' is not an allowed value", shown), why);
    }
    if (const std::string pattern = rule("AllowedPattern"); !pattern.empty()) {
      // RE2 cannot be made to backtrack; what it does not read (look-around) is refused.
      const re2::RE2 expression(pattern, re2::RE2::Quiet);
      if (!expression.ok()) return refuse("AllowedPattern", fmt::format("the pattern is not a valid regular expression: {}", expression.error()), "correct it");
      if (!re2::RE2::FullMatch(one, expression)) return refuse("AllowedPattern", fmt::format("'{}' does not match the pattern {}", shown, pattern), why);
    }
    if (!rule("MinLength").empty() && one.size() < std::strtoull(rule("MinLength").c_str(), nullptr, 10)) return refuse("MinLength", "the value is too short", why);
    if (!rule("MaxLength").empty() && one.size() > std::strtoull(rule("MaxLength").c_str(), nullptr, 10)) return refuse("MaxLength", "the value is too long", why);
    if (numbers && !rule("MinValue").empty() && std::strtod(one.c_str(), nullptr) < std::strtod(rule("MinValue").c_str(), nullptr)) return refuse("MinValue", "the value is too small", why);
    if (numbers && !rule("MaxValue").empty() && std::strtod(one.c_str(), nullptr) > std::strtod(rule("MaxValue").c_str(), nullptr)) return refuse("MaxValue", "the value is too large", why);
  }
  if (is_list) return json::value(items);
  return json::value(json::string(text));
}

}  // namespace parvis::templates
