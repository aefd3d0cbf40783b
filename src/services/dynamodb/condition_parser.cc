// OR < AND < NOT < comparison, BETWEEN, IN, function, "(" condition ")".
#include <algorithm>
#include <array>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/expression_parts.h"

namespace parvis::dynamodb {
namespace {

struct ComparatorName {
  std::string_view text;
  Comparator comparator;
};
constexpr ComparatorName kComparators[] = {{"=", Comparator::kEq},  {"<>", Comparator::kNe}, {"<", Comparator::kLt},
                                           {"<=", Comparator::kLe}, {">", Comparator::kGt},  {">=", Comparator::kGe}};
struct FunctionSpec {
  std::string_view name;
  ConditionOp op;
  std::size_t arguments;
};
constexpr FunctionSpec kFunctions[] = {
    {"attribute_exists", ConditionOp::kExists, 1},   {"attribute_not_exists", ConditionOp::kNotExists, 1},
    {"attribute_type", ConditionOp::kTypeIs, 2},     {"begins_with", ConditionOp::kBeginsWith, 2},
    {"contains", ConditionOp::kContains, 2}};

bool is_orderable(Type type) { return type == Type::kS || type == Type::kN || type == Type::kB; }

class Parser {
 public:
  Parser(std::string_view text, std::string_view kind, Placeholders& placeholders)
      : tokens_(text, kind), placeholders_(placeholders) {}

  Condition parse() {
    Condition condition = parse_or();
    if (tokens_.peek().kind != TokenKind::kEnd) tokens_.syntax_error();
    return condition;
  }

 private:
  struct Depth {  // bounds the recursion of the parser and with it the depth of the tree
    explicit Depth(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kExpressionDepthMax) {
        throw_expression(parser_.tokens_.kind(), "The expression is nested too deeply; maximum: " +
                                                     std::to_string(kExpressionDepthMax));
      }
    }
    ~Depth() { --parser_.depth_; }
    Parser& parser_;
  };

  Condition parse_or() { return parse_chain("OR", ConditionOp::kOr, &Parser::parse_and); }
  Condition parse_and() { return parse_chain("AND", ConditionOp::kAnd, &Parser::parse_not); }

  Condition parse_chain(std::string_view word, ConditionOp op, Condition (Parser::*part)()) {
    Condition first = (this->*part)();
    if (!tokens_.at_word(word)) return first;
    Condition chain;
    chain.op = op;
    chain.children.push_back(std::move(first));
    while (tokens_.take_word(word)) {
      tokens_.count_operator();
      chain.children.push_back((this->*part)());
    }
    return chain;
  }

  Condition parse_not() {
    const Depth depth(*this);
    if (!tokens_.take_word("NOT")) return parse_simple();
    tokens_.count_operator();
    Condition condition;
    condition.op = ConditionOp::kNot;
    condition.children.push_back(parse_not());
    return condition;
  }

  Condition parse_simple() {
    if (tokens_.at_symbol("(")) return parse_parentheses();
    if (at_function_call(tokens_) && tokens_.peek().text != "size") return parse_function();
    return parse_comparison(parse_operand());
  }

  // "(" may hold a condition only: DynamoDB has no parentheses around operands.
  Condition parse_parentheses() {
    tokens_.expect_symbol("(");
    const std::size_t inner_begin = tokens_.position();
    const bool doubled = tokens_.at_symbol("(");
    Condition condition = parse_or();
    // The pair inside began directly after "(" and ended directly before ")": it encloses all that this pair does.
    const bool redundant = doubled && pair_begin_ == inner_begin && pair_end_ == tokens_.position();
    tokens_.expect_symbol(")");
    if (redundant) throw_expression(tokens_.kind(), "The expression has redundant parentheses;");
    pair_begin_ = inner_begin - 1;
    pair_end_ = tokens_.position();
    return condition;
  }

