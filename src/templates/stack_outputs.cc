#include "templates/stack_outputs.h"

#include <algorithm>

#include <fmt/format.h>

#include "templates/stack_operation.h"

namespace parvis::templates {

std::expected<json::array, std::vector<Diagnostic>> outputs_of(const Document& document, const Evaluator& evaluator, const Lookups& lookups) {
  json::array out;
  std::vector<Diagnostic> errors;
  const json::value* section = document.root.as_object().if_contains("Outputs");
  if (section == nullptr) return out;
  for (const auto& [key, output] : section->as_object()) {
    const std::string at = child("/Outputs", std::string_view(key));
    if (!output.is_object() || !output.as_object().contains("Value")) {
      errors.push_back(document.error(at, fmt::format("output {} has no Value", std::string_view(key)), "add it"));
      continue;
    }
    if (!evaluator.holds(output.as_object())) continue;
    auto value = evaluator.resolve(output.as_object().at("Value"), at + "/Value", lookups);
    if (!value) { errors.push_back(value.error()); continue; }
    if (value->is_object() || value->is_array()) { errors.push_back(document.error(at, fmt::format("output {} is not text", std::string_view(key)), "use Fn::Join for lists")); continue; }
    json::object made{{"key", key}, {"value", scalar_text(*value)}, {"description", member(output.as_object(), "Description")}, {"export", ""}};
    if (const json::value* exported = output.as_object().if_contains("Export"); exported != nullptr && exported->is_object() && exported->as_object().contains("Name")) {
      auto name = evaluator.resolve(exported->as_object().at("Name"), at + "/Export/Name", lookups);
      if (!name) { errors.push_back(name.error()); continue; }
      made["export"] = scalar_text(*name);
    }
    out.push_back(std::move(made));
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return out;
}

std::map<std::string, std::string> exports_of(const std::vector<Stack>& all, std::string_view name) {
  std::map<std::string, std::string> out;
  for (const Stack& other : all) {
    if (other.name == name) continue;
    for (const StackOutput& output : other.outputs) if (!output.export_name.empty()) out[output.export_name] = output.value;
  }
  return out;
}

std::string export_in_use(const std::vector<Stack>& all, const Stack& stack, const json::array& outputs) {
  for (const StackOutput& had : stack.outputs) {
    if (had.export_name.empty()) continue;
    const auto kept = std::find_if(outputs.begin(), outputs.end(), [&](const json::value& output) { return member(output.as_object(), "export") == had.export_name; });
    if (kept != outputs.end() && member(kept->as_object(), "value") == had.value) continue;
    for (const Stack& other : all) {
      if (other.name == stack.name || std::find(other.imports.begin(), other.imports.end(), had.export_name) == other.imports.end()) continue;
      return fmt::format("Export {} cannot be {} as it is in use by {}", had.export_name, kept == outputs.end() ? "deleted" : "updated", other.name);
    }
  }
  return {};
}

}  // namespace parvis::templates
