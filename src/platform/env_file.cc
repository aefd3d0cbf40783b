#include "platform/env_file.h"

#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>

namespace parvis::platform {
namespace json = boost::json;
using templates::Diagnostic;
namespace {

constexpr std::size_t kBytesMax = 1u << 20;
constexpr std::string_view kNameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The value behind "NAME=". nullopt: a quote that is not closed on its line, or text behind the closing one.
std::optional<std::string> value_of(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::string{};
  const char quote = text.front();
  if (quote != '"' && quote != '\'') {
    // A comment begins at a '#' with a blank before it: "#" may be part of a value.
    for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1))
      if (at == 0 || text[at - 1] == ' ' || text[at - 1] == '\t') return std::string(trim(text.substr(0, at)));
    return std::string(text);
  }
  std::string value;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == quote) {
      const std::string_view rest = trim(text.substr(at + 1));
      if (!rest.empty() && rest.front() != '#') return std::nullopt;
      return value;
    }
    if (quote == '"' && text[at] == '\\' && at + 1 < text.size()) {
      const char letter = text[++at];
      value += letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r' : letter;
    } else {
      value += text[at];
    }
  }
  return std::nullopt;
}

std::expected<EnvironmentFile, Diagnostic> parse_lines(std::string_view text, const std::string& file) {
  EnvironmentFile out;
  unsigned number = 0;
  const auto fail = [&](std::string what, std::string hint) {
    return std::unexpected(Diagnostic{.file = file, .position = {number, 1}, .what = std::move(what), .hint = std::move(hint)});
  };
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    const std::string_view name = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || name.empty() || name.find_first_not_of(kNameLetters) != std::string_view::npos || (name.front() >= '0' && name.front() <= '9'))
      return fail("this line is not NAME=value", "names have letters, digits and underscores; comments begin with #");
    auto value = value_of(line.substr(equals + 1));
    if (!value) return fail(fmt::format("the quotes around the value of {} do not close at the end of the line", name), "close them, or write \\n for a line break inside double quotes");
    out.all[std::string(name)] = std::move(*value);
  }
  return out;
}

std::expected<EnvironmentFile, Diagnostic> parse_json(std::string_view text, const std::string& file) {
  const auto fail = [&](std::string what, std::string hint) {
    return std::unexpected(Diagnostic{.file = file, .what = std::move(what), .hint = std::move(hint)});
  };
  boost::system::error_code wrong;
  const json::value root = json::parse(text, wrong);
  if (wrong || !root.is_object()) return fail("the file is not a JSON object", R"(write {"FunctionLogicalId": {"NAME": "value"}}, or NAME=value lines)");
  EnvironmentFile out;
  for (const auto& [id, variables] : root.get_object()) {
    if (!variables.is_object()) return fail(fmt::format("'{}' is not an object of variables", std::string(id)), R"(write {"FunctionLogicalId": {"NAME": "value"}})");
    for (const auto& [name, value] : variables.get_object()) {
      if (value.is_structured() || value.is_null()) return fail(fmt::format("the value of {}.{} is not text", std::string(id), std::string(name)), "variables hold text");
      (id == "Parameters" ? out.all : out.functions[id])[name] = templates::scalar_text(value);
    }
  }
  return out;
}

json::object* object_in(json::object& parent, std::string_view key) {
  auto* value = parent.if_contains(key);
  return value ? value->if_object() : nullptr;
}

json::object* variables_of(json::object* properties) {
  auto* environment = properties ? object_in(*properties, "Environment") : nullptr;
  auto* variables = environment ? object_in(*environment, "Variables") : nullptr;
  // What an intrinsic function gives is not known yet.
  return variables && !(variables->size() == 1 && variables->begin()->key().starts_with("Fn::")) ? variables : nullptr;
}

json::object& make_object(json::object& parent, std::string_view key) {
  json::value& value = parent[key];
  return value.is_object() ? value.get_object() : value.emplace_object();
}

}  // namespace

std::expected<EnvironmentFile, Diagnostic> parse_env_file(std::string_view text, const std::string& file) {
  if (text.size() > kBytesMax) return std::unexpected(Diagnostic{.file = file, .what = "the file is larger than 1 MiB", .hint = "name a file of NAME=value lines"});
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' ? parse_json(text, file) : parse_lines(text, file);
}

std::expected<EnvironmentFile, Diagnostic> read_env_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (!in.is_open() || in.bad()) return std::unexpected(Diagnostic{.file = file.string(), .what = "the file cannot be read", .hint = "correct --env-file"});
  return parse_env_file(text, file.string());
}

std::vector<std::string> apply_env_file(const EnvironmentFile& file, templates::Document& document) {
  auto* root = document.root.if_object();
  auto* resources = root ? object_in(*root, "Resources") : nullptr;
  if (!resources) return {};
  auto* globals = object_in(*root, "Globals");
  json::object* shared = variables_of(globals ? object_in(*globals, "Function") : nullptr);
  std::set<std::string> used;               // names of `all`
  std::set<std::string> known_functions, used_pairs;
  for (auto& [id, resource] : *resources) {
    const auto* type = resource.is_object() ? resource.get_object().if_contains("Type") : nullptr;
    const bool serverless = type && templates::is_text(*type, "AWS::Serverless::Function");
    if (!serverless && !(type && templates::is_text(*type, "AWS::Lambda::Function"))) continue;
    known_functions.insert(id);
    json::object& properties = make_object(resource.get_object(), "Properties");
    std::set<std::string> declared;
    for (const json::object* variables : {variables_of(&properties), serverless ? shared : nullptr})
      if (variables)
        for (const auto& variable : *variables) declared.insert(variable.key());
    const auto own = file.functions.find(id);
    for (const std::string& name : declared) {
      const auto mine = own == file.functions.end() ? std::map<std::string, std::string>::const_iterator{} : own->second.find(name);
      const bool has_own = own != file.functions.end() && mine != own->second.end();
      const auto common = file.all.find(name);
      if (common != file.all.end()) used.insert(name);
      if (has_own) used_pairs.insert(std::string(id) + "." + name);
      if (!has_own && common == file.all.end()) continue;
      make_object(make_object(properties, "Environment"), "Variables")[name] = has_own ? mine->second : common->second;
    }
  }
  std::vector<std::string> warnings;
  for (const auto& [name, value] : file.all)
    if (!used.contains(name)) warnings.push_back(fmt::format("{} of the environment file is not set: no function declares it in its Environment", name));
  for (const auto& [id, variables] : file.functions) {
    if (!known_functions.contains(id)) {
      warnings.push_back(fmt::format("the environment file names {}, which is no function of the template", id));
      continue;
    }
    for (const auto& [name, value] : variables)
      if (!used_pairs.contains(id + "." + name)) warnings.push_back(fmt::format("{} of the environment file is not set: {} does not declare it in its Environment", name, id));
  }
  return warnings;
}

}  // namespace parvis::platform
