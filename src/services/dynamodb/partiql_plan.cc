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

struct Direction {
  bool forward = true;
  bool merged = false;  // the sort key goes before the partition
};

void order_whole_keys(const PartiqlStatement& statement, KeyParts& parts) {
  std::ranges::sort(parts.whole_keys, [&](const Item& a, const Item& b) {
    for (const PartiqlStatement::Order& order : statement.order) {
      const AttributeValue &x = a.at(order.attribute), &y = b.at(order.attribute);
      if (key_less(x, y) || key_less(y, x)) return key_less(x, y) != order.descending;
    }
    return false;
  });
}

// Puts the partitions in the order asked for and says how each is read.
Direction apply_order(const PartiqlStatement& statement, const KeySchema& keys, KeyParts& parts) {
  Direction out;
  if (statement.order.empty()) return out;
  if (!statement.where) throw_validation("Must have WHERE clause in the statement when using ORDER BY clause.");
  if (parts.partitions.empty() && parts.whole_keys.empty()) {
    throw_validation("Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.");
  }
  for (const PartiqlStatement::Order& order : statement.order) {
    if (order.attribute == keys.partition.name) {
      std::ranges::sort(parts.partitions, [&](const AttributeValue& a, const AttributeValue& b) {
        return order.descending ? key_less(b, a) : key_less(a, b);
      });
    } else if (keys.sort && order.attribute == keys.sort->name) {
      out.merged = parts.partitions.size() > 1 && &order == &statement.order.front();
      out.forward = !order.descending;
    } else {
      throw_validation("Variable reference " + order.attribute + " in ORDER BY clause must be part of the primary key");
    }
  }
  order_whole_keys(statement, parts);
  return out;
}

const IndexRecord* index_of(const TableRecord& table, const PartiqlStatement& statement, bool consistent) {
  if (statement.index.empty()) return nullptr;
  const IndexRecord* index = table.index(statement.index);
  if (!index) throw_validation("The table does not have the specified index");
  check_readable(*index);
  if (index->global && consistent) {
    throw_validation("Strongly consistent read is not supported on Global Secondary Indexes");
  }
  return index;
}

[[noreturn]] void throw_bad_token() { throw_validation("NextToken does not match request"); }

Item key_of_token(const json::value& value) {
  if (!value.is_object()) throw_bad_token();
  Item key;
  for (const auto& [name, member] : value.get_object()) {
    std::expected<AttributeValue, std::string> attribute = attribute_from_json(member);
    if (!attribute) throw_bad_token();
    key.insert_or_assign(std::string(name), std::move(*attribute));
  }
  return key;
}

}  // namespace

void check_readable(const IndexRecord& index) {
  if (!index.keys.is_multi_attribute()) return;
  throw_validation("PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys.");
}

bool key_less(const AttributeValue& a, const AttributeValue& b) {
  if (a.type() != b.type()) return a.type() < b.type();
  if (const auto* number = a.as<Number>()) return *number < *b.as<Number>();
  if (const auto* text = a.as<std::string>()) return *text < *b.as<std::string>();
  if (const auto* binary = a.as<Binary>()) return *binary < *b.as<Binary>();
  return false;
}

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
  if (!position.runs.empty()) {
    json::array runs;
    for (const PartiqlPosition::Run& run : position.runs) {
      runs.push_back(run.ended ? json::value(true) : run.key ? json::value(item_to_json(*run.key)) : json::value());
    }
    token["runs"] = std::move(runs);
  }
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
  if (const json::value* key = members->if_contains("key")) position.key = key_of_token(*key);
  const json::value* runs = members->if_contains("runs");
  if (runs && !runs->is_array()) throw_bad_token();
  for (std::size_t i = 0; runs && i < runs->get_array().size(); ++i) {
    const json::value& run = runs->get_array()[i];
    PartiqlPosition::Run& out = position.runs.emplace_back();
    out.ended = run.is_bool();
    if (!run.is_bool() && !run.is_null()) out.key = key_of_token(run);
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
  const Direction direction = apply_order(statement, keys, parts);
  request.forward = direction.forward;
  const bool is_scan = parts.partitions.empty() && parts.whole_keys.empty();
  if (direction.merged) {
    PartiqlPage merged = co_await read_merged_page(catalog, scope, *table, keys, std::move(parts), std::move(request), std::move(select));
    for (Item& item : merged.page.items) {
      if (!statement.projection.empty()) item = project_named(item, statement.projection);
    }
    co_return merged;
  }
  if (!statement.projection.empty()) request.projection = statement.projection;
  const bool is_get = !index && exact_key(keys, parts).has_value();
  request.filter = is_scan ? statement.where : all_of(std::move(parts.rest));

  PartiqlPage out;
  PartiqlPosition at = std::move(select.from);
  const std::size_t count = is_scan ? 1 : std::max(parts.partitions.size(), parts.whole_keys.size());
  if (at.part >= count) throw_bad_token();
  for (; at.part < count; ++at.part, at.key.reset()) {
    PageRequest each = request;
    if (!parts.whole_keys.empty()) {
      const Item& key = parts.whole_keys[at.part];
      std::vector<Condition> condition{equality(keys.partition.name, key.at(keys.partition.name))};
      if (keys.sort) condition.push_back(equality(keys.sort->name, key.at(keys.sort->name)));
      each.key_condition = all_of(std::move(condition));
    } else if (!is_scan) {
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
      out.next = PartiqlPosition{at.part, std::move(page.last_key), {}};
      break;
    }
    const bool full = out.page.bytes_read >= kPageBytesMax || (select.limit && out.page.scanned_count >= *select.limit);
    if (full && at.part + 1 < count) {
      out.next = PartiqlPosition{at.part + 1, std::nullopt, {}};
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
