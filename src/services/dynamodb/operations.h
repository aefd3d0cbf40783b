// dynamodb/operations.h: DynamoDB's operations: one short function each, over Catalog, ItemStore and read_page().
// Source: Amazon DynamoDB API Reference.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>

#include "models/dynamodb.h"
#include "services/dynamodb/backups.h"
#include "services/dynamodb/expiry.h"
#include "services/dynamodb/exports.h"
#include "services/dynamodb/history.h"
#include "services/dynamodb/imports.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/partiql.h"
#include "services/dynamodb/query.h"
#include "services/dynamodb/stream_operations.h"

namespace parvis::dynamodb {

namespace model = aws::model::dynamodb;
struct TableUsage;  // request.h

// Owns the background work: purges of deleted tables, filling of new indexes, expiry of items, trimming of streams.
class Service {  // thread-safe; store, clock, entropy outlive it, and it outlives every call in flight
 public:
  Service(storage::Store& store, const Clock& clock, Entropy& entropy);
  void register_operations(aws::Registry& registry);
  // For tests; before the first write.
  void set_collection_bytes_max(std::int64_t bytes) { items_.set_collection_bytes_max(bytes); }
  // Where exports go and imports come from: S3's API. Without, both are refused. Call before resume().
  void set_objects(std::unique_ptr<Objects> objects) { objects_ = std::move(objects); }
  // Starts the background work, which takes up what the last run left. Call once after start.
  awaitable<> resume();
  // Ends the background work; returns when it has ended and the counts are stored.
  awaitable<> stop();
  // Whether tables with provisioned throughput throttle. Call before the first request.
  void set_throughput_enforced(bool enforced) { catalog_.admission().set_enforced(enforced); }
  StreamOperations& streams() { return stream_operations_; }

  awaitable<model::GetItemOutput> get_item(aws::CallContext call, model::GetItemInput in);
  awaitable<model::PutItemOutput> put_item(aws::CallContext call, model::PutItemInput in);
  awaitable<model::UpdateItemOutput> update_item(aws::CallContext call, model::UpdateItemInput in);
  awaitable<model::DeleteItemOutput> delete_item(aws::CallContext call, model::DeleteItemInput in);
  awaitable<model::QueryOutput> query(aws::CallContext call, model::QueryInput in);
  awaitable<model::ScanOutput> scan(aws::CallContext call, model::ScanInput in);
  awaitable<model::BatchGetItemOutput> batch_get_item(aws::CallContext call, model::BatchGetItemInput in);
  awaitable<model::BatchWriteItemOutput> batch_write_item(aws::CallContext call, model::BatchWriteItemInput in);
  awaitable<model::TransactGetItemsOutput> transact_get_items(aws::CallContext call, model::TransactGetItemsInput in);
  awaitable<model::TransactWriteItemsOutput> transact_write_items(aws::CallContext call, model::TransactWriteItemsInput in);
  awaitable<model::ExecuteStatementOutput> execute_statement(aws::CallContext call, model::ExecuteStatementInput in);
  awaitable<model::BatchExecuteStatementOutput> batch_execute_statement(aws::CallContext call,
                                                                        model::BatchExecuteStatementInput in);
  awaitable<model::ExecuteTransactionOutput> execute_transaction(aws::CallContext call, model::ExecuteTransactionInput in);

  awaitable<model::CreateTableOutput> create_table(aws::CallContext call, model::CreateTableInput in);
  awaitable<model::DescribeTableOutput> describe_table(aws::CallContext call, model::DescribeTableInput in);
  awaitable<model::ListTablesOutput> list_tables(aws::CallContext call, model::ListTablesInput in);
  awaitable<model::UpdateTableOutput> update_table(aws::CallContext call, model::UpdateTableInput in);
  awaitable<model::DeleteTableOutput> delete_table(aws::CallContext call, model::DeleteTableInput in);
  awaitable<model::DescribeTimeToLiveOutput> describe_time_to_live(aws::CallContext call, model::DescribeTimeToLiveInput in);
  awaitable<model::UpdateTimeToLiveOutput> update_time_to_live(aws::CallContext call, model::UpdateTimeToLiveInput in);
  awaitable<model::TagResource::Output> tag_resource(aws::CallContext call, model::TagResourceInput in);
  awaitable<model::UntagResource::Output> untag_resource(aws::CallContext call, model::UntagResourceInput in);
  awaitable<model::ListTagsOfResourceOutput> list_tags_of_resource(aws::CallContext call, model::ListTagsOfResourceInput in);
  awaitable<model::DescribeEndpoints::Output> describe_endpoints(aws::CallContext call, model::DescribeEndpoints::Input in);
  awaitable<model::DescribeLimitsOutput> describe_limits(aws::CallContext call, model::DescribeLimitsInput in);
  awaitable<model::DescribeContinuousBackupsOutput> describe_continuous_backups(aws::CallContext call,
                                                                                model::DescribeContinuousBackupsInput in);

