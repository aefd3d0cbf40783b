// dynamodb/partiql.h: statements of PartiQL for DynamoDB, parsed into the trees that expressions make.
//
// SELECT, INSERT, UPDATE (also FROM … SET), DELETE and EXISTS(SELECT …). Throws ValidationException with DynamoDB's
// messages. Limits: 8,192 characters (the service model's), 100 levels of nesting.
// Source: Developer Guide, "PartiQL statements for DynamoDB", "PartiQL functions", "PartiQL operators".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/dynamodb/expression.h"
#include "services/dynamodb/table.h"

namespace parvis::dynamodb {

struct PartiqlStatement {
  enum class Kind { kSelect, kInsert, kUpdate, kDelete, kExists };
  Kind kind = Kind::kSelect;
  std::string table, index;  // index: empty when none is named
  Projection projection;     // kSelect; empty: "*"
  std::optional<Condition> where;
  struct Order {
    std::string attribute;
    bool descending = false;
  };
  std::vector<Order> order;
  Item item;      // kInsert
  Update update;  // kUpdate
  std::string returning;  // "ALL OLD", "MODIFIED NEW", …; empty: nothing
  bool is_read() const { return kind == Kind::kSelect; }
};
PartiqlStatement parse_partiql(std::string_view text, const std::vector<AttributeValue>& parameters);

// What the conditions that must hold say about the key: the value that the partition key must have, or all that it may
// have (IN, or equalities joined by OR), and at most one condition on the sort key.
struct KeyParts {
  std::vector<AttributeValue> partitions;  // empty: the key is not given
  std::optional<Condition> sort;
  std::vector<Item> whole_keys;            // of an OR whose every part fixes the whole key; then `partitions` is empty
  std::vector<Condition> rest;             // conditions that are neither
};
KeyParts key_parts(const KeySchema& keys, const std::optional<Condition>& where);
// The whole primary key when the conditions fix it.
std::optional<Item> exact_key(const KeySchema& keys, const KeyParts& parts);
Condition equality(const std::string& attribute, const AttributeValue& value);
// nullopt when there is nothing to join.
std::optional<Condition> all_of(std::vector<Condition> conditions);

}  // namespace parvis::dynamodb
