// dynamodb/expression.h: condition, filter, key condition, update and projection expressions: their syntax trees and parsers.
//
// Parsers throw ValidationException with DynamoDB's messages. Limits: 4 KB of text, 300 operators, bounded recursion.
// Source: Developer Guide, "Using expressions in DynamoDB"; Service quotas, "Expression parameters".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "services/dynamodb/attribute_value.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kExpressionBytesMax = 4096;
inline constexpr int kExpressionOperatorsMax = 300;
inline constexpr int kExpressionDepthMax = 100;

// a.b[0].c
struct Path {
  using Step = std::variant<std::string, std::size_t>;
  std::vector<Step> steps;
  const std::string& root() const { return std::get<std::string>(steps.front()); }
  bool operator==(const Path&) const = default;
};
std::string to_message(const Path& path);  // "[a, b, [0]]", as it stands in messages

struct SizeOf { Path path; };
using Operand = std::variant<Path, AttributeValue, SizeOf>;

enum class Comparator { kEq, kNe, kLt, kLe, kGt, kGe };
enum class ConditionOp {
  kCompare, kBetween, kIn, kExists, kNotExists, kTypeIs, kBeginsWith, kContains, kAnd, kOr, kNot,
};

struct Condition {
  ConditionOp op = ConditionOp::kCompare;
  Comparator comparator = Comparator::kEq;  // for kCompare
  std::vector<Operand> operands;
  std::vector<Condition> children;          // for kAnd, kOr, kNot
};

// The right side of SET a = …
struct SetValue {
  enum class Op { kOperand, kIfNotExists, kListAppend, kAdd, kSubtract };
  Op op = Op::kOperand;
  std::variant<Path, AttributeValue> operand;  // kOperand; the path of kIfNotExists
  std::vector<SetValue> arguments;             // two; one for kIfNotExists
};
struct Update {
  struct Set { Path path; SetValue value; };
  struct Change { Path path; AttributeValue value; };
  std::vector<Set> sets;
  std::vector<Path> removes;
  std::vector<Change> adds, deletes;  // adds: numbers and sets; of AttributeUpdates also lists, which are appended
  bool is_legacy = false;             // AttributeUpdates: other words for a wrong type
  std::vector<Path> paths() const;
};
using Projection = std::vector<Path>;

// ExpressionAttributeNames and ExpressionAttributeValues of one request, and which of them its expressions used.
class Placeholders {
 public:
  using Names = std::map<std::string, std::string>;
  Placeholders(const std::optional<Names>& names, const std::optional<AttributeMap>& values);
  // Throws when there are none in a map that is there, or one is misspelled. The parsers call it first.
  void check_form() const;
  // Throws when there are placeholders but no expression, or one that no expression used. Call after all parsing.
  // `values_expressions` names those that can use a value: "UpdateExpression and ConditionExpression".
  void check_used(bool any_expression, std::string_view values_expressions = {}) const;
  const std::string* name(std::string_view placeholder);
  const AttributeValue* value(std::string_view placeholder);

 private:
  Names names_;
  AttributeMap values_;
  bool have_names_, have_values_;
  std::set<std::string, std::less<>> used_names_, used_values_;
};

// `kind` is the parameter's name for messages: "ConditionExpression", "FilterExpression", "KeyConditionExpression".
Condition parse_condition(std::string_view text, std::string_view kind, Placeholders& placeholders);
Update parse_update(std::string_view text, Placeholders& placeholders);
Projection parse_projection(std::string_view text, Placeholders& placeholders);

bool is_reserved_word(std::string_view word);
// Throws when two paths overlap or conflict. `kind` as above.
void check_overlap(const std::vector<Path>& paths, std::string_view kind);
// Calls `visit` with each path that the condition reads.
void each_path(const Condition& condition, const std::function<void(const Path&)>& visit);

}  // namespace parvis::dynamodb
