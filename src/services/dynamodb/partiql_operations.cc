// ExecuteStatement, BatchExecuteStatement, ExecuteTransaction.
#include <boost/json.hpp>

#include "core/hash.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/partiql_plan.h"
#include "services/dynamodb/request.h"

namespace parvis::dynamodb {
namespace {

using Parameters = std::optional<std::vector<AttributeValue>>;

struct BatchCode {
  std::string_view exception, code;
};
constexpr BatchCode kBatchCodes[] = {
    {"ValidationException", "ValidationError"},
    {"ResourceNotFoundException", "ResourceNotFound"},
    {"ConditionalCheckFailedException", "ConditionalCheckFailed"},
    {"DuplicateItemException", "DuplicateItem"},
    {"ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded"},
    {"ThrottlingException", "ThrottlingError"},
    {"TransactionConflictException", "TransactionConflict"},
    {"ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"},
    {"AccessDeniedException", "AccessDenied"},
};

model::BatchStatementError batch_error(const aws::ApiError& error) {
  model::BatchStatementError out;
  out.code = "InternalServerError";
  for (const BatchCode& each : kBatchCodes) {
    if (each.exception == error.code()) out.code = std::string(each.code);
  }
  out.message = error.message();
  const auto* item = error.members().if_contains("Item");
  if (!item || !item->is_object()) return out;
  out.item.emplace();
  for (const auto& [name, value] : item->as_object()) {
    if (auto attribute = attribute_from_json(value)) out.item->insert_or_assign(std::string(name), std::move(*attribute));
  }
  return out;
}

PartiqlStatement parse(const std::string& text, const Parameters& parameters) {
  return parse_partiql(text, parameters.value_or(std::vector<AttributeValue>()));
}

// As ReturnValues names what a RETURNING clause asks for.
std::string return_values_of(const std::string& returning) {
  if (returning == "ALL OLD") return "ALL_OLD";
  if (returning == "ALL NEW") return "ALL_NEW";
  if (returning == "MODIFIED OLD") return "UPDATED_OLD";
  return returning == "MODIFIED NEW" ? "UPDATED_NEW" : "NONE";
}

void check_no_mix(std::size_t reads, std::size_t all, std::string_view operation) {
  if (reads == 0 || reads == all) return;
  throw_validation(std::string(operation) + " API does not support both read and write operations in the same request.");
}

[[noreturn]] void throw_in_statement(std::size_t i, const aws::ApiError& error) {
  if (error.code() != kValidation.code) throw aws::ApiError(error);
  throw_validation("Validation failed in TransactStatements[" + std::to_string(i) + "]: " + error.message());
}

// What makes two requests with one client token the same.
std::string fingerprint(const model::ExecuteTransactionInput& in) {
  std::string bytes = "PartiQL";
  for (const model::ParameterizedStatement& each : *in.transact_statements) {
    bytes += statement_mark(*each.statement, each.parameters.value_or(std::vector<AttributeValue>()));
    bytes += each.return_values_on_condition_check_failure.value_or("NONE");
  }
  return hex_encode(sha256(bytes));
}

void note_read(TableUsages& usages, const PartiqlStatement& statement, const Page& page, bool consistent) {
  TableUsage& total = usages[page.table->name];
  total.table = page.table;
  total.usage.is_read = true;
  const double units = read_units(page.bytes_read, consistent);
  if (statement.index.empty()) total.usage.table += units;
  else total.usage.indexes[statement.index] += units;
  if (page.bytes_fetched > 0) total.usage.table += read_units(page.bytes_fetched, consistent);
}

ItemRead plan_read(const TableRecord& table, const PartiqlStatement& statement) {
  if (!statement.index.empty()) throw_validation("Reads on indices are not supported within transactions.");
  const KeyParts parts = key_parts(table.keys, statement.where);
  std::optional<Item> key = exact_key(table.keys, parts);
  if (!key || !parts.rest.empty()) {
    throw_validation("Select statements within ExecuteTransaction must specify the primary key in the where clause.");
  }
  return {table.name, std::move(*key), 2};
}

}  // namespace

awaitable<std::optional<Item>> Service::write_statement(aws::Scope scope, PartiqlStatement statement, bool return_old_on_failure,
                                                        TableUsages* usages) {
  if (statement.kind == PartiqlStatement::Kind::kExists) {
    throw_validation("EXISTS is supported in ExecuteTransaction only");
  }
  const std::string returning = return_values_of(statement.returning);
  const std::vector<Path> paths = statement.update.paths();
  const Table table = co_await catalog_.find(catalog_.store().snapshot(), scope, table_name(scope, statement.table));
  ItemWrite write = plan_partiql_write(*table, std::move(statement));
  write.return_old_on_failure = return_old_on_failure;
  ItemWriteResult result = co_await items_.write(scope, std::move(write));
  TableUsage& total = (*usages)[result.table->name];
  total.table = result.table;
  add_usage(total.usage, result, 1);
  co_return updated_attributes(returning, paths, result);
}

awaitable<model::ExecuteStatementOutput> Service::execute_statement(aws::CallContext call, model::ExecuteStatementInput in) {
  PartiqlStatement statement = parse(in.statement.value(), in.parameters);
  model::ExecuteStatementOutput out;
  out.items.emplace();
  TableUsages usages;
  if (statement.is_read()) {
    const std::string mark = statement_mark(*in.statement, in.parameters.value_or(std::vector<AttributeValue>()));
    PartiqlSelect select;
    select.table_name = table_name(call.scope, statement.table);
    select.consistent = in.consistent_read.value_or(false);
    if (in.limit) select.limit = *in.limit;
    if (in.next_token) select.from = decode_next_token(*in.next_token, mark);
    PartiqlPage page = co_await read_partiql_page(catalog_, call.scope, statement, select);
    out.items = std::move(page.page.items);
    out.last_evaluated_key = page.page.last_key;
    if (page.next) out.next_token = encode_next_token(*page.next, mark);
    note_read(usages, statement, page.page, select.consistent);
  } else {
    if (in.next_token) throw_validation("NextToken does not match request");
    const bool old_on_failure = in.return_values_on_condition_check_failure.value_or("NONE") == "ALL_OLD";
    std::optional<Item> item = co_await write_statement(call.scope, std::move(statement), old_on_failure, &usages);
    if (item) out.items->push_back(std::move(*item));
  }
  const TableUsage& only = usages.begin()->second;
  out.consumed_capacity = consumed(in.return_consumed_capacity, only.table, only.usage);
  co_return out;
}

awaitable<std::optional<Item>> Service::batch_statement(aws::Scope scope, PartiqlStatement statement,
                                                        model::BatchStatementRequest request, TableUsages* usages) {
  if (!statement.is_read()) {
    const bool old_on_failure = request.return_values_on_condition_check_failure.value_or("NONE") == "ALL_OLD";
    co_return co_await write_statement(scope, std::move(statement), old_on_failure, usages);
  }
  PartiqlSelect select;
  select.table_name = table_name(scope, statement.table);
  select.consistent = request.consistent_read.value_or(false);
  const Table table = co_await catalog_.find(catalog_.store().snapshot(), scope, select.table_name);
  const IndexRecord* index = statement.index.empty() ? nullptr : table->index(statement.index);
  if (index) check_readable(*index);
  if (!statement.index.empty() || !exact_key(table->keys, key_parts(table->keys, statement.where))) {
    throw_validation("Select statements within BatchExecuteStatement must specify the primary key in the where clause.");
  }
  PartiqlPage page = co_await read_partiql_page(catalog_, scope, statement, select);
  note_read(*usages, statement, page.page, select.consistent);
  if (page.page.items.empty()) co_return std::nullopt;
  co_return std::move(page.page.items.front());
}

awaitable<model::BatchExecuteStatementOutput> Service::batch_execute_statement(aws::CallContext call,
                                                                               model::BatchExecuteStatementInput in) {
  model::BatchExecuteStatementOutput out;
  out.responses.emplace(in.statements->size());
  std::vector<std::optional<PartiqlStatement>> statements(in.statements->size());
  std::size_t reads = 0, parsed = 0;
  for (std::size_t i = 0; i < statements.size(); ++i) {
    try {
      statements[i] = parse((*in.statements)[i].statement.value(), (*in.statements)[i].parameters);
      ++parsed;
      if (statements[i]->is_read()) ++reads;
    } catch (const aws::ApiError& error) {
      (*out.responses)[i].error = batch_error(error);
    }
  }
  check_no_mix(reads, parsed, "BatchExecuteStatement");
  TableUsages usages;
  for (std::size_t i = 0; i < statements.size(); ++i) {
    if (!statements[i]) continue;
    model::BatchStatementResponse& response = (*out.responses)[i];
    std::string name = statements[i]->table;
    try {
      response.item = co_await batch_statement(call.scope, std::move(*statements[i]), (*in.statements)[i], &usages);
      response.table_name = std::move(name);
    } catch (const aws::ApiError& error) {
      response.error = batch_error(error);
      // The table is named once the statement itself was found to be right.
      const bool executed = error.code() != kValidation.code && error.code() != kResourceNotFound.code;
      if (executed) response.table_name = std::move(name);
    }
  }
  out.consumed_capacity = consumed_all(in.return_consumed_capacity, usages);
  co_return out;
}

awaitable<model::ExecuteTransactionOutput> Service::execute_transaction(aws::CallContext call, model::ExecuteTransactionInput in) {
  std::vector<PartiqlStatement> statements;
  std::size_t reads = 0;
  for (const model::ParameterizedStatement& each : *in.transact_statements) {
    try {
      statements.push_back(parse(each.statement.value(), each.parameters));
      if (!statements.back().returning.empty()) throw_validation("RETURNING clause is not supported in ExecuteTransaction.");
    } catch (const aws::ApiError& error) {
      throw_in_statement(static_cast<std::size_t>(&each - in.transact_statements->data()), error);
    }
    if (statements.back().is_read()) ++reads;
  }
  check_no_mix(reads, statements.size(), "ExecuteTransaction");
  std::vector<ItemRead> planned_reads;
  std::vector<ItemWrite> writes;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const Table table = co_await catalog_.find(snapshot, call.scope, table_name(call.scope, statements[i].table));
    try {
      if (reads > 0) planned_reads.push_back(plan_read(*table, statements[i]));
      else writes.push_back(plan_partiql_write(*table, std::move(statements[i])));
    } catch (const aws::ApiError& error) {
      throw_in_statement(i, error);
    }
    if (reads > 0) continue;
    writes.back().return_old_on_failure =
        (*in.transact_statements)[i].return_values_on_condition_check_failure.value_or("NONE") == "ALL_OLD";
  }
  model::ExecuteTransactionOutput out;
  TableUsages usages;
  if (reads > 0) {
    std::vector<ItemReadResult> results = co_await items_.read(call.scope, std::move(planned_reads));
    out.responses.emplace();
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::optional<Item>& item = results[i].item;
      TableUsage& total = usages[results[i].table->name];
      total.table = results[i].table;
      total.usage.is_read = total.usage.is_transaction = true;
      total.usage.table += 2 * read_units(item ? item_size_bytes(*item) : 0, true);
      model::ItemResponse& response = out.responses->emplace_back();
      if (item) response.item = statements[i].projection.empty() ? *item : project_named(*item, statements[i].projection);
    }
  } else {
    const std::vector<ItemWriteResult> results = co_await items_.transact(
        call.scope, std::move(writes), in.client_request_token.value_or(""), fingerprint(in));
    for (const ItemWriteResult& result : results) {
      TableUsage& total = usages[result.table->name];
      total.table = result.table;
      total.usage.is_transaction = true;
      add_usage(total.usage, result, 2);
    }
  }
  out.consumed_capacity = consumed_all(in.return_consumed_capacity, usages);
  co_return out;
}

}  // namespace parvis::dynamodb
