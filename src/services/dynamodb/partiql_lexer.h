// dynamodb/partiql_lexer.h: tokens of a PartiQL statement. Internal to the parser.
// Source: PartiQL specification, "Lexical structure"; Developer Guide, "PartiQL for DynamoDB".
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace parvis::dynamodb {

struct PartiqlToken {
  enum class Kind { kWord, kQuoted, kString, kNumber, kParameter, kSymbol, kEnd };  // abc  "abc"  'abc'  1.5e3  ?  <>
  Kind kind = Kind::kEnd;
  std::string text;  // without quotes, doubled quotes taken together
};

// Throws ValidationException: "Statement wasn't well formed, can't be processed: <detail>".
[[noreturn]] void throw_malformed(std::string_view detail);

class PartiqlTokens {
 public:
  using Kind = PartiqlToken::Kind;
  // Throws for a text that is no sequence of tokens: an open quote or comment, a character outside of the language.
  explicit PartiqlTokens(std::string_view statement);
  const PartiqlToken& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  PartiqlToken next();
  bool at_end() const { return peek().kind == Kind::kEnd; }
  bool at_word(std::string_view word, std::size_t ahead = 0) const;  // no matter the case
  bool at_symbol(std::string_view symbol) const { return peek().kind == Kind::kSymbol && peek().text == symbol; }
  bool take_word(std::string_view word);
  bool take_symbol(std::string_view symbol);
  // A word of the grammar, which is no name unless it is quoted.
  bool at_keyword() const;

 private:
  std::vector<PartiqlToken> tokens_;  // the last one is kEnd
  std::size_t at_ = 0;
};

}  // namespace parvis::dynamodb
