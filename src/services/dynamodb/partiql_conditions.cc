// The conditions of PartiQL statements.
#include <algorithm>
#include <iterator>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/partiql_terms.h"

namespace parvis::dynamodb {
namespace {

using Kind = PartiqlToken::Kind;

struct ComparatorName {
  std::string_view text;
  Comparator comparator;
};
constexpr ComparatorName kComparators[] = {{"=", Comparator::kEq},  {"<>", Comparator::kNe}, {"!=", Comparator::kNe},
                                           {"<", Comparator::kLt},  {"<=", Comparator::kLe}, {">", Comparator::kGt},
                                           {">=", Comparator::kGe}};
struct FunctionName {
  std::string_view text;
  ConditionOp op;
};
constexpr FunctionName kFunctions[] = {{"begins_with", ConditionOp::kBeginsWith}, {"contains", ConditionOp::kContains},
                                       {"attribute_type", ConditionOp::kTypeIs},
                                       {"attribute_exists", ConditionOp::kExists},
                                       {"attribute_not_exists", ConditionOp::kNotExists}};
constexpr std::size_t kInValuesMax = 100;

bool is_orderable(Type type) { return type == Type::kS || type == Type::kN || type == Type::kB; }

void check_orderable(const Operand& operand, std::string_view name) {
  const auto* value = std::get_if<AttributeValue>(&operand);
  if (!value || is_orderable(value->type())) return;
  throw_validation("Incorrect operand type for operator or function; operator or function: " + std::string(name) +
                   ", operand type: " + std::string(to_string(value->type())));
}

Condition make(ConditionOp op, std::vector<Operand> operands) {
  Condition condition;
  condition.op = op;
  condition.operands = std::move(operands);
  return condition;
}

Condition negated(Condition inner) {
  Condition condition;
  condition.op = ConditionOp::kNot;
  condition.children.push_back(std::move(inner));
  return condition;
}

}  // namespace

// OR < AND < NOT < predicate.
Condition PartiqlTerms::condition() { return any_of(); }

Condition PartiqlTerms::any_of() {
  Condition first = all_of();
  if (!tokens_.at_word("or")) return first;
  Condition chain = make(ConditionOp::kOr, {});
  chain.children.push_back(std::move(first));
  while (tokens_.take_word("or")) {
    if (tokens_.at_end()) throw_malformed("Missing right-hand side expression of infix operator");
    chain.children.push_back(all_of());
  }
  return chain;
}

Condition PartiqlTerms::all_of() {
  Condition first = negation();
  if (!tokens_.at_word("and")) return first;
  Condition chain = make(ConditionOp::kAnd, {});
  chain.children.push_back(std::move(first));
  while (tokens_.take_word("and")) {
    if (tokens_.at_end()) throw_malformed("Missing right-hand side expression of infix operator");
    chain.children.push_back(negation());
  }
  return chain;
}

Condition PartiqlTerms::negation() {
  const PartiqlDepth depth(*this);
  if (tokens_.take_word("not")) return negated(negation());
  return predicate();
}

Condition PartiqlTerms::predicate() {
  if (tokens_.at_end()) throw_malformed("Unexpected term");
  if (tokens_.take_symbol("(")) {
    Condition inner = any_of();
    expect(")");
    return inner;
  }
  for (const FunctionName& known : kFunctions) {
    if (!tokens_.at_word(known.text) || tokens_.peek(1).text != "(") continue;
    tokens_.next();
    return function(known.op, known.text);
  }
  Operand left = operand();
  if (tokens_.take_word("between")) return between(std::move(left));
  if (tokens_.take_word("in")) return in_list(std::move(left));
  if (tokens_.take_word("is")) return is_test(std::move(left));
  if (tokens_.at_word("not")) {
    tokens_.next();
    if (tokens_.take_word("in")) return negated(in_list(std::move(left)));
    if (tokens_.take_word("between")) return negated(between(std::move(left)));
    throw_malformed("Unexpected operator");
  }
  const PartiqlToken symbol = tokens_.peek();
  const auto found = std::ranges::find(kComparators, symbol.text, &ComparatorName::text);
  if (symbol.kind != Kind::kSymbol || found == std::end(kComparators)) {
    throw_malformed(tokens_.at_end() ? "Unexpected term" : "Unexpected token after expression");
  }
  tokens_.next();
  if (tokens_.at_end()) throw_malformed("Missing right-hand side expression of infix operator");
  Operand right = operand();
  if (found->comparator != Comparator::kEq && found->comparator != Comparator::kNe) {
    check_orderable(left, symbol.text);
    check_orderable(right, symbol.text);
  }
  Condition condition = make(ConditionOp::kCompare, {});
  condition.comparator = found->comparator;
  condition.operands.push_back(std::move(left));
  condition.operands.push_back(std::move(right));
  return condition;
}

Operand PartiqlTerms::operand() {
  if (at_value()) return value();
  for (const std::string_view word : {"is", "like", "in", "between", "and", "or"}) {
    if (tokens_.at_word(word)) throw_malformed("Unexpected operator");
  }
  if (tokens_.at_keyword()) throw_malformed("Unexpected keyword");
  if (!at_name()) throw_malformed(tokens_.peek().kind == Kind::kSymbol ? "Unexpected operator" : "Unexpected term");
  if (tokens_.peek().kind == Kind::kWord && tokens_.peek(1).kind == Kind::kSymbol && tokens_.peek(1).text == "(") {
    if (!tokens_.take_word("size")) throw_validation("Unsupported function: " + tokens_.peek().text);
    expect("(");
    Path inner = path();
    expect(")");
    return SizeOf{std::move(inner)};
  }
  return path();
}

Condition PartiqlTerms::function(ConditionOp op, std::string_view name) {
  expect("(");
  std::vector<Operand> operands;
  operands.emplace_back(path());
  while (tokens_.take_symbol(",")) operands.push_back(operand());
  expect(")");
  const std::size_t wanted = op == ConditionOp::kExists || op == ConditionOp::kNotExists ? 1 : 2;
  if (operands.size() != wanted) {
    throw_validation("Incorrect number of operands for operator or function; operator or function: " + std::string(name) +
                     ", number of operands: " + std::to_string(operands.size()));
  }
  const auto* second = wanted == 2 ? std::get_if<AttributeValue>(&operands[1]) : nullptr;
  const bool fits = op == ConditionOp::kTypeIs ? second && second->type() == Type::kS
                    : op == ConditionOp::kBeginsWith
                        ? !second || second->type() == Type::kS || second->type() == Type::kB
                        : true;
  if (!fits) {
    throw_validation("Incorrect operand type for operator or function; operator or function: " + std::string(name) +
                     ", operand type: " + std::string(second ? to_string(second->type()) : "path"));
  }
  return make(op, std::move(operands));
}

Condition PartiqlTerms::is_test(Operand left) {
  const bool inverted = tokens_.take_word("not");
  Condition test;
  if (tokens_.take_word("missing")) {
    test = make(ConditionOp::kNotExists, {std::move(left)});
  } else if (tokens_.take_word("null")) {
    test = make(ConditionOp::kTypeIs, {std::move(left), AttributeValue::string("NULL")});
  } else {
    throw_malformed("Expected type name");
  }
  return inverted ? negated(std::move(test)) : std::move(test);
}

Condition PartiqlTerms::in_list(Operand left) {
  std::vector<Operand> operands;
  operands.push_back(std::move(left));
  const bool brackets = tokens_.take_symbol("[");
  if (!brackets) expect("(");
  do operands.push_back(operand());
  while (tokens_.take_symbol(","));
  expect(brackets ? "]" : ")");
  if (operands.size() > kInValuesMax + 1) {
    throw_validation("Incorrect number of operands for operator or function; operator or function: IN, number of operands: " +
                     std::to_string(operands.size()));
  }
  return make(ConditionOp::kIn, std::move(operands));
}

Condition PartiqlTerms::between(Operand left) {
  std::vector<Operand> operands;
  operands.push_back(std::move(left));
  operands.push_back(operand());
  if (!tokens_.take_word("and")) throw_malformed("Expected AND after BETWEEN");
  operands.push_back(operand());
  for (const Operand& each : operands) check_orderable(each, "BETWEEN");
  return make(ConditionOp::kBetween, std::move(operands));
}

}  // namespace parvis::dynamodb
