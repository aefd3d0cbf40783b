// dynamodb/expression_lexer.h: tokens of an expression. Internal to the expression parsers.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/ascii.h"

namespace parvis::dynamodb {

enum class TokenKind { kWord, kName, kValue, kNumber, kSymbol, kEnd };  // abc  #abc  :abc  12  <=

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  std::size_t begin = 0;
};

[[noreturn]] void throw_expression(std::string_view kind, std::string message);  // "Invalid <kind>: <message>"

class TokenStream {
 public:
  // `text` outlives the stream. Throws for an empty or too long text and characters outside of the language.
  TokenStream(std::string_view text, std::string_view kind);
  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  Token next();
  bool at_symbol(std::string_view symbol) const { return peek().kind == TokenKind::kSymbol && peek().text == symbol; }
  bool at_word(std::string_view word) const { return peek().kind == TokenKind::kWord && equal_no_case(peek().text, word); }
  bool take_symbol(std::string_view symbol);
  bool take_word(std::string_view word);
  void expect_symbol(std::string_view symbol);
  [[noreturn]] void syntax_error() const;  // at the next token
  std::size_t position() const { return at_; }
  void count_operator();
  std::string_view kind() const { return kind_; }

 private:
  std::string_view text_, kind_;
  std::vector<Token> tokens_;  // the last one is kEnd
  std::size_t at_ = 0;
  int operators_ = 0;
};

}  // namespace parvis::dynamodb
