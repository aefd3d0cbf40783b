// dynamodb/request.h: what the operations share: names, refused members, capacity, and expressions of an input.
#pragma once

#include <string>

#include "services/dynamodb/operations.h"

namespace parvis::dynamodb {

// The name, also of an ARN. Throws ValidationException for an ARN of another account, Region or service.
std::string table_name(const aws::Scope& scope, const std::optional<std::string>& name_or_arn);
// Throws ValidationException for a ResourceArn that is none.
void check_arn(const std::string& arn);
// Refuses a member that is not implemented, by name.
template <class T>
void refuse(const std::optional<T>& member, std::string_view name, std::string_view instead) {
  if (!member) return;
  throw aws::ApiError({"ValidationException", 400, aws::Fault::kClient}, std::string(name) + " " + std::string(instead));
}
// Throws ResourceNotFoundException with the table's name, as operations on tables word it.
awaitable<Table> find_named(Catalog& catalog, aws::Scope scope, std::string name);
// nullopt unless `wanted` is TOTAL or INDEXES. `is_read` says which of the two totals it is.
struct Usage {
  double table = 0;
  std::map<std::string, double> indexes;
  bool is_read = false, is_transaction = false;
};
std::optional<model::ConsumedCapacity> consumed(const std::optional<std::string>& wanted, const Table& table,
                                                const Usage& usage);
void add_usage(Usage& total, const ItemWriteResult& result, double factor);
// The usage of each table that a request touches, by table name.
struct TableUsage {
  Table table;
  Usage usage;
};
using TableUsages = std::map<std::string, TableUsage>;
std::optional<std::vector<model::ConsumedCapacity>> consumed_all(const std::optional<std::string>& wanted,
                                                                 const TableUsages& usages);
// Of the collection that `item` (or key) belongs to, when `wanted` is SIZE and the table has local indexes.
std::optional<model::ItemCollectionMetrics> collection_metrics(const std::optional<std::string>& wanted, const ItemWriteResult& result,
                                                               const Item& item);
using CollectionMetrics = std::map<std::string, std::vector<model::ItemCollectionMetrics>>;
// Of each collection that the writes changed, by table. `items` are the items or keys, in the order of `results`.
std::optional<CollectionMetrics> collection_metrics_of_all(const std::optional<std::string>& wanted,
                                                           const std::vector<ItemWriteResult>& results, const std::vector<Item>& items);
// What ReturnValues gives of an update of `paths`.
std::optional<Item> updated_attributes(const std::string& wanted, const std::vector<Path>& paths, ItemWriteResult& result);

// AttributesToGet or ProjectionExpression.
std::optional<Projection> projection_of(const std::optional<std::string>& expression,
                                        const std::optional<std::vector<std::string>>& attributes_to_get,
                                        Placeholders& placeholders);

}  // namespace parvis::dynamodb
