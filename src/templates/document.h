// templates/document.h: a template's text as a JSON tree that knows where each node stands.
//
// YAML 1.1 scalars as AWS's tools read them (yes/no/on/off are booleans, dates stay text); CloudFormation's short forms (!Ref,
// !Sub, !GetAtt a.b, …) become their long forms. JSON templates are told from YAML by their first character, '{'.
// Limits: kTemplateBytesMax bytes, kTemplateDepthMax levels, kTemplateNodesMax nodes after aliases are expanded. Duplicate keys
// are refused. Pure; callable from any thread.
// Source: CloudFormation User Guide, "Template formats" and "Intrinsic function reference".
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

namespace parvis::templates {

namespace json = boost::json;

inline constexpr std::size_t kTemplateBytesMax = 1u << 20;
inline constexpr std::size_t kTemplateDepthMax = 64;
inline constexpr std::size_t kTemplateNodesMax = 200'000;

struct Position {  // counted from 1; 0: not known
  unsigned line = 0, column = 0;
};

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file = {};
  Position position = {};
  std::string what = {};  // what is wrong
  std::string hint = {};  // what to do; may be empty
  std::string str() const;  // "file:line:col: what; hint"
};

// A place in a tree as a JSON pointer: "/Resources/Table/Properties". Tokens are escaped by child().
std::string child(std::string_view pointer, std::string_view key);
std::string child(std::string_view pointer, std::size_t index);

class Document {
 public:
  json::value root;
  std::string file = {};
  std::map<std::string, Position, std::less<>> positions;

  // Of the node, or of its nearest ancestor that stands in the text (values that a transform added).
  Position at(std::string_view pointer) const;
  Diagnostic error(std::string_view pointer, std::string what, std::string hint = {}) const;
  Diagnostic warning(std::string_view pointer, std::string what, std::string hint = {}) const;
};

// `file` is only named in messages.
std::expected<Document, Diagnostic> parse_document(std::string_view text, std::string file);

// Text as CloudFormation makes it of a scalar: numbers as written in JSON, "true" and "false". Empty for anything else.
std::string scalar_text(const json::value& value);
bool is_text(const json::value& value, std::string_view text);

}  // namespace parvis::templates
