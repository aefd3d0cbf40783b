#include "templates/loops.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "templates/structure_check.h"

namespace parvis::templates {
namespace {

constexpr std::string_view kLoop = "Fn::ForEach::";

bool letters_and_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) if (letters_and_digits(std::string_view(&c, 1))) out += c;
  return out;
}

using Values = std::map<std::string, std::string>;  // of the loops around

std::string replaced(std::string text, const Values& values) {
  for (const auto& [name, value] : values) {
    for (const auto& [mark, by] : {std::pair<std::string, std::string>{"${" + name + "}", value}, {"&{" + name + "}", plain(value)}}) {
      for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size())) text.replace(at, mark.size(), by);
    }
  }
  return text;
}

class Expansion {
 public:
  Expansion(Document& document, const std::map<std::string, json::value>& parameters, std::vector<Diagnostic>& errors)
      : document_(document), parameters_(parameters), errors_(errors) {}

  json::value expand(const json::value& value, const std::string& from, const std::string& to, const Values& values, std::size_t depth) {
    if (value.is_string()) return json::string(replaced(std::string(value.as_string()), values));
    if (value.is_array()) {
      json::array out;
      for (std::size_t i = 0; i < value.as_array().size(); ++i) out.push_back(expand(value.as_array()[i], child(from, i), child(to, i), values, depth));
      return out;
    }
    if (!value.is_object()) return value;
    const json::object& object = value.as_object();
    if (object.size() == 1 && object.begin()->key() == "Ref" && object.begin()->value().is_string()) {
      const auto own = values.find(std::string(object.begin()->value().as_string()));
      if (own != values.end()) return json::string(own->second);
    }
    json::object out;
    for (const auto& [key, item] : object) {
      const std::string at = child(from, std::string_view(key));
      if (std::string_view(key).starts_with(kLoop)) {
        loop(item, at, to, values, depth + 1, out);
        continue;
      }
      const std::string name = replaced(std::string(key), values);
      put(out, name, expand(item, at, child(to, name), values, depth), at, to);
    }
    return out;
  }

 private:
  void fail(const std::string& at, std::string what) { errors_.push_back(document_.error(at, std::move(what), "see the documentation of Fn::ForEach")); }

  void put(json::object& out, const std::string& name, json::value value, const std::string& from, const std::string& to) {
    if (out.contains(name)) return fail(from, fmt::format("Fn::ForEach: '{}' is made twice", name));
    if (const std::string place = child(to, name); place != from) document_.positions[place] = document_.at(from);
    out[name] = std::move(value);
  }

  void loop(const json::value& value, const std::string& at, const std::string& to, const Values& values, std::size_t depth, json::object& out) {
    if (depth > kLoopDepthMax) return fail(at, fmt::format("Fn::ForEach: more than {} loops inside each other", kLoopDepthMax));
    if (!value.is_array() || value.as_array().size() != 3 || !value.as_array()[0].is_string() || !value.as_array()[2].is_object() || value.as_array()[2].as_object().size() != 1) {
      return fail(at, "Fn::ForEach is not [identifier, collection, {key: body}]");
    }
    const std::string identifier(value.as_array()[0].as_string());
    if (!letters_and_digits(identifier)) return fail(at, fmt::format("Fn::ForEach: the identifier '{}' is not made of letters and digits", identifier));
    if (values.contains(identifier) || parameters_section().contains(identifier)) return fail(at, fmt::format("Fn::ForEach: the identifier '{}' is taken", identifier));
    const auto items = collection(value.as_array()[1], child(at, 1), values);
    if (!items) return;
    const std::string body_at = child(at, 2);
    for (const std::string& item : *items) {
      if (++copies_ > kLoopCopiesMax) return fail(at, fmt::format("Fn::ForEach makes more than {} copies", kLoopCopiesMax));
      Values inner = values;
      inner[identifier] = item;
      const auto& [key, body] = *value.as_array()[2].as_object().begin();
      const std::string from = child(body_at, std::string_view(key));
      if (std::string_view(key).starts_with(kLoop)) {
        loop(body, from, to, inner, depth + 1, out);
        continue;
      }
      const std::string name = replaced(std::string(key), inner);
      if (name == std::string_view(key) && items->size() > 1) return fail(from, fmt::format("Fn::ForEach: the key '{}' does not hold ${{{}}}", name, identifier));
      const bool logical = to == "/Resources" || to == "/Outputs" || to == "/Conditions";
      if (logical && !letters_and_digits(name)) return fail(from, fmt::format("Fn::ForEach: the name '{}' is not made of letters and digits; &{{{}}} keeps those alone", name, identifier));
      put(out, name, expand(body, from, child(to, name), inner, depth), from, to);
    }
  }

