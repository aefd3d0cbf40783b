#include "platform/esbuild_messages.h"

#include <charconv>

namespace parvis::platform {
namespace {

constexpr std::string_view kError = "✘ [ERROR] ", kWarning = "▲ [WARNING] ";

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// "    src/a.ts:4:18:"
bool read_place(std::string_view line, const std::filesystem::path& source_dir, templates::Diagnostic& out) {
  if (!line.starts_with("    ") || !line.ends_with(':')) return false;
  line.remove_prefix(4);
  line.remove_suffix(1);
  const auto column_at = line.rfind(':');
  const auto line_at = column_at == std::string_view::npos || column_at == 0 ? std::string_view::npos : line.rfind(':', column_at - 1);
  if (line_at == std::string_view::npos || line_at == 0) return false;
  const auto number = [](std::string_view text, unsigned& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size() && !text.empty();
  };
  if (!number(line.substr(line_at + 1, column_at - line_at - 1), out.position.line) || !number(line.substr(column_at + 1), out.position.column)) return false;
  ++out.position.column;  // esbuild counts from 0
  out.file = (source_dir / line.substr(0, line_at)).lexically_normal().string();
  return true;
}

}  // namespace

std::vector<templates::Diagnostic> parse_esbuild_messages(std::string_view output, const std::filesystem::path& source_dir) {
  std::vector<templates::Diagnostic> out;
  bool placed = false;  // the first place is the message's own; later ones belong to its notes
  while (!output.empty()) {
    const std::string_view line = take_line(output);
    const bool error = line.starts_with(kError);
    if (error || line.starts_with(kWarning)) {
      templates::Diagnostic& message = out.emplace_back();
      message.severity = error ? templates::Severity::kError : templates::Severity::kWarning;
      message.what = line.substr(error ? kError.size() : kWarning.size());
      placed = false;
    } else if (!out.empty() && !placed && read_place(line, source_dir, out.back())) {
      placed = true;
      out.back().what += "\n      " + std::string(take_line(output).substr(0, 200));
      const std::string_view mark = take_line(output);
      if (mark.find("╵") != std::string_view::npos) out.back().what += "\n      " + std::string(mark.substr(0, 200));
    }
  }
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
