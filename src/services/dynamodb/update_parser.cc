#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/expression_parts.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kKind = "UpdateExpression";

// How the messages of ADD and DELETE spell a type.
std::string_view long_type_name(Type type) {
  constexpr std::string_view kNames[] = {"STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL",
                                         "LIST",   "MAP",    "STRING_SET", "NUMBER_SET", "BINARY_SET"};
  return kNames[static_cast<std::size_t>(type)];
}

class Parser {
 public:
  Parser(std::string_view text, Placeholders& placeholders) : tokens_(text, kKind), placeholders_(placeholders) {}

  Update parse() {
    while (tokens_.peek().kind != TokenKind::kEnd) parse_section();
    check_overlap(update_.paths(), kKind);
    return std::move(update_);
  }

 private:
  void begin_section(bool& seen, std::string_view name) {
    if (seen) {
      throw_expression(kKind, "The \"" + std::string(name) + "\" section can only be used once in an update expression;");
    }
    seen = true;
  }

  void parse_section() {
    if (tokens_.take_word("SET")) {
      begin_section(seen_set_, "SET");
      do parse_set();
      while (tokens_.take_symbol(","));
    } else if (tokens_.take_word("REMOVE")) {
      begin_section(seen_remove_, "REMOVE");
      do {
        tokens_.count_operator();
        update_.removes.push_back(parse_path(tokens_, placeholders_));
      } while (tokens_.take_symbol(","));
    } else if (tokens_.take_word("ADD")) {
      begin_section(seen_add_, "ADD");
      do parse_change(update_.adds, "ADD");
      while (tokens_.take_symbol(","));
    } else if (tokens_.take_word("DELETE")) {
      begin_section(seen_delete_, "DELETE");
      do parse_change(update_.deletes, "DELETE");
      while (tokens_.take_symbol(","));
    } else {
      tokens_.syntax_error();
    }
  }

  void parse_set() {
    tokens_.count_operator();
    Path path = parse_path(tokens_, placeholders_);
    tokens_.expect_symbol("=");
    update_.sets.push_back({std::move(path), parse_sum()});
  }

  SetValue parse_sum() {
    SetValue left = parse_operand(0);
    if (!tokens_.at_symbol("+") && !tokens_.at_symbol("-")) return left;
    const std::string symbol(tokens_.next().text);
    tokens_.count_operator();
    SetValue sum;
    sum.op = symbol == "+" ? SetValue::Op::kAdd : SetValue::Op::kSubtract;
    sum.arguments.push_back(std::move(left));
    sum.arguments.push_back(parse_operand(0));
    for (const SetValue& argument : sum.arguments) check_literal(argument, Type::kN, symbol);
    return sum;
  }

  void check_literal(const SetValue& argument, Type wanted, std::string_view name) {
    const auto* value = std::get_if<AttributeValue>(&argument.operand);
    if (argument.op == SetValue::Op::kOperand && value && value->type() != wanted) {
      throw_operand_type(kKind, name, to_string(value->type()));
    }
  }

  SetValue parse_operand(int depth) {
    if (depth > kExpressionDepthMax) throw_expression(kKind, "The expression is nested too deeply;");
    if (at_function_call(tokens_)) return parse_function(depth);
    SetValue value;
    if (tokens_.peek().kind == TokenKind::kValue) value.operand = parse_value_placeholder(tokens_, placeholders_);
    else value.operand = parse_path(tokens_, placeholders_);
    return value;
  }

  SetValue parse_function(int depth) {
    const std::string name(tokens_.next().text);
    const bool if_not_exists = name == "if_not_exists";
    if (!if_not_exists && name != "list_append") {
      constexpr std::string_view kOthers[] = {"attribute_exists", "attribute_not_exists", "attribute_type",
                                              "begins_with", "contains", "size"};
      const bool known = std::ranges::find(kOthers, name) != std::end(kOthers);
      throw_expression(kKind, known ? "The function is not allowed in an update expression; function: " + name
                                    : "Invalid function name; function: " + name);
    }
    tokens_.count_operator();
    tokens_.expect_symbol("(");
    std::vector<SetValue> arguments;
    if (!tokens_.at_symbol(")")) {
      do arguments.push_back(parse_operand(depth + 1));
      while (tokens_.take_symbol(","));
    }
    tokens_.expect_symbol(")");
    if (arguments.size() != 2) throw_operand_count(kKind, name, arguments.size());
    SetValue value;
    if (!if_not_exists) {
      value.op = SetValue::Op::kListAppend;
      for (const SetValue& argument : arguments) check_literal(argument, Type::kL, name);
      value.arguments = std::move(arguments);
      return value;
    }
    if (arguments[0].op != SetValue::Op::kOperand || !std::holds_alternative<Path>(arguments[0].operand)) {
      throw_expression(kKind, "Operator or function requires a document path; operator or function: if_not_exists");
    }
    value.op = SetValue::Op::kIfNotExists;
    value.operand = std::move(arguments[0].operand);
    value.arguments.push_back(std::move(arguments[1]));
    return value;
  }

  void parse_change(std::vector<Update::Change>& out, std::string_view name) {
    tokens_.count_operator();
    Path path = parse_path(tokens_, placeholders_);
    AttributeValue value = parse_value_placeholder(tokens_, placeholders_);
    const Type type = value.type();
    const bool is_set = type == Type::kSS || type == Type::kNS || type == Type::kBS;
    if (!is_set && !(name == "ADD" && type == Type::kN)) {
      throw_expression(kKind, "Incorrect operand type for operator or function; operator: " + std::string(name) +
                                  ", operand type: " + std::string(long_type_name(type)));
    }
    out.push_back({std::move(path), std::move(value)});
  }

  TokenStream tokens_;
  Placeholders& placeholders_;
  Update update_;
  bool seen_set_ = false, seen_remove_ = false, seen_add_ = false, seen_delete_ = false;
};

}  // namespace

Update parse_update(std::string_view text, Placeholders& placeholders) {
  placeholders.check_form();
  return Parser(text, placeholders).parse();
}

std::vector<Path> Update::paths() const {
  std::vector<Path> out;
  for (const Set& set : sets) out.push_back(set.path);
  for (const Path& path : removes) out.push_back(path);
  for (const Change& change : adds) out.push_back(change.path);
  for (const Change& change : deletes) out.push_back(change.path);
  return out;
}

}  // namespace parvis::dynamodb