  Condition parse_function() {
    const Token name = tokens_.next();
    const auto spec = std::ranges::find(kFunctions, name.text, &FunctionSpec::name);
    if (spec == std::end(kFunctions)) {
      throw_expression(tokens_.kind(), "Invalid function name; function: " + std::string(name.text));
    }
    tokens_.count_operator();
    tokens_.expect_symbol("(");
    Condition condition;
    condition.op = spec->op;
    if (!tokens_.at_symbol(")")) {
      do condition.operands.push_back(parse_operand());
      while (tokens_.take_symbol(","));
    }
    tokens_.expect_symbol(")");
    if (condition.operands.size() != spec->arguments) {
      throw_operand_count(tokens_.kind(), spec->name, condition.operands.size());
    }
    check_function(condition, spec->name);
    return condition;
  }

  void check_function(const Condition& condition, std::string_view name) {
    const std::string_view kind = tokens_.kind();
    const auto& operands = condition.operands;
    const bool needs_path = condition.op == ConditionOp::kExists || condition.op == ConditionOp::kNotExists ||
                            condition.op == ConditionOp::kTypeIs;
    if (needs_path && !std::holds_alternative<Path>(operands[0])) {
      throw_expression(kind, "Operator or function requires a document path; operator or function: " + std::string(name));
    }
    if (condition.op == ConditionOp::kTypeIs) check_type_operand(operands[1]);
    if (condition.op == ConditionOp::kBeginsWith) {
      for (const Operand& operand : operands) {
        const auto* value = std::get_if<AttributeValue>(&operand);
        if (value && value->type() != Type::kS && value->type() != Type::kB) {
          throw_operand_type(kind, name, to_string(value->type()));
        }
      }
    }
    if (operands.size() == 2) check_distinct(operands, name);
  }

