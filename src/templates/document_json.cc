#include "templates/document_json.h"

#include <set>

#include <fmt/format.h>

namespace parvis::templates {

namespace {

struct Duplicate {
  Position position;
  std::string key;
};

// Walks text that is known to be valid JSON and notes where each value begins.
class Walker {
 public:
  Walker(std::string_view text, Document& out) : text_(text), out_(out) {}

  void value(const std::string& pointer) {
    space();
    out_.positions.try_emplace(pointer, here());
    if (text_[at_] == '{') return object(pointer);
    if (text_[at_] == '[') return array(pointer);
    if (text_[at_] == '"') { string(); return; }
    while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos) step();
  }

 private:
  Position here() const { return {line_, column_}; }
  void step() {
    if (text_[at_] == '\n') { ++line_; column_ = 1; }
    else ++column_;
    ++at_;
  }
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) step();
  }
  std::string string() {
    const std::size_t begin = at_;
    step();
    while (text_[at_] != '"') {
      if (text_[at_] == '\\') step();
      step();
    }
    step();
    return std::string(json::parse(text_.substr(begin, at_ - begin)).as_string());
  }
  void object(const std::string& pointer) {
    std::set<std::string> keys;
    step();
    for (space(); text_[at_] != '}'; space()) {
      if (text_[at_] == ',') { step(); continue; }
      const Position position = here();
      const std::string key = string();
      if (!keys.insert(key).second) throw Duplicate{position, key};
      out_.positions[child(pointer, key)] = position;
      space();
      step();  // ':'
      value(child(pointer, key));
    }
    step();
  }
  void array(const std::string& pointer) {
    step();
    std::size_t index = 0;
    for (space(); text_[at_] != ']'; space()) {
      if (text_[at_] == ',') { step(); continue; }
      value(child(pointer, index++));
    }
    step();
  }

  std::string_view text_;
  Document& out_;
  std::size_t at_ = 0;
  unsigned line_ = 1, column_ = 1;
};

Position position_of(std::string_view text, std::size_t offset) {
  Position position{1, 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') { ++position.line; position.column = 1; }
    else ++position.column;
  }
  return position;
}

}  // namespace

std::optional<Diagnostic> parse_json_document(std::string_view text, Document& out) {
  json::parse_options options;
  options.max_depth = kTemplateDepthMax;
  json::stream_parser parser(json::storage_ptr{}, options);
  json::error_code error;
  const std::size_t used = parser.write_some(text.data(), text.size(), error);
  std::size_t rest = used;
  while (!error && rest < text.size() && std::string_view(" \t\r\n").find(text[rest]) != std::string_view::npos) ++rest;
  if (!error) parser.finish(error);
  if (error == json::error::too_deep) {
    return Diagnostic{Severity::kError, out.file, position_of(text, used), fmt::format("values are nested more than {} levels deep", kTemplateDepthMax),
                      "flatten this part"};
  }
  if (error || rest != text.size()) {
    return Diagnostic{Severity::kError, out.file, position_of(text, error ? used : rest), fmt::format("not valid JSON ({})", error ? error.message() : "extra text"),
                      "check commas, quotes and brackets around here"};
  }
  out.root = parser.release();
  try {
    Walker(text, out).value("");
  } catch (const Duplicate& duplicate) {
    return Diagnostic{Severity::kError, out.file, duplicate.position, fmt::format("the key '{}' is here twice", duplicate.key), "remove one of the two"};
  }
  return std::nullopt;
}

}  // namespace parvis::templates