  awaitable<model::CreateBackupOutput> create_backup(aws::CallContext call, model::CreateBackupInput in);
  awaitable<model::DescribeBackupOutput> describe_backup(aws::CallContext call, model::DescribeBackupInput in);
  awaitable<model::ListBackupsOutput> list_backups(aws::CallContext call, model::ListBackupsInput in);
  awaitable<model::DeleteBackupOutput> delete_backup(aws::CallContext call, model::DeleteBackupInput in);
  awaitable<model::RestoreTableFromBackupOutput> restore_table_from_backup(aws::CallContext call,
                                                                           model::RestoreTableFromBackupInput in);
  awaitable<model::UpdateContinuousBackupsOutput> update_continuous_backups(aws::CallContext call,
                                                                            model::UpdateContinuousBackupsInput in);
  awaitable<model::RestoreTableToPointInTimeOutput> restore_table_to_point_in_time(aws::CallContext call,
                                                                                   model::RestoreTableToPointInTimeInput in);
  awaitable<model::ExportTableToPointInTimeOutput> export_table(aws::CallContext call, model::ExportTableToPointInTimeInput in);
  awaitable<model::DescribeExportOutput> describe_export(aws::CallContext call, model::DescribeExportInput in);
  awaitable<model::ListExportsOutput> list_exports(aws::CallContext call, model::ListExportsInput in);
  awaitable<model::ImportTableOutput> import_table(aws::CallContext call, model::ImportTableInput in);
  awaitable<model::DescribeImportOutput> describe_import(aws::CallContext call, model::DescribeImportInput in);
  awaitable<model::ListImportsOutput> list_imports(aws::CallContext call, model::ListImportsInput in);
  awaitable<model::PutResourcePolicyOutput> put_resource_policy(aws::CallContext call, model::PutResourcePolicyInput in);
  awaitable<model::GetResourcePolicyOutput> get_resource_policy(aws::CallContext call, model::GetResourcePolicyInput in);
  awaitable<model::DeleteResourcePolicyOutput> delete_resource_policy(aws::CallContext call, model::DeleteResourcePolicyInput in);

 private:
  template <class Op>
  void bind(aws::Registry& registry,
            awaitable<typename Op::Output> (Service::*handler)(aws::CallContext, typename Op::Input)) {
    registry.bind<Op>([this, handler](aws::CallContext call, typename Op::Input in) {
      return (this->*handler)(std::move(call), std::move(in));
    });
  }
  void run_in_background(asio::any_io_executor executor, awaitable<> work);
  std::int64_t now_ms() const { return catalog_.clock().due().time_since_epoch().count(); }
  // What the statement returns. Adds to `usages`, which outlives the call.
  awaitable<std::optional<Item>> write_statement(aws::Scope scope, PartiqlStatement statement, bool return_old_on_failure,
                                                 std::map<std::string, TableUsage>* usages);
  awaitable<std::optional<Item>> batch_statement(aws::Scope scope, PartiqlStatement statement,
                                                 model::BatchStatementRequest request,
                                                 std::map<std::string, TableUsage>* usages);
  awaitable<> maintain();
  // Copies and restores that are not complete, unless they are being worked on.
  void start_jobs(asio::any_io_executor executor);
  awaitable<> run_jobs();
  // Exports and imports, as start_jobs().
  void start_transfers(asio::any_io_executor executor);
  awaitable<> run_transfers();
  void fill_indexes(asio::any_io_executor executor, const Table& table);
  awaitable<> fill_index(aws::Scope scope, std::string table_name, std::string index_id);
  awaitable<model::TableDescription> describe(Table table, std::string status);

  Catalog catalog_;
  ItemStore items_;
  StreamOperations stream_operations_{catalog_};
  Expiry expiry_{items_};
  Backups backups_{catalog_};
  History history_{catalog_};
  Transfers transfers_{catalog_};
  Exports exports_{catalog_, transfers_};
  Imports imports_{catalog_, transfers_};
  std::unique_ptr<Objects> objects_;
  std::atomic<bool> jobs_running_{false}, transfers_running_{false};
  std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<int> running_{0};
  std::mutex mutex_;
  std::set<std::string> filling_;  // ids of indexes that this process fills
};

}  // namespace parvis::dynamodb
