// dynamodb/partiql_terms.h: paths, values and conditions inside of PartiQL statements. Internal to the parser.
#pragma once

#include <string>
#include <vector>

#include "services/dynamodb/expression.h"
#include "services/dynamodb/partiql_lexer.h"

namespace parvis::dynamodb {

class PartiqlTerms;

// Bounds the recursion of the parser and with it the depth of what it makes.
class PartiqlDepth {
 public:
  explicit PartiqlDepth(PartiqlTerms& terms);
  ~PartiqlDepth();
  PartiqlDepth(const PartiqlDepth&) = delete;

 private:
  PartiqlTerms& terms_;
};

class PartiqlTerms {
 public:
  // Both outlive the reader.
  PartiqlTerms(PartiqlTokens& tokens, const std::vector<AttributeValue>& parameters)
      : tokens_(tokens), parameters_(parameters) {}

  Path path();
  bool at_name() const;
  std::string name();
  // `place` is where the value stands inside of its attribute, for messages: ".x[1]".
  AttributeValue value(const std::string& place = {});
  bool at_value() const;
  Condition condition();
  Operand operand();
  void expect(std::string_view symbol);
  // Throws unless the statement used every parameter.
  void check_all_used() const;

 private:
  friend class PartiqlDepth;
  Condition any_of();
  Condition all_of();
  Condition negation();
  Condition predicate();
  Condition function(ConditionOp op, std::string_view name);
  Condition is_test(Operand left);
  Condition in_list(Operand left);
  Condition between(Operand left);
  AttributeValue number(bool negative, const std::string& place);
  AttributeValue list(const std::string& place);
  AttributeValue tuple(const std::string& place);
  AttributeValue bag(const std::string& place);

  PartiqlTokens& tokens_;
  const std::vector<AttributeValue>& parameters_;
  std::size_t used_ = 0;
  int depth_ = 0;
};

}  // namespace parvis::dynamodb
