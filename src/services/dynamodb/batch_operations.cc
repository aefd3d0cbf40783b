// BatchGetItem, BatchWriteItem, TransactGetItems, TransactWriteItems.
#include <algorithm>

#include <boost/json.hpp>

#include "core/hash.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/request.h"

namespace parvis::dynamodb {
namespace {

constexpr std::size_t kBatchGetItemsMax = 100;
constexpr std::size_t kBatchGetBytesMax = 16u << 20;
constexpr std::size_t kBatchWriteItemsMax = 25;

void check_batch_keys(const std::vector<Item>& keys) {
  std::vector<std::string> encoded;  // equal exactly when the keys are
  encoded.reserve(keys.size());
  for (const Item& key : keys) encoded.push_back(encode_item(key));
  std::ranges::sort(encoded);
  if (std::ranges::adjacent_find(encoded) != encoded.end()) throw_validation("Provided list of item keys contains duplicates");
}

template <class Part>
ItemWrite make_write(const aws::Scope& scope, const Part& part, ItemWrite::Kind kind, const std::optional<Item>& item) {
  ItemWrite write;
  write.kind = kind;
  write.table_name = table_name(scope, part.table_name);
  write.item = item.value();
  write.return_old_on_failure = part.return_values_on_condition_check_failure.value_or("NONE") == "ALL_OLD";
  Placeholders placeholders(part.expression_attribute_names, part.expression_attribute_values);
  bool any = part.condition_expression.has_value();
  if constexpr (requires { part.update_expression; }) {
    write.update = parse_update(part.update_expression.value(), placeholders);
    any = true;
  }
  if (part.condition_expression) {
    write.condition = parse_condition(*part.condition_expression, "ConditionExpression", placeholders);
  }
  placeholders.check_used(any, "ConditionExpression");
  return write;
}

ItemWrite transaction_write(const aws::Scope& scope, const model::TransactWriteItem& item) {
  const int parts = item.put.has_value() + item.update.has_value() + item.delete_.has_value() + item.condition_check.has_value();
  if (parts != 1) {
    throw_validation("TransactItems can only contain one of Check, Put, Update or Delete");
  }
  if (item.put) check_nesting(item.put->item.value());
  if (item.put) return make_write(scope, *item.put, ItemWrite::Kind::kPut, item.put->item);
  if (item.update) return make_write(scope, *item.update, ItemWrite::Kind::kUpdate, item.update->key);
  if (item.delete_) return make_write(scope, *item.delete_, ItemWrite::Kind::kDelete, item.delete_->key);
  return make_write(scope, *item.condition_check, ItemWrite::Kind::kCheck, item.condition_check->key);
}

void append_text(std::string& out, const std::optional<std::string>& text) {
  out += text ? "+" + std::to_string(text->size()) + ":" + *text : "-";
}

template <class Part>
void append_part(std::string& out, std::string_view kind, const Part& part, const std::optional<Item>& item) {
  out += kind;
  append_text(out, part.table_name);
  append_text(out, encode_item(item.value()));
  append_text(out, part.condition_expression);
  if constexpr (requires { part.update_expression; }) append_text(out, part.update_expression);
  for (const auto& [name, value] : part.expression_attribute_names.value_or(std::map<std::string, std::string>())) {
    append_text(out, name);
    append_text(out, value);
  }
  append_text(out, encode_item(part.expression_attribute_values.value_or(Item())));
  append_text(out, part.return_values_on_condition_check_failure);
}

// What makes two requests with one client token the same.
std::string fingerprint(const model::TransactWriteItemsInput& in) {
  std::string bytes;
  for (const model::TransactWriteItem& item : *in.transact_items) {
    if (item.put) append_part(bytes, "P", *item.put, item.put->item);
    if (item.update) append_part(bytes, "U", *item.update, item.update->key);
    if (item.delete_) append_part(bytes, "D", *item.delete_, item.delete_->key);
    if (item.condition_check) append_part(bytes, "C", *item.condition_check, item.condition_check->key);
  }
  return hex_encode(sha256(bytes));
}

ItemWrite batch_write(const std::string& table, model::WriteRequest& request) {
  if (request.put_request.has_value() == request.delete_request.has_value()) {
    throw_validation("Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest");
  }
  ItemWrite write;
  write.table_name = table;
  write.kind = request.put_request ? ItemWrite::Kind::kPut : ItemWrite::Kind::kDelete;
  write.item = std::move(request.put_request ? request.put_request->item.value() : request.delete_request->key.value());
  return write;
}

bool has_repeated(const std::vector<ItemRead>& reads) {
  for (auto a = reads.begin(); a != reads.end(); ++a) {
    const bool again = std::any_of(a + 1, reads.end(), [&](const ItemRead& b) { return a->table_name == b.table_name && a->key == b.key; });
    if (again) return true;
  }
  return false;
}

std::vector<Item> items_for_metrics(const std::optional<std::string>& wanted, const std::vector<ItemWrite>& writes) {
  std::vector<Item> out;
  if (wanted != "SIZE") return out;
  for (const ItemWrite& write : writes) out.push_back(write.item);
  return out;
}

}  // namespace

awaitable<model::BatchGetItemOutput> Service::batch_get_item(aws::CallContext call, model::BatchGetItemInput in) {
  std::size_t total = 0;
  for (const auto& [name, request] : *in.request_items) total += request.keys.value().size();
  if (total > kBatchGetItemsMax) throw_validation("Too many items requested for the BatchGetItem call");
  model::BatchGetItemOutput out;
  out.responses.emplace();
  out.unprocessed_keys.emplace();
  TableUsages usages;
  std::size_t bytes = 0;
  std::optional<Table> exhausted;
  for (auto& [wire_name, request] : *in.request_items) {
    Placeholders placeholders(request.expression_attribute_names, std::nullopt);
    const auto projection = projection_of(request.projection_expression, request.attributes_to_get, placeholders);
    placeholders.check_used(request.projection_expression.has_value());
    check_batch_keys(*request.keys);
    const std::string name = table_name(call.scope, wire_name);
    std::vector<ItemRead> reads;
    const Table table = co_await catalog_.find(catalog_.store().snapshot(), call.scope, name);
    if (catalog_.admission().is_exhausted(*table, nullptr, Access::kRead)) {
      exhausted = table;
      (*out.unprocessed_keys)[wire_name] = std::move(request);
      continue;
    }
    const double price = request.consistent_read.value_or(false) ? 1 : 0.5;
    reads.reserve(request.keys->size());
    for (const Item& key : *request.keys) reads.push_back({name, key, price});
    std::vector<ItemReadResult> results = co_await items_.read(call.scope, std::move(reads));
    auto& items = (*out.responses)[wire_name];
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::size_t size = results[i].item ? item_size_bytes(*results[i].item) : 0;
      if (bytes + size > kBatchGetBytesMax) {
        model::KeysAndAttributes& left = (*out.unprocessed_keys)[wire_name];
        if (!left.keys) {
          left = request;
          left.keys.emplace();
        }
        left.keys->push_back((*request.keys)[i]);
        continue;
      }
      bytes += size;
      TableUsage& usage = usages[name];
      usage.table = results[i].table;
      usage.usage.is_read = true;
      usage.usage.table += read_units(size, request.consistent_read.value_or(false));
      if (results[i].item) items.push_back(projection ? project(*results[i].item, *projection) : *std::move(results[i].item));
    }
  }
  // Only when no table could be read at all.
  if (exhausted && usages.empty()) catalog_.admission().check(**exhausted, nullptr, Access::kRead);
  out.consumed_capacity = consumed_all(in.return_consumed_capacity, usages);
  co_return out;
}

