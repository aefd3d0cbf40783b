#include "services/dynamodb/partiql_lexer.h"

#include "services/dynamodb/errors.h"
#include "services/dynamodb/expression_lexer.h"

namespace parvis::dynamodb {
namespace {

using Kind = PartiqlToken::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<PartiqlToken> run() {
    std::vector<PartiqlToken> out;
    while (skip_blanks(), at_ < text_.size()) out.push_back(next());
    // One semicolon may close the statement.
    if (!out.empty() && out.back().kind == Kind::kSymbol && out.back().text == ";") out.pop_back();
    out.emplace_back();
    return out;
  }

 private:
  bool at(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void skip_blanks() {
    while (at_ < text_.size()) {
      if (is_blank(text_[at_])) {
        ++at_;
      } else if (at("--")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (at("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) throw_malformed("");
        at_ = end + 2;
      } else {
        return;
      }
    }
  }

  PartiqlToken next() {
    const char c = text_[at_];
    if (c == '\'') return {Kind::kString, quoted('\'')};
    if (c == '"') return {Kind::kQuoted, quoted('"')};
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return {Kind::kNumber, number()};
    if (is_name_start(c)) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
      return {Kind::kWord, std::string(text_.substr(begin, at_ - begin))};
    }
    if (c == '?') {
      ++at_;
      return {Kind::kParameter, "?"};
    }
    for (const std::string_view symbol : {"<<", ">>", "<>", "!=", "<=", ">="}) {
      if (!at(symbol)) continue;
      at_ += 2;
      return {Kind::kSymbol, std::string(symbol)};
    }
    if (std::string_view("=<>()[]{},.:+-*;").find(c) == std::string_view::npos) throw_malformed("");
    ++at_;
    return {Kind::kSymbol, std::string(1, c)};
  }

  std::string quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != quote) {
        out.push_back(text_[at_]);
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
        out.push_back(quote);
        ++at_;
      } else {
        ++at_;
        return out;
      }
    }
    throw_malformed("");
  }

  std::string number() {
    const std::size_t begin = at_;
    const auto digits = [this] {
      const std::size_t from = at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      return at_ - from;
    };
    digits();
    if (at(".")) {
      ++at_;
      digits();
    }
    if (at("e") || at("E")) {
      const std::size_t mark = at_++;
      if (at("+") || at("-")) ++at_;
      const std::size_t count = digits();
      if (count == 0) at_ = mark;  // a word follows the number
      // The service reads exponents as 32-bit integers.
      if (count > 9 && text_.substr(at_ - count, count).find_first_not_of('0') + 10 <= count) throw_malformed("");
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

void throw_malformed(std::string_view detail) {
  throw_validation("Statement wasn't well formed, can't be processed: " + std::string(detail));
}

PartiqlTokens::PartiqlTokens(std::string_view statement) : tokens_(Lexer(statement).run()) {}

PartiqlToken PartiqlTokens::next() {
  PartiqlToken token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool PartiqlTokens::at_word(std::string_view word, std::size_t ahead) const {
  return peek(ahead).kind == Kind::kWord && equal_no_case(peek(ahead).text, word);
}

bool PartiqlTokens::take_word(std::string_view word) {
  if (!at_word(word)) return false;
  next();
  return true;
}

bool PartiqlTokens::take_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  next();
  return true;
}

bool PartiqlTokens::at_keyword() const {
  constexpr std::string_view kWords[] = {"select", "from", "where", "insert", "into", "update", "delete", "set", "remove",
                                         "returning", "order", "group", "by", "limit", "having", "union", "join", "on",
                                         "as", "value", "values", "asc", "desc", "create", "drop", "exists"};
  return peek().kind == Kind::kWord &&
         std::ranges::any_of(kWords, [this](std::string_view word) { return equal_no_case(peek().text, word); });
}

}  // namespace parvis::dynamodb
