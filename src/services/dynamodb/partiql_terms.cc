#include "services/dynamodb/partiql_terms.h"

#include <algorithm>
#include <iterator>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/expression_lexer.h"

namespace parvis::dynamodb {

// Bounds the recursion of the parser and with it the depth of what it makes.
class PartiqlDepth {
 public:
  explicit PartiqlDepth(PartiqlTerms& terms) : terms_(terms) {
    if (++terms_.depth_ > kExpressionDepthMax) throw_malformed("Nesting is too deep");
  }
  ~PartiqlDepth() { --terms_.depth_; }
  PartiqlDepth(const PartiqlDepth&) = delete;

 private:
  PartiqlTerms& terms_;
};

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

template <class Set, class Value>
AttributeValue make_set(std::vector<Value> values) {
  std::ranges::sort(values);
  if (std::ranges::adjacent_find(values) != values.end()) throw_validation("Input collection contains duplicates");
  return AttributeValue{Set{std::move(values)}};
}

}  // namespace

bool PartiqlTerms::at_name() const {
  return tokens_.peek().kind == Kind::kQuoted || (tokens_.peek().kind == Kind::kWord && !tokens_.at_keyword());
}

std::string PartiqlTerms::name() {
  if (!at_name()) throw_malformed(tokens_.at_keyword() ? "Unexpected keyword" : "Expected identifier for simple path");
  std::string text = tokens_.next().text;
  if (text.empty()) throw_validation("Path component cannot be an empty string");
  return text;
}

Path PartiqlTerms::path() {
  Path path;
  path.steps.emplace_back(name());
  while (true) {
    if (tokens_.take_symbol(".")) {
      path.steps.emplace_back(name());
    } else if (tokens_.take_symbol("[")) {
      const PartiqlToken token = tokens_.next();
      if (token.kind == Kind::kString) {
        path.steps.emplace_back(token.text);
      } else {
        const bool whole = token.kind == Kind::kNumber && token.text.size() < 9 &&
                           token.text.find_first_not_of("0123456789") == std::string::npos;
        if (!whole) throw_malformed("Expected an index");
        path.steps.emplace_back(static_cast<std::size_t>(std::stoul(token.text)));
      }
      expect("]");
    } else {
      break;
    }
  }
  if (path.steps.size() > static_cast<std::size_t>(kNestingDepthMax)) {
    throw_validation("The document path has too many nesting elements; nesting elements: " + std::to_string(path.steps.size()));
  }
  return path;
}

void PartiqlTerms::expect(std::string_view symbol) {
  if (!tokens_.take_symbol(symbol)) throw_malformed("Expected " + std::string(symbol));
}

bool PartiqlTerms::at_value() const {
  const PartiqlToken& token = tokens_.peek();
  if (token.kind == Kind::kString || token.kind == Kind::kNumber || token.kind == Kind::kParameter) return true;
  if (token.kind == Kind::kSymbol) {
    return token.text == "-" || token.text == "+" || token.text == "[" || token.text == "{" || token.text == "<<";
  }
  return tokens_.at_word("true") || tokens_.at_word("false") || tokens_.at_word("null");
}

AttributeValue PartiqlTerms::value(const std::string& place) {
  const PartiqlDepth depth(*this);
  if (tokens_.take_symbol("-")) return number(true, place);
  if (tokens_.take_symbol("+") || tokens_.peek().kind == Kind::kNumber) return number(false, place);
  if (tokens_.peek().kind == Kind::kString) return AttributeValue::string(tokens_.next().text);
  if (tokens_.peek().kind == Kind::kParameter) {
    tokens_.next();
    if (used_ >= parameters_.size()) throw_validation("Number of parameters in request and statement don't match.");
    return parameters_[used_++];
  }
  if (tokens_.take_word("true")) return AttributeValue{true};
  if (tokens_.take_word("false")) return AttributeValue{false};
  if (tokens_.take_word("null")) return AttributeValue{Null{}};
  if (tokens_.take_symbol("[")) return list(place);
  if (tokens_.take_symbol("{")) return tuple(place);
  if (tokens_.take_symbol("<<")) return bag(place);
  throw_malformed("Unexpected term");
}

AttributeValue PartiqlTerms::number(bool negative, const std::string& place) {
  if (tokens_.peek().kind != Kind::kNumber) throw_malformed("Unexpected term");
  const std::expected<Number, std::string> parsed = Number::parse(tokens_.next().text);
  if (!parsed) throw_validation(parsed.error() + " under root" + place);
  return AttributeValue::number(negative ? parsed->negated() : *parsed);
}

AttributeValue PartiqlTerms::list(const std::string& place) {
  AttributeValue::List values;
  if (!tokens_.at_symbol("]")) {
    do values.push_back(value(place + "[" + std::to_string(values.size()) + "]"));
    while (tokens_.take_symbol(","));
  }
  expect("]");
  return AttributeValue{std::move(values)};
}

AttributeValue PartiqlTerms::tuple(const std::string& place) {
  AttributeMap members;
  if (!tokens_.at_symbol("}")) {
    do {
      if (tokens_.peek().kind != Kind::kString) throw_malformed("Expected a string as the name of a member");
      const std::string name = tokens_.next().text;
      expect(":");
      members.insert_or_assign(name, value(place + "." + name));
    } while (tokens_.take_symbol(","));
  }
  expect("}");
  return AttributeValue::map(std::move(members));
}

AttributeValue PartiqlTerms::bag(const std::string& place) {
  std::vector<std::string> strings;
  std::vector<Number> numbers;
  while (!tokens_.at_symbol(">>")) {
    const AttributeValue element = value(place);
    if (const auto* text = element.as<std::string>()) strings.push_back(*text);
    else if (const auto* number = element.as<Number>()) numbers.push_back(*number);
    else throw_validation("Unsupported data type in Bag: " + std::string(to_string(element.type())));
    if (!tokens_.take_symbol(",")) break;
  }
  expect(">>");
  if (strings.empty() && numbers.empty()) throw_validation("Empty bags are not supported");
  if (!strings.empty() && !numbers.empty()) throw_validation("DynamoDB only supports either numbers or strings in bags");
  if (!strings.empty()) return make_set<StringSet>(std::move(strings));
  return make_set<NumberSet>(std::move(numbers));
}

void PartiqlTerms::check_all_used() const {
  if (used_ != parameters_.size()) throw_validation("Number of parameters in request and statement don't match.");
}

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
