#include "services/dynamodb/expression_parts.h"

#include <algorithm>

#include "services/dynamodb/errors.h"

namespace parvis::dynamodb {
namespace {

std::string parse_attribute_name(TokenStream& tokens, Placeholders& placeholders) {
  const Token token = tokens.peek();
  if (token.kind == TokenKind::kName) {
    tokens.next();
    const std::string* name = placeholders.name(token.text);
    if (!name) {
      throw_expression(tokens.kind(),
                       "An expression attribute name used in the document path is not defined; attribute name: " +
                           std::string(token.text));
    }
    return *name;
  }
  if (token.kind != TokenKind::kWord || token.text.front() == '_') tokens.syntax_error();
  if (is_reserved_word(token.text)) {
    throw_expression(tokens.kind(),
                     "Attribute name is a reserved keyword; reserved keyword: " + std::string(token.text));
  }
  tokens.next();
  return std::string(token.text);
}

bool valid_placeholder(std::string_view text, char sigil) {
  return text.size() > 1 && text.size() <= 255 && text.front() == sigil && std::ranges::all_of(text.substr(1), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string step_text(const Path::Step& step) {
  if (const auto* name = std::get_if<std::string>(&step)) return *name;
  return "[" + std::to_string(std::get<std::size_t>(step)) + "]";
}

template <class Map>
void check_all_used(const Map& defined, const std::set<std::string, std::less<>>& used, std::string_view parameter) {
  std::string unused;
  for (const auto& [key, value] : defined) {
    if (!used.contains(key)) unused += (unused.empty() ? "" : ", ") + key;
  }
  if (unused.empty()) return;
  throw_validation("Value provided in " + std::string(parameter) + " unused in expressions: keys: {" + unused + "}");
}

}  // namespace

std::string to_message(const Path& path) {
  std::string out = "[";
  for (const Path::Step& step : path.steps) out += (out.size() > 1 ? ", " : "") + step_text(step);
  return out + "]";
}

Placeholders::Placeholders(const std::optional<Names>& names, const std::optional<AttributeMap>& values)
    : names_(names.value_or(Names{})), values_(values.value_or(AttributeMap{})), have_names_(names.has_value()),
      have_values_(values.has_value()) {}

void Placeholders::check_form() const {
  if (have_names_ && names_.empty()) throw_validation("ExpressionAttributeNames must not be empty");
  for (const auto& [key, name] : names_) {
    if (!valid_placeholder(key, '#')) {
      throw_validation("ExpressionAttributeNames contains invalid key: Syntax error; key: \"" + key + "\"");
    }
    if (name.empty() || name.size() > 65535) {
      throw_validation("ExpressionAttributeNames contains invalid value: Attribute name must be 1 to 65535 bytes; key: " + key);
    }
  }
  if (have_values_ && values_.empty()) throw_validation("ExpressionAttributeValues must not be empty");
  for (const auto& [key, value] : values_) {
    if (!valid_placeholder(key, ':')) {
      throw_validation("ExpressionAttributeValues contains invalid key: Syntax error; key: \"" + key + "\"");
    }
  }
  if (have_values_ && nesting_depth(values_) > kNestingDepthMax) throw_validation(std::string(kTooDeepMessage));
}

void Placeholders::check_used(bool any_expression, std::string_view values_expressions) const {
  if (have_names_ && !any_expression) throw_validation("ExpressionAttributeNames can only be specified when using expressions");
  if (have_values_ && !any_expression) {
    const std::string_view verb = values_expressions.find(" and ") == values_expressions.npos ? " is null" : " are null";
    throw_validation("ExpressionAttributeValues can only be specified when using expressions" +
                     (values_expressions.empty() ? "" : ": " + std::string(values_expressions) + std::string(verb)));
  }
  check_form();
  check_all_used(names_, used_names_, "ExpressionAttributeNames");
  check_all_used(values_, used_values_, "ExpressionAttributeValues");
}

const std::string* Placeholders::name(std::string_view placeholder) {
  const auto found = names_.find(std::string(placeholder));
  if (found == names_.end()) return nullptr;
  used_names_.insert(found->first);
  return &found->second;
}

const AttributeValue* Placeholders::value(std::string_view placeholder) {
  const auto found = values_.find(std::string(placeholder));
  if (found == values_.end()) return nullptr;
  used_values_.insert(found->first);
  return &found->second;
}

Path parse_path(TokenStream& tokens, Placeholders& placeholders) {
  Path path;
  path.steps.emplace_back(parse_attribute_name(tokens, placeholders));
  while (true) {
    if (tokens.take_symbol(".")) {
      path.steps.emplace_back(parse_attribute_name(tokens, placeholders));
    } else if (tokens.take_symbol("[")) {
      if (tokens.peek().kind != TokenKind::kNumber) tokens.syntax_error();
      const Token number = tokens.next();
      std::size_t index = 0;
      for (char c : number.text) index = std::min<std::size_t>(index * 10 + static_cast<std::size_t>(c - '0'), 1u << 30);
      if (index > 99'999'999) {
        throw_expression(tokens.kind(), "List index is not within the allowable range; index: [" +
                                            std::string(number.text) + "]");
      }
      path.steps.emplace_back(index);
      tokens.expect_symbol("]");
    } else {
      break;
    }
  }
  // A path may be one step longer than a value can be deep.
  if (path.steps.size() > static_cast<std::size_t>(kNestingDepthMax)) {
    throw_expression(tokens.kind(), "The document path has too many nesting elements; nesting elements: " +
                                        std::to_string(path.steps.size()));
  }
  return path;
}

AttributeValue parse_value_placeholder(TokenStream& tokens, Placeholders& placeholders) {
  if (tokens.peek().kind != TokenKind::kValue) tokens.syntax_error();
  const Token token = tokens.next();
  const AttributeValue* value = placeholders.value(token.text);
  if (!value) {
    throw_expression(tokens.kind(), "An expression attribute value used in expression is not defined; attribute value: " +
                                        std::string(token.text));
  }
  return *value;
}

bool at_function_call(const TokenStream& tokens) {
  return tokens.peek().kind == TokenKind::kWord && tokens.peek(1).kind == TokenKind::kSymbol && tokens.peek(1).text == "(";
}

void throw_operand_count(std::string_view kind, std::string_view function, std::size_t count) {
  throw_expression(kind, "Incorrect number of operands for operator or function; operator or function: " +
                             std::string(function) + ", number of operands: " + std::to_string(count));
}

void throw_operand_type(std::string_view kind, std::string_view function, std::string_view type) {
  throw_expression(kind, "Incorrect operand type for operator or function; operator or function: " +
                             std::string(function) + ", operand type: " + std::string(type));
}

void check_overlap(const std::vector<Path>& paths, std::string_view kind) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::size_t j = i + 1; j < paths.size(); ++j) {
      const auto& a = paths[i].steps;
      const auto& b = paths[j].steps;
      std::size_t same = 0;
      while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
      const bool overlap = same == a.size() || same == b.size();
      const bool conflict = !overlap && a[same].index() != b[same].index();
      if (!overlap && !conflict) continue;
      throw_expression(kind, std::string("Two document paths ") + (overlap ? "overlap" : "conflict") +
                                 " with each other; must remove or rewrite one of these paths; path one: " +
                                 to_message(paths[i]) + ", path two: " + to_message(paths[j]));
    }
  }
}

Projection parse_projection(std::string_view text, Placeholders& placeholders) {
  placeholders.check_form();
  TokenStream tokens(text, "ProjectionExpression");
  Projection paths;
  do {
    paths.push_back(parse_path(tokens, placeholders));
  } while (tokens.take_symbol(","));
  if (tokens.peek().kind != TokenKind::kEnd) tokens.syntax_error();
  check_overlap(paths, "ProjectionExpression");
  return paths;
}

}  // namespace parvis::dynamodb
