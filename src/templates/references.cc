#include "templates/references.h"

#include <algorithm>

#include <fmt/format.h>
#include <re2/re2.h>

namespace parvis::templates {
namespace {

constexpr std::string_view kOpen = "{{resolve:", kClose = "}}", kStore = "ssm:", kNamePrefix = "AWS::SSM::Parameter::Value<";

// Calls `each` with what stands between "{{resolve:" and "}}".
template <class Each>
void for_references(std::string_view text, Each each) {
  for (std::size_t at = text.find(kOpen); at != std::string_view::npos; at = text.find(kOpen, at + 1)) {
    const std::size_t end = text.find(kClose, at);
    if (end == std::string_view::npos) return;
    each(text.substr(at + kOpen.size(), end - at - kOpen.size()));
  }
}

void collect(const json::value& value, std::vector<std::string>& out) {
  if (value.is_string()) for_references(value.as_string(), [&](std::string_view reference) { out.emplace_back(reference); });
  if (value.is_array()) for (const auto& item : value.as_array()) collect(item, out);
  if (value.is_object()) for (const auto& [key, item] : value.as_object()) collect(item, out);
}

void replace(json::value& value, const std::map<std::string, std::string>& values) {
  if (value.is_string()) {
    const std::string_view text = value.as_string();
    std::string out;
    std::size_t at = 0;
    for (;;) {
      const std::size_t begin = text.find(kOpen, at), end = begin == std::string_view::npos ? begin : text.find(kClose, begin);
      if (end == std::string_view::npos) break;
      out += text.substr(at, begin - at);
      out += values.at(std::string(text.substr(begin + kOpen.size(), end - begin - kOpen.size())));
      at = end + kClose.size();
    }
    if (at == 0) return;
    out += text.substr(at);
    value = json::string(out);
  } else if (value.is_array()) {
    for (auto& item : value.as_array()) replace(item, values);
  } else if (value.is_object()) {
    for (auto& item : value.as_object()) replace(item.value(), values);
  }
}

std::string refusal(std::string_view reference) {
  if (reference.starts_with("ssm-secure:")) return fmt::format("{{{{resolve:{}}}}}: ssm-secure is supported by no property of the resource types here, as on AWS", reference);
  if (reference.starts_with("secretsmanager:")) return fmt::format("{{{{resolve:{}}}}}: Secrets Manager is not available on this platform yet", reference);
  if (!reference.starts_with(kStore)) return fmt::format("{{{{resolve:{}}}}}: dynamic references to this service do not exist", reference);
  return {};
}

void find_refused(const Document& document, const json::value& value, const std::string& at, std::vector<Diagnostic>& out) {
  if (value.is_string()) {
    for_references(value.as_string(), [&](std::string_view reference) {
      // A reference that Fn::Sub completes later is looked at then.
      if (reference.find("${") > reference.find(':') || reference.find("${") == std::string_view::npos) {
        if (std::string why = refusal(reference); !why.empty()) out.push_back(document.error(at, why, "use {{resolve:ssm:name}} or a parameter"));
      }
    });
  }
  if (value.is_array()) for (std::size_t i = 0; i < value.as_array().size(); ++i) find_refused(document, value.as_array()[i], child(at, i), out);
  if (value.is_object()) for (const auto& [key, item] : value.as_object()) find_refused(document, item, child(at, std::string_view(key)), out);
}

}  // namespace

bool is_ssm_type(std::string_view type) { return type == "AWS::SSM::Parameter::Name" || type.starts_with(kNamePrefix); }

std::string ssm_value_type(std::string_view type) {
  if (!type.starts_with(kNamePrefix) || !type.ends_with('>')) return {};
  const std::string_view inner = type.substr(kNamePrefix.size(), type.size() - kNamePrefix.size() - 1);
  const bool known = inner == "String" || inner == "CommaDelimitedList" || inner == "List<String>" || inner.starts_with("AWS::") || inner.starts_with("List<AWS::");
  return known ? std::string(inner) : std::string();
}

std::vector<Diagnostic> refused_references(const Document& document) {
  std::vector<Diagnostic> out;
  for (std::string_view section : {"Resources", "Outputs"}) {
    const json::value* found = document.root.is_object() ? document.root.as_object().if_contains(section) : nullptr;
    if (found != nullptr) find_refused(document, *found, child("", section), out);
  }
  return out;
}

awaitable<References::Fetched> References::fetch(std::string name) {
  if (const auto known = known_.find(name); known != known_.end()) co_return known->second;
  Fetched out;
  if (api_ == nullptr) out.failure = "Parameter Store is not available here";
  else try {
    const json::value answer = co_await api_->call_json(call_, "ssm", "GetParameter", json::object{{"Name", name}});
    const json::object& parameter = answer.at("Parameter").as_object();
    if (parameter.at("Type").as_string() == "SecureString") out.failure = "Non-secure ssm prefix was used for secure parameter: " + name;
    else out.value = parameter.at("Value").as_string();
  } catch (const aws::ApiError& error) {
    out.failure = fmt::format("Parameters: [ssm:{}] cannot be found. {} ({})", name, error.message(), error.code());
  }
  known_[name] = out;
  co_return out;
}

awaitable<std::expected<std::map<std::string, std::string>, std::vector<Diagnostic>>> References::parameters(const Document& document, std::map<std::string, json::value> given) {
  std::map<std::string, std::string> out;
  std::vector<Diagnostic> errors;
  const json::value* section = document.root.is_object() ? document.root.as_object().if_contains("Parameters") : nullptr;
  if (section == nullptr || !section->is_object()) co_return out;
  for (const auto& [key, definition] : section->as_object()) {
    if (!definition.is_object()) continue;
    const json::value* type = definition.as_object().if_contains("Type");
    if (type == nullptr || !type->is_string() || !is_ssm_type(type->as_string())) continue;
    const std::string id(key);
    const json::value* standard = definition.as_object().if_contains("Default");
    const auto found = given.find(id);
    const std::string name = found != given.end() ? scalar_text(found->second) : standard != nullptr ? scalar_text(*standard) : std::string();
    if (name.empty()) continue;  // the check of parameters says so
    const Fetched fetched = co_await fetch(name);
    if (fetched.failure.empty()) {
      out[id] = fetched.value;
      continue;
    }
    const std::string at = child("/Parameters", id);
    if (fetched.failure.starts_with("Non-secure")) {
      if (type->as_string() == "AWS::SSM::Parameter::Name") out[id] = name;
      else errors.push_back(document.error(at, fmt::format("Parameters [{}] referenced by template have types not supported by CloudFormation.", name), "a SecureString cannot be a template's parameter"));
    } else {
      errors.push_back(document.error(at, fmt::format("Unable to fetch parameters [{}] from parameter store for this account.", name), fetched.failure));
    }
  }
  if (!errors.empty()) co_return std::unexpected(std::move(errors));
  co_return out;
}

awaitable<std::optional<std::string>> References::resolve(json::value& value) {
  std::vector<std::string> found;
  collect(value, found);
  if (found.empty()) co_return std::nullopt;
  static const re2::RE2 kName("ssm:([a-zA-Z0-9_.\\-/]+(?::[0-9]+)?)");
  std::map<std::string, std::string> values;
  for (const std::string& reference : found) {
    if (std::string why = refusal(reference); !why.empty()) co_return why;
    std::string name;
    if (!re2::RE2::FullMatch(reference, kName, &name)) co_return fmt::format("{{{{resolve:{}}}}} is not {{{{resolve:ssm:name}}}} or {{{{resolve:ssm:name:version}}}}", reference);
    const Fetched fetched = co_await fetch(name);
    if (!fetched.failure.empty()) co_return fetched.failure;
    values[reference] = fetched.value;
  }
  if (known_.size() > kReferencesMax) co_return fmt::format("a template can have {} dynamic references", kReferencesMax);
  replace(value, values);
  co_return std::nullopt;
}

}  // namespace parvis::templates