awaitable<model::BatchWriteItemOutput> Service::batch_write_item(aws::CallContext call, model::BatchWriteItemInput in) {
  std::vector<ItemWrite> writes;
  model::BatchWriteItemOutput out;
  out.unprocessed_items.emplace();
  std::optional<Table> exhausted;
  std::size_t held_back = 0;
  for (auto& [wire_name, requests] : *in.request_items) {
    const std::string name = table_name(call.scope, wire_name);
    const Table table = co_await catalog_.find(catalog_.store().snapshot(), call.scope, name);
    if (catalog_.admission().is_exhausted(*table, nullptr, Access::kWrite)) {
      exhausted = table;
      held_back += requests.size();
      (*out.unprocessed_items)[wire_name] = std::move(requests);
      continue;
    }
    for (model::WriteRequest& request : requests) writes.push_back(batch_write(name, request));
  }
  if (writes.size() + held_back > kBatchWriteItemsMax) throw_validation("Too many items requested for the BatchWriteItem call");
  if (writes.empty() && exhausted) catalog_.admission().check(**exhausted, nullptr, Access::kWrite);
  if (writes.empty()) throw_validation("The batch write request list for a table cannot be null or empty");
  const std::vector<Item> items = items_for_metrics(in.return_item_collection_metrics, writes);
  const std::vector<ItemWriteResult> results = co_await items_.write_batch(call.scope, std::move(writes));
  out.item_collection_metrics = collection_metrics_of_all(in.return_item_collection_metrics, results, items);
  TableUsages usages;
  for (const ItemWriteResult& result : results) {
    TableUsage& usage = usages[result.table->name];
    usage.table = result.table;
    add_usage(usage.usage, result, 1);
  }
  out.consumed_capacity = consumed_all(in.return_consumed_capacity, usages);
  co_return out;
}

