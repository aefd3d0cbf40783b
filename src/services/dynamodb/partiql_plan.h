// dynamodb/partiql_plan.h: what a PartiQL statement does to a table: an item write, or pages of a query or scan.
// Source: Developer Guide, "PartiQL select/insert/update/delete statements", "PartiQL transactions".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/dynamodb/item_store.h"
#include "services/dynamodb/partiql.h"
#include "services/dynamodb/query.h"

namespace parvis::dynamodb {

// Of an INSERT, UPDATE, DELETE or EXISTS. `table_name` is the statement's table. Throws ValidationException when the
// statement does not fix the whole key.
ItemWrite plan_partiql_write(const TableRecord& table, PartiqlStatement statement);

// Where a SELECT goes on: at one of the partitions that the statement names, behind a key; of a merged order in each of them.
struct PartiqlPosition {
  struct Run {
    bool ended = false;
    std::optional<Item> key;
  };
  std::size_t part = 0;
  std::optional<Item> key;
  std::vector<Run> runs;
};
// Opaque to the client. `statement_mark` tells one statement with its parameters from another.
std::string encode_next_token(const PartiqlPosition& position, std::string_view statement_mark);
PartiqlPosition decode_next_token(std::string_view token, std::string_view statement_mark);
std::string statement_mark(std::string_view statement, const std::vector<AttributeValue>& parameters);

// The order of two values of one key attribute.
bool key_less(const AttributeValue& a, const AttributeValue& b);

// Throws ValidationException for an index that PartiQL cannot read.
void check_readable(const IndexRecord& index);

struct PartiqlSelect {
  std::string table_name;
  bool consistent = false;
  std::optional<std::int64_t> limit;  // items looked at
  PartiqlPosition from;
};
struct PartiqlPage {
  Page page;  // `items` are as the projection gives them
  std::optional<PartiqlPosition> next;
};
// One page: Query on each partition that the conditions name, else Scan.
awaitable<PartiqlPage> read_partiql_page(Catalog& catalog, aws::Scope scope, PartiqlStatement statement, PartiqlSelect select);

// The same when the items of several partitions come in one order, that of their sort keys (partiql_merge.cc). `request`
// has all but the key condition, and no projection.
awaitable<PartiqlPage> read_merged_page(Catalog& catalog, aws::Scope scope, const TableRecord& table, const KeySchema& keys,
                                        KeyParts parts, PageRequest request, PartiqlSelect select);

// Each attribute by the last name of its path; an element of a list by its place in the projection ("_1").
Item project_named(const Item& item, const Projection& projection);

}  // namespace parvis::dynamodb
