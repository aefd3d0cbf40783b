#include "services/dynamodb/partiql_plan.h"

#include <algorithm>

#include <boost/json.hpp>

#include "core/hash.h"
#include "services/dynamodb/errors.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;

Condition existence(ConditionOp op, const std::string& attribute) {
  Condition condition;
  condition.op = op;
  Path path;
  path.steps.emplace_back(attribute);
  condition.operands.emplace_back(std::move(path));
  return condition;
}

// The order of two values of a partition key; both have the key's type.
bool key_less(const AttributeValue& a, const AttributeValue& b) {
  if (a.type() != b.type()) return a.type() < b.type();
  if (const auto* number = a.as<Number>()) return *number < *b.as<Number>();
  if (const auto* text = a.as<std::string>()) return *text < *b.as<std::string>();
  if (const auto* binary = a.as<Binary>()) return *binary < *b.as<Binary>();
  return false;
}

// Puts the partitions in the order asked for and says whether each is read forward.
bool apply_order(const PartiqlStatement& statement, const KeySchema& keys, KeyParts& parts) {
  if (statement.order.empty()) return true;
  if (!statement.where) throw_validation("Must have WHERE clause in the statement when using ORDER BY clause.");
  if (parts.partitions.empty()) {
    throw_validation("Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.");
  }
  bool forward = true;
  for (const PartiqlStatement::Order& order : statement.order) {
    if (order.attribute == keys.partition.name) {
      std::ranges::sort(parts.partitions, [&](const AttributeValue& a, const AttributeValue& b) {
        return order.descending ? key_less(b, a) : key_less(a, b);
      });
    } else if (keys.sort && order.attribute == keys.sort->name) {
      // Differs from AWS: items of several partitions are not merged into one order.
      if (parts.partitions.size() > 1 && &order == &statement.order.front()) {
        throw_validation("ORDER BY a sort key over more than one partition is not implemented; order by the partition key first");
      }
      forward = !order.descending;
    } else {
      throw_validation("Variable reference " + order.attribute + " in ORDER BY clause must be part of the primary key");
    }
  }
  return forward;
}

const IndexRecord* index_of(const TableRecord& table, const PartiqlStatement& statement, bool consistent) {
  if (statement.index.empty()) return nullptr;
  const IndexRecord* index = table.index(statement.index);
  if (!index) throw_validation("The table does not have the specified index");
  if (index->global && consistent) {
    throw_validation("Strongly consistent read is not supported on Global Secondary Indexes");
  }
  return index;
}

[[noreturn]] void throw_bad_token() { throw_validation("NextToken does not match request"); }

}  // namespace

ItemWrite plan_partiql_write(const TableRecord& table, PartiqlStatement statement) {
  using Kind = PartiqlStatement::Kind;
  ItemWrite write;
  write.table_name = table.name;
  if (statement.kind == Kind::kInsert) {
    write.kind = ItemWrite::Kind::kPut;
    write.item = std::move(statement.item);
    write.condition = existence(ConditionOp::kNotExists, table.keys.partition.name);
    write.is_insert = true;
    return write;
  }
  KeyParts parts = key_parts(table.keys, statement.where);
  std::optional<Item> key = exact_key(table.keys, parts);
  if (statement.kind == Kind::kExists && (!key || parts.rest.empty() || !statement.index.empty())) {
    throw_validation("EXISTS() must contain a single item read with additional condition");
  }
  if (!key) throw_validation("Where clause does not contain a mandatory equality on all key attributes");
  write.item = std::move(*key);
  if (statement.kind == Kind::kUpdate) {
    write.kind = ItemWrite::Kind::kUpdate;
    write.update = std::move(statement.update);
    parts.rest.push_back(existence(ConditionOp::kExists, table.keys.partition.name));
  } else {
    write.kind = statement.kind == Kind::kDelete ? ItemWrite::Kind::kDelete : ItemWrite::Kind::kCheck;
  }
  write.condition = all_of(std::move(parts.rest));
  return write;
}

std::string statement_mark(std::string_view statement, const std::vector<AttributeValue>& parameters) {
  std::string bytes(statement);
  for (const AttributeValue& parameter : parameters) {
    bytes.push_back('\0');
    attribute_to_json(parameter, bytes);
  }
  return hex_encode(sha256(bytes)).substr(0, 32);
}