  void check_type_operand(const Operand& operand) {
    const auto* value = std::get_if<AttributeValue>(&operand);
    const std::string* type = value ? value->as<std::string>() : nullptr;
    if (!type) {
      throw_operand_type(tokens_.kind(), "attribute_type", value ? to_string(value->type()) : "path");
    }
    constexpr std::string_view kTypes[] = {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"};
    if (std::ranges::find(kTypes, *type) == std::end(kTypes)) {
      throw_expression(tokens_.kind(),
                       "Invalid attribute type name found; type: " + *type + ", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}");
    }
  }

  void check_distinct(const std::vector<Operand>& operands, std::string_view name) {
    const auto* first = std::get_if<Path>(&operands[0]);
    for (std::size_t i = 1; first && i < operands.size(); ++i) {
      const auto* other = std::get_if<Path>(&operands[i]);
      if (other && *first == *other) {
        throw_expression(tokens_.kind(),
                         "The first operand must be distinct from the remaining operands for this operator or function; "
                         "operator: " + std::string(name) + ", first operand: " + to_message(*first));
      }
    }
  }

  Operand parse_operand() {
    if (at_function_call(tokens_)) {
      const Token name = tokens_.next();
      if (name.text != "size") {
        const bool known = std::ranges::find(kFunctions, name.text, &FunctionSpec::name) != std::end(kFunctions);
        throw_expression(tokens_.kind(),
                         known ? "The function is not allowed to be used this way in an expression; function: " +
                                     std::string(name.text)
                               : "Invalid function name; function: " + std::string(name.text));
      }
      tokens_.count_operator();
      return parse_size();
    }
    if (tokens_.peek().kind == TokenKind::kValue) return parse_value_placeholder(tokens_, placeholders_);
    return parse_path(tokens_, placeholders_);
  }

  Operand parse_size() {
    tokens_.expect_symbol("(");
    if (tokens_.at_symbol(")")) throw_operand_count(tokens_.kind(), "size", 0);
    Operand inner = parse_operand();
    if (tokens_.at_symbol(",")) throw_operand_count(tokens_.kind(), "size", 2);
    tokens_.expect_symbol(")");
    if (auto* path = std::get_if<Path>(&inner)) return SizeOf{std::move(*path)};
    const auto* value = std::get_if<AttributeValue>(&inner);
    throw_operand_type(tokens_.kind(), "size", value ? to_string(value->type()) : "N");
    return inner;
  }

  Condition parse_comparison(Operand left) {
    Condition condition;
    condition.operands.push_back(std::move(left));
    tokens_.count_operator();
    if (tokens_.take_word("BETWEEN")) return finish_between(std::move(condition));
    if (tokens_.take_word("IN")) return finish_in(std::move(condition));
    const Token symbol = tokens_.peek();
    const auto found = std::ranges::find(kComparators, symbol.text, &ComparatorName::text);
    if (symbol.kind != TokenKind::kSymbol || found == std::end(kComparators)) tokens_.syntax_error();
    tokens_.next();
    condition.op = ConditionOp::kCompare;
    condition.comparator = found->comparator;
    condition.operands.push_back(parse_operand());
    if (condition.comparator != Comparator::kEq && condition.comparator != Comparator::kNe) {
      check_orderable(condition.operands, symbol.text);
    }
    check_distinct(condition.operands, symbol.text);
    return condition;
  }

  void check_orderable(const std::vector<Operand>& operands, std::string_view name) {
    for (const Operand& operand : operands) {
      const auto* value = std::get_if<AttributeValue>(&operand);
      if (value && !is_orderable(value->type())) throw_operand_type(tokens_.kind(), name, to_string(value->type()));
    }
  }

  Condition finish_between(Condition condition) {
    condition.op = ConditionOp::kBetween;
    condition.operands.push_back(parse_operand());
    if (!tokens_.take_word("AND")) tokens_.syntax_error();
    condition.operands.push_back(parse_operand());
    check_orderable(condition.operands, "BETWEEN");
    check_bounds(std::get_if<AttributeValue>(&condition.operands[1]), std::get_if<AttributeValue>(&condition.operands[2]));
    return condition;
  }

  void check_bounds(const AttributeValue* low, const AttributeValue* high) {
    if (!low || !high) return;
    const std::string bounds = "; lower bound operand: AttributeValue: " + to_message(*low) +
                               ", upper bound operand: AttributeValue: " + to_message(*high);
    if (low->type() != high->type()) {
      throw_expression(tokens_.kind(), "The BETWEEN operator requires same data type for lower and upper bounds" + bounds);
    }
    const bool reversed = low->type() == Type::kN   ? *low->as<Number>() > *high->as<Number>()
                          : low->type() == Type::kS ? *low->as<std::string>() > *high->as<std::string>()
                                                    : *low->as<Binary>() > *high->as<Binary>();
    if (reversed) {
      throw_expression(tokens_.kind(),
                       "The BETWEEN operator requires upper bound to be greater than or equal to lower bound" + bounds);
    }
  }

  Condition finish_in(Condition condition) {
    condition.op = ConditionOp::kIn;
    tokens_.expect_symbol("(");
    do condition.operands.push_back(parse_operand());
    while (tokens_.take_symbol(","));
    tokens_.expect_symbol(")");
    if (condition.operands.size() > 101) throw_operand_count(tokens_.kind(), "IN", condition.operands.size());
    check_distinct(condition.operands, "IN");
    return condition;
  }

  TokenStream tokens_;
  Placeholders& placeholders_;
  int depth_ = 0;
  // Positions of the last pair of parentheses that was closed.
  std::size_t pair_begin_ = 0, pair_end_ = 0;
};

}  // namespace

Condition parse_condition(std::string_view text, std::string_view kind, Placeholders& placeholders) {
  placeholders.check_form();
  return Parser(text, kind, placeholders).parse();
}

void each_path(const Condition& condition, const std::function<void(const Path&)>& visit) {
  for (const Operand& operand : condition.operands) {
    if (const auto* path = std::get_if<Path>(&operand)) visit(*path);
    if (const auto* size = std::get_if<SizeOf>(&operand)) visit(size->path);
  }
  for (const Condition& child : condition.children) each_path(child, visit);
}

}  // namespace parvis::dynamodb
