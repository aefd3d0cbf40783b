#include "platform/esbuild_messages.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace parvis::platform {

templates::Diagnostic to_diagnostic(const functions::BundleMessage& message, templates::Severity severity) {
  templates::Diagnostic out;
  out.severity = severity;
  out.what = message.text;
  out.file = message.file;
  out.position = {message.line, message.column};
  if (message.file.empty() || message.line_text.empty()) return out;
  const std::string number = std::to_string(message.line);
  const std::size_t before = std::min<std::size_t>(message.column - 1, message.line_text.size());
  out.what += fmt::format("\n      {} │ {}\n      {} ╵ {}{}", number, message.line_text, std::string(number.size(), ' '), std::string(before, ' '),
                          std::string(std::clamp(message.length, 1u, 80u), '^'));
  return out;
}

std::optional<std::set<std::string>> exports_of_bundle(std::string_view javascript) {
  // "0 && (module.exports = {\n  a,\n  b\n});", without the blanks when minified; names that are no identifiers are quoted.
  auto at = javascript.rfind("(module.exports = {");
  std::size_t length = std::string_view("(module.exports = {").size();
  if (at == std::string_view::npos) {
    at = javascript.rfind("(module.exports={");
    length = std::string_view("(module.exports={").size();
  }
  const std::string_view before = at == std::string_view::npos ? std::string_view{} : javascript.substr(0, at);
  if (!before.ends_with("0 && ") && !before.ends_with("0&&")) return std::nullopt;
  std::string_view list = javascript.substr(at + length);
  const auto end = list.find('}');
  if (end == std::string_view::npos) return std::nullopt;
  list = list.substr(0, end);
  std::set<std::string> names;
  std::string name;
  for (const char letter : std::string(list) + ",") {
    if (letter == ',') {
      if (!name.empty()) names.insert(std::exchange(name, {}));
    } else if (letter != ' ' && letter != '\n' && letter != '"') {
      name += letter;
    }
  }
  return names;
}

}  // namespace parvis::platform
