#include "services/dynamodb/partiql_terms.h"

#include <algorithm>

#include "services/dynamodb/errors.h"

namespace parvis::dynamodb {
namespace {

using Kind = PartiqlToken::Kind;

template <class Set, class Value>
AttributeValue make_set(std::vector<Value> values) {
  std::ranges::sort(values);
  if (std::ranges::adjacent_find(values) != values.end()) throw_validation("Input collection contains duplicates");
  return AttributeValue{Set{std::move(values)}};
}

}  // namespace

PartiqlDepth::PartiqlDepth(PartiqlTerms& terms) : terms_(terms) {
  if (++terms_.depth_ > kExpressionDepthMax) throw_malformed("Nesting is too deep");
}

PartiqlDepth::~PartiqlDepth() { --terms_.depth_; }

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

}  // namespace parvis::dynamodb
