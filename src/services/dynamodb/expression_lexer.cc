#include "services/dynamodb/expression_lexer.h"

#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/expression.h"

namespace parvis::dynamodb {
namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_alpha(c) || is_digit(c); }

// Length of the token at the front of `rest`, 0 for a character outside of the language.
std::size_t token_length(std::string_view rest, TokenKind& kind) {
  const auto run = [rest](std::size_t from, auto accepts) {
    while (from < rest.size() && accepts(rest[from])) ++from;
    return from;
  };
  const char c = rest[0];
  if (is_alpha(c)) {
    kind = TokenKind::kWord;
    return run(1, is_word);
  }
  if (is_digit(c)) {
    kind = TokenKind::kNumber;
    return run(1, is_digit);
  }
  if (c == '#' || c == ':') {
    kind = c == '#' ? TokenKind::kName : TokenKind::kValue;
    const std::size_t end = run(1, is_word);
    return end > 1 ? end : 0;
  }
  kind = TokenKind::kSymbol;
  if (rest.starts_with("<=") || rest.starts_with(">=") || rest.starts_with("<>")) return 2;
  return std::string_view("=<>()[],.+-").find(c) != std::string_view::npos ? 1 : 0;
}

}  // namespace

void throw_expression(std::string_view kind, std::string message) {
  throw_validation("Invalid " + std::string(kind) + ": " + message);
}

TokenStream::TokenStream(std::string_view text, std::string_view kind) : text_(text), kind_(kind) {
  if (text.size() > kExpressionBytesMax) {
    // The service tells the size of every expression but of updates.
    const std::string size = kind == "UpdateExpression" ? "" : " expression size: " + std::to_string(text.size());
    throw_expression(kind, "Expression size has exceeded the maximum allowed size;" + size);
  }
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
      continue;
    }
    Token token;
    token.begin = at;
    const std::size_t length = token_length(text.substr(at), token.kind);
    if (length == 0) {
      const std::size_t from = tokens_.empty() ? at : tokens_.back().begin;
      throw_expression(kind, "Syntax error; token: \"" + std::string(1, c) + "\", near: \"" +
                                 std::string(text.substr(from, at - from + 2)) + "\"");
    }
    token.text = text.substr(at, length);
    tokens_.push_back(token);
    at += length;
  }
  if (tokens_.empty()) throw_expression(kind, "The expression can not be empty;");
  tokens_.push_back({TokenKind::kEnd, "<EOF>", text.size()});
}

Token TokenStream::next() {
  const Token token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenStream::take_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  next();
  return true;
}

bool TokenStream::take_word(std::string_view word) {
  if (!at_word(word)) return false;
  next();
  return true;
}

void TokenStream::expect_symbol(std::string_view symbol) {
  if (!take_symbol(symbol)) syntax_error();
}

void TokenStream::syntax_error() const {
  // "near" is the text from the token before to the token after.
  const Token& token = tokens_[at_];
  const std::size_t begin = tokens_[at_ > 0 ? at_ - 1 : 0].begin;
  const Token& after = tokens_[std::min(at_ + 1, tokens_.size() - 1)];
  const std::size_t end = after.kind == TokenKind::kEnd ? text_.size() : after.begin + after.text.size();
  std::string_view near = text_.substr(begin, end - begin);
  while (!near.empty() && near.back() == ' ') near.remove_suffix(1);
  throw_expression(kind_, "Syntax error; token: \"" + std::string(token.text) + "\", near: \"" + std::string(near) + "\"");
}

void TokenStream::count_operator() {
  if (++operators_ > kExpressionOperatorsMax) {
    throw_expression(kind_, "The expression contains too many operators; maximum: " +
                                std::to_string(kExpressionOperatorsMax));
  }
}

}  // namespace parvis::dynamodb
