#include "services/dynamodb/partiql.h"

#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/expression_lexer.h"
#include "services/dynamodb/partiql_terms.h"

namespace parvis::dynamodb {
namespace {

using Kind = PartiqlToken::Kind;
using Statement = PartiqlStatement;

class Parser {
 public:
  Parser(std::string_view text, const std::vector<AttributeValue>& parameters) : tokens_(text), terms_(tokens_, parameters) {}

  Statement parse() {
    if (tokens_.take_word("select")) {
      select();
    } else if (tokens_.take_word("insert")) {
      insert();
    } else if (tokens_.take_word("update")) {
      statement_.kind = Statement::Kind::kUpdate;
      table("Expected identifier for simple path");
      refuse_alias();
      changes();
      where();
      returning();
    } else if (tokens_.take_word("from")) {
      statement_.kind = Statement::Kind::kUpdate;
      table("Unexpected term");
      refuse_alias();
      where();
      changes();
      returning();
    } else if (tokens_.take_word("delete")) {
      statement_.kind = Statement::Kind::kDelete;
      if (!tokens_.take_word("from")) throw_malformed("Expected FROM");
      table("Expected identifier for simple path");
      refuse_alias();
      where();
      returning();
      check_delete_returning();
    } else if (tokens_.take_word("exists")) {
      exists();
    } else {
      throw_malformed("Expected data manipulation");
    }
    if (!tokens_.at_end()) throw_malformed("Unexpected token after expression");
    terms_.check_all_used();
    return std::move(statement_);
  }

 private:
  void select() {
    statement_.kind = Statement::Kind::kSelect;
    projection();
    if (!tokens_.take_word("from")) throw_malformed("Expected FROM");
    table("Unexpected term");
    refuse_alias();
    where();
    order();
  }

  void projection() {
    if (tokens_.take_symbol("*")) {
      if (tokens_.at_symbol(",")) throw_validation("Other attributes should not be present in the projection when '*' is used.");
      return;
    }
    do {
      if (tokens_.at_symbol("*")) throw_validation("Other attributes should not be present in the projection when '*' is used.");
      if (!terms_.at_name()) throw_malformed("Unexpected term");
      statement_.projection.push_back(terms_.path());
      if (tokens_.at_symbol("(")) throw_validation("Unsupported function in SELECT: " + statement_.projection.back().root());
      if (tokens_.at_word("as")) throw_validation("Aliasing is not supported");
    } while (tokens_.take_symbol(","));
    check_overlap(statement_.projection, "ProjectionExpression");
  }

  // "table" or "table"."index".
  void table(std::string_view missing) {
    if (!terms_.at_name()) throw_malformed(missing);
    std::vector<std::string> parts{terms_.name()};
    while (tokens_.take_symbol(".")) parts.push_back(terms_.name());
    if (parts.size() > 2) throw_validation("A path may contain at most 2 components in the FROM clause");
    statement_.table = parts[0];
    if (parts.size() == 2) statement_.index = parts[1];
    const bool reads = statement_.kind == Statement::Kind::kSelect;
    if (!reads && parts.size() == 2) throw_validation("Indexes are not supported in statements that write");
  }

  void refuse_alias() {
    if (tokens_.at_word("as") || terms_.at_name()) throw_validation("Aliasing is not supported");
  }

  void where() {
    if (tokens_.take_word("where")) statement_.where = terms_.condition();
  }

  void order() {
    if (!tokens_.take_word("order")) return;
    if (!tokens_.take_word("by")) throw_malformed("Expected BY");
    do {
      Statement::Order order;
      const Path path = terms_.path();
      if (path.steps.size() > 1) throw_validation("ORDER BY is supported on key attributes only");
      order.attribute = path.root();
      if (tokens_.take_word("desc")) order.descending = true;
      else tokens_.take_word("asc");
      statement_.order.push_back(std::move(order));
    } while (tokens_.take_symbol(","));
  }

  void insert() {
    statement_.kind = Statement::Kind::kInsert;
    if (!tokens_.take_word("into")) throw_malformed("Expected INTO");
    table("Expected identifier for simple path");
    if (!tokens_.take_word("value")) {
      throw_malformed(tokens_.at_end() ? "Expected VALUE" : "Unexpected token after expression");
    }
    if (!tokens_.take_symbol("{")) throw_malformed("Expected a tuple");
    do {
      if (tokens_.peek().kind != Kind::kString) throw_malformed("Expected a string as the name of an attribute");
      const std::string name = tokens_.next().text;
      if (name.empty()) throw_validation("Attribute name must not be empty");
      terms_.expect(":");
      if (!statement_.item.try_emplace(name, terms_.value()).second) {
        throw_validation("One or more parameter values were invalid: Duplicate attribute: " + name);
      }
    } while (tokens_.take_symbol(","));
    terms_.expect("}");
  }