std::string encode_next_token(const PartiqlPosition& position, std::string_view statement_mark) {
  json::object token{{"mark", statement_mark}, {"part", static_cast<std::int64_t>(position.part)}};
  if (position.key) token["key"] = item_to_json(*position.key);
  return base64_encode(json::serialize(token));
}

PartiqlPosition decode_next_token(std::string_view token, std::string_view statement_mark) {
  const std::optional<std::string> bytes = base64_decode(token);
  boost::system::error_code error;
  const json::value parsed = bytes ? json::parse(*bytes, error) : json::value();
  const json::object* members = error ? nullptr : parsed.if_object();
  const json::value* mark = members ? members->if_contains("mark") : nullptr;
  const json::value* part = members ? members->if_contains("part") : nullptr;
  if (!mark || !mark->is_string() || !part || !part->is_int64() || part->as_int64() < 0) throw_bad_token();
  if (std::string_view(mark->as_string()) != statement_mark) throw_bad_token();
  PartiqlPosition position;
  position.part = static_cast<std::size_t>(part->as_int64());
  const json::value* key = members->if_contains("key");
  if (!key) return position;
  if (!key->is_object()) throw_bad_token();
  position.key.emplace();
  for (const auto& [name, value] : key->as_object()) {
    std::expected<AttributeValue, std::string> attribute = attribute_from_json(value);
    if (!attribute) throw_bad_token();
    position.key->insert_or_assign(std::string(name), std::move(*attribute));
  }
  return position;
}

awaitable<PartiqlPage> read_partiql_page(Catalog& catalog, aws::Scope scope, PartiqlStatement statement, PartiqlSelect select) {
  const Table table = co_await catalog.find(catalog.store().snapshot(), scope, select.table_name);
  const IndexRecord* index = index_of(*table, statement, select.consistent);
  const KeySchema& keys = index ? index->keys : table->keys;
  KeyParts parts = key_parts(keys, statement.where);
  PageRequest request;
  request.table_name = select.table_name;
  if (index) request.index_name = index->name;
  request.consistent = select.consistent;
  request.is_statement = true;
  if (!statement.projection.empty()) request.projection = statement.projection;
  request.forward = apply_order(statement, keys, parts);
  const bool is_scan = parts.partitions.empty();
  const bool is_get = !index && exact_key(keys, parts).has_value();
  request.filter = is_scan ? statement.where : all_of(std::move(parts.rest));

  PartiqlPage out;
  PartiqlPosition at = std::move(select.from);
  const std::size_t count = is_scan ? 1 : parts.partitions.size();
  if (at.part >= count) throw_bad_token();
  for (; at.part < count; ++at.part, at.key.reset()) {
    PageRequest each = request;
    if (!is_scan) {
      std::vector<Condition> condition{equality(keys.partition.name, parts.partitions[at.part])};
      if (parts.sort) condition.push_back(*parts.sort);
      each.key_condition = all_of(std::move(condition));
    }
    each.start_key = at.key;
    if (select.limit) each.limit = *select.limit - out.page.scanned_count;
    Page page = co_await read_page(catalog, scope, std::move(each));
    out.page.table = page.table;
    out.page.count += page.count;
    out.page.scanned_count += page.scanned_count;
    out.page.bytes_read += page.bytes_read;
    out.page.bytes_fetched += page.bytes_fetched;
    std::ranges::move(page.items, std::back_inserter(out.page.items));
    if (page.last_key && !is_get) {
      out.page.last_key = page.last_key;
      out.next = PartiqlPosition{at.part, std::move(page.last_key)};
      break;
    }
    const bool full = out.page.bytes_read >= kPageBytesMax || (select.limit && out.page.scanned_count >= *select.limit);
    if (full && at.part + 1 < count) {
      out.next = PartiqlPosition{at.part + 1, std::nullopt};
      break;
    }
  }
  if (request.projection) {
    for (Item& item : out.page.items) item = project_named(item, *request.projection);
  }
  co_return out;
}

Item project_named(const Item& item, const Projection& projection) {
  Item out;
  for (std::size_t i = 0; i < projection.size(); ++i) {
    const AttributeValue* value = find(item, projection[i]);
    if (!value) continue;
    const auto* name = std::get_if<std::string>(&projection[i].steps.back());
    out.insert_or_assign(name ? *name : "_" + std::to_string(i + 1), *value);
  }
  return out;
}

}  // namespace parvis::dynamodb