awaitable<model::TransactGetItemsOutput> Service::transact_get_items(aws::CallContext call, model::TransactGetItemsInput in) {
  std::vector<ItemRead> reads;
  std::vector<std::optional<Projection>> projections;
  for (const model::TransactGetItem& item : *in.transact_items) {
    const model::Get& get = item.get.value();
    Placeholders placeholders(get.expression_attribute_names, std::nullopt);
    projections.push_back(projection_of(get.projection_expression, std::nullopt, placeholders));
    placeholders.check_used(get.projection_expression.has_value());
    reads.push_back({table_name(call.scope, get.table_name), get.key.value(), 2});
  }
  const bool repeated = has_repeated(reads);
  std::vector<ItemReadResult> results = co_await items_.read(call.scope, std::move(reads));
  if (repeated) throw_validation("Transaction request cannot include multiple operations on one item");
  model::TransactGetItemsOutput out;
  out.responses.emplace();
  TableUsages usages;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    model::ItemResponse& response = out.responses->emplace_back();
    const std::size_t size = results[i].item ? item_size_bytes(*results[i].item) : 0;
    bytes += size;
    TableUsage& usage = usages[results[i].table->name];
    usage.table = results[i].table;
    usage.usage.is_read = usage.usage.is_transaction = true;
    usage.usage.table += 2 * read_units(size, true);
    if (!results[i].item) continue;
    response.item = projections[i] ? project(*results[i].item, *projections[i]) : std::move(*results[i].item);
  }
  if (bytes > kTransactionBytesMax) throw_validation("The aggregate size of the items in the transaction exceeds 4 MB");
  out.consumed_capacity = consumed_all(in.return_consumed_capacity, usages);
  co_return out;
}

awaitable<model::TransactWriteItemsOutput> Service::transact_write_items(aws::CallContext call,
                                                                         model::TransactWriteItemsInput in) {
  std::vector<ItemWrite> writes;
  for (const model::TransactWriteItem& item : *in.transact_items) writes.push_back(transaction_write(call.scope, item));
  const std::vector<Item> items = items_for_metrics(in.return_item_collection_metrics, writes);
  const std::vector<ItemWriteResult> results = co_await items_.transact(
      call.scope, std::move(writes), in.client_request_token.value_or(""), fingerprint(in));
  TableUsages usages;
  for (const ItemWriteResult& result : results) {
    TableUsage& usage = usages[result.table->name];
    usage.table = result.table;
    usage.usage.is_transaction = true;
    add_usage(usage.usage, result, 2);
  }
  model::TransactWriteItemsOutput out;
  out.item_collection_metrics = collection_metrics_of_all(in.return_item_collection_metrics, results, items);
  out.consumed_capacity = consumed_all(in.return_consumed_capacity, usages);
  co_return out;
}

}  // namespace parvis::dynamodb