  // SET path = value [, path = value …] | REMOVE path [, path …], as often as wanted.
  void changes() {
    while (true) {
      if (tokens_.take_word("set")) {
        do assignment();
        while (tokens_.take_symbol(","));
      } else if (tokens_.take_word("remove")) {
        do statement_.update.removes.push_back(terms_.path());
        while (tokens_.take_symbol(","));
      } else {
        break;
      }
    }
    if (statement_.update.paths().empty()) throw_malformed("Expected SET or REMOVE");
    check_overlap(statement_.update.paths(), "UpdateExpression");
  }

  void assignment() {
    Path target = terms_.path();
    terms_.expect("=");
    const bool adds = tokens_.at_word("set_add"), deletes = tokens_.at_word("set_delete");
    if ((adds || deletes) && tokens_.peek(1).text == "(") {
      const std::string name = tokens_.next().text;
      terms_.expect("(");
      const Path source = terms_.path();
      if (source != target) throw_validation("The first operand of " + name + " must be the attribute that is set");
      terms_.expect(",");
      AttributeValue value = terms_.value();
      const Type type = value.type();
      if (type != Type::kSS && type != Type::kNS && type != Type::kBS) {
        throw_validation("Incorrect operand type for operator or function; operator or function: " + name +
                         ", operand type: " + std::string(to_string(type)));
      }
      terms_.expect(")");
      auto& changes = adds ? statement_.update.adds : statement_.update.deletes;
      changes.push_back({std::move(target), std::move(value)});
      return;
    }
    statement_.update.sets.push_back({std::move(target), sum()});
  }

  SetValue sum() {
    SetValue left = operand();
    if (!tokens_.at_symbol("+") && !tokens_.at_symbol("-")) return left;
    SetValue sum;
    sum.op = tokens_.next().text == "+" ? SetValue::Op::kAdd : SetValue::Op::kSubtract;
    sum.arguments.push_back(std::move(left));
    sum.arguments.push_back(operand());
    return sum;
  }

  SetValue operand() {
    SetValue value;
    if (tokens_.at_word("list_append") && tokens_.peek(1).text == "(") {
      tokens_.next();
      terms_.expect("(");
      value.op = SetValue::Op::kListAppend;
      value.arguments.push_back(simple());
      terms_.expect(",");
      value.arguments.push_back(simple());
      terms_.expect(")");
      return value;
    }
    return simple();
  }

  SetValue simple() {
    SetValue value;
    if (terms_.at_value()) {
      value.operand = terms_.value();
      return value;
    }
    Path path = terms_.path();
    if (tokens_.at_symbol("(")) throw_validation("Unsupported function: " + path.root());
    value.operand = std::move(path);
    return value;
  }

  void returning() {
    if (!tokens_.take_word("returning")) return;
    const std::string_view which = tokens_.take_word("all") ? "ALL" : tokens_.take_word("modified") ? "MODIFIED" : "";
    const std::string_view when = tokens_.take_word("old") ? "OLD" : tokens_.take_word("new") ? "NEW" : "";
    if (which.empty() || when.empty()) throw_malformed("Expected ALL or MODIFIED, then OLD or NEW");
    if (!tokens_.take_symbol("*")) throw_malformed("Expected * in the returning clause");
    statement_.returning = std::string(which) + " " + std::string(when);
  }

  void check_delete_returning() {
    if (statement_.returning.empty() || statement_.returning == "ALL OLD") return;
    throw_validation("Invalid returning clause: RETURNING " + statement_.returning +
                     " *. Only RETURNING ALL OLD * is allowed in DELETE statements.");
  }

  void exists() {
    terms_.expect("(");
    if (!tokens_.take_word("select")) throw_malformed("Expected SELECT");
    select();
    statement_.kind = Statement::Kind::kExists;
    terms_.expect(")");
  }

  PartiqlTokens tokens_;
  PartiqlTerms terms_;
  Statement statement_;
};

}  // namespace

PartiqlStatement parse_partiql(std::string_view text, const std::vector<AttributeValue>& parameters) {
  return Parser(text, parameters).parse();
}

}  // namespace parvis::dynamodb