  std::optional<std::vector<std::string>> collection(const json::value& value, const std::string& at, const Values& values) {
    const json::value* list = &value;
    json::value fetched;
    if (value.is_object() && value.as_object().size() == 1 && value.as_object().begin()->key() == "Ref") {
      const std::string name = scalar_text(value.as_object().begin()->value());
      const json::value* declared = parameters_section().if_contains(name);
      if (declared == nullptr || !declared->is_object()) return fail(at, fmt::format("Fn::ForEach: '{}' is not a parameter", name)), std::nullopt;
      const auto given = parameters_.find(name);
      const json::value* standard = declared->as_object().if_contains("Default");
      if (given == parameters_.end() && standard == nullptr) return fail(at, fmt::format("Fn::ForEach: the parameter '{}' has no value", name)), std::nullopt;
      fetched = given != parameters_.end() ? given->second : *standard;
      if (!fetched.is_array()) fetched = split(scalar_text(fetched));
      list = &fetched;
    }
    if (!list->is_array()) return fail(at, "Fn::ForEach: the collection is neither a list nor a Ref to a parameter that is one"), std::nullopt;
    std::vector<std::string> out;
    for (const auto& item : list->as_array()) {
      if (item.is_object() || item.is_array() || item.is_null()) return fail(at, "Fn::ForEach: the collection has something that is not text"), std::nullopt;
      out.push_back(replaced(scalar_text(item), values));
    }
    return out;
  }

  static json::array split(const std::string& text) {
    json::array out;
    for (std::size_t begin = 0;;) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      std::string item = text.substr(begin, end - begin);
      item.erase(0, item.find_first_not_of(' '));
      item.erase(item.find_last_not_of(' ') + 1);
      out.push_back(json::string(item));
      if (end == text.size()) return out;
      begin = end + 1;
    }
  }

  const json::object& parameters_section() const {
    static const json::object kNone;
    const json::value* found = document_.root.as_object().if_contains("Parameters");
    return found != nullptr && found->is_object() ? found->as_object() : kNone;
  }

  Document& document_;
  const std::map<std::string, json::value>& parameters_;
  std::vector<Diagnostic>& errors_;
  std::size_t copies_ = 0;
};

bool mentions_loop(const json::value& value) {
  if (value.is_array()) return std::ranges::any_of(value.as_array(), mentions_loop);
  if (!value.is_object()) return false;
  return std::ranges::any_of(value.as_object(), [](const auto& item) { return std::string_view(item.key()).starts_with(kLoop) || mentions_loop(item.value()); });
}

}  // namespace

std::expected<Document, std::vector<Diagnostic>> expand_loops(Document document, const std::map<std::string, json::value>& parameters) {
  if (!document.root.is_object() || !mentions_loop(document.root)) return document;
  if (!uses_language_extensions(document.root.as_object())) {
    return std::unexpected(std::vector{document.error("", "Fn::ForEach needs the transform AWS::LanguageExtensions", "add Transform: AWS::LanguageExtensions")});
  }
  std::vector<Diagnostic> errors;
  Expansion expansion(document, parameters, errors);
  const json::object before = document.root.as_object();
  for (std::string_view section : {"Resources", "Conditions", "Outputs"}) {
    const json::value* found = before.if_contains(section);
    if (found == nullptr) continue;
    const std::string at = child("", section);
    document.root.as_object()[section] = expansion.expand(*found, at, at, {}, 0);
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return document;
}

}  // namespace parvis::templates
