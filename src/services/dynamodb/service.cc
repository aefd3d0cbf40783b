// The binding of the operations and the background work.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/operations.h"

namespace parvis::dynamodb {

Service::Service(storage::Store& store, const Clock& clock, Entropy& entropy)
    : catalog_(store, clock, entropy), items_(catalog_) {}

void Service::register_operations(aws::Registry& registry) {
  bind<model::GetItem>(registry, &Service::get_item);
  bind<model::PutItem>(registry, &Service::put_item);
  bind<model::UpdateItem>(registry, &Service::update_item);
  bind<model::DeleteItem>(registry, &Service::delete_item);
  bind<model::Query>(registry, &Service::query);
  bind<model::Scan>(registry, &Service::scan);
  bind<model::BatchGetItem>(registry, &Service::batch_get_item);
  bind<model::BatchWriteItem>(registry, &Service::batch_write_item);
  bind<model::TransactGetItems>(registry, &Service::transact_get_items);
  bind<model::TransactWriteItems>(registry, &Service::transact_write_items);
  bind<model::ExecuteStatement>(registry, &Service::execute_statement);
  bind<model::BatchExecuteStatement>(registry, &Service::batch_execute_statement);
  bind<model::ExecuteTransaction>(registry, &Service::execute_transaction);
  bind<model::CreateTable>(registry, &Service::create_table);
  bind<model::DescribeTable>(registry, &Service::describe_table);
  bind<model::ListTables>(registry, &Service::list_tables);
  bind<model::UpdateTable>(registry, &Service::update_table);
  bind<model::DeleteTable>(registry, &Service::delete_table);
  bind<model::DescribeTimeToLive>(registry, &Service::describe_time_to_live);
  bind<model::UpdateTimeToLive>(registry, &Service::update_time_to_live);
  bind<model::TagResource>(registry, &Service::tag_resource);
  bind<model::UntagResource>(registry, &Service::untag_resource);
  bind<model::ListTagsOfResource>(registry, &Service::list_tags_of_resource);
  bind<model::DescribeEndpoints>(registry, &Service::describe_endpoints);
  bind<model::DescribeLimits>(registry, &Service::describe_limits);
  bind<model::DescribeContinuousBackups>(registry, &Service::describe_continuous_backups);
  bind<model::CreateBackup>(registry, &Service::create_backup);
  bind<model::DescribeBackup>(registry, &Service::describe_backup);
  bind<model::ListBackups>(registry, &Service::list_backups);
  bind<model::DeleteBackup>(registry, &Service::delete_backup);
  bind<model::UpdateContinuousBackups>(registry, &Service::update_continuous_backups);
  bind<model::RestoreTableToPointInTime>(registry, &Service::restore_table_to_point_in_time);
  bind<model::ExportTableToPointInTime>(registry, &Service::export_table);
  bind<model::DescribeExport>(registry, &Service::describe_export);
  bind<model::ListExports>(registry, &Service::list_exports);
  bind<model::ImportTable>(registry, &Service::import_table);
  bind<model::DescribeImport>(registry, &Service::describe_import);
  bind<model::ListImports>(registry, &Service::list_imports);
  bind<model::PutResourcePolicy>(registry, &Service::put_resource_policy);
  bind<model::GetResourcePolicy>(registry, &Service::get_resource_policy);
  bind<model::DeleteResourcePolicy>(registry, &Service::delete_resource_policy);
  bind<model::RestoreTableFromBackup>(registry, &Service::restore_table_from_backup);
  stream_operations_.register_operations(registry);
}

void Service::run_in_background(asio::any_io_executor executor, awaitable<> work) {
  ++running_;
  asio::co_spawn(executor, std::move(work), [this](std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      // What is left undone is found again: purges at the next delete or start, indexes at the next DescribeTable.
      spdlog::warn("dynamodb: background work ended early: {}", error.what());
    }
    --running_;
  });
}

awaitable<> Service::resume() {
  run_in_background(co_await asio::this_coro::executor, maintain());
}

awaitable<> Service::stop() {
  *stopping_ = true;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (running_ > 0) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(use_awaitable);
  }
  co_await catalog_.statistics().save();
}

void Service::fill_indexes(asio::any_io_executor executor, const Table& table) {
  for (const IndexRecord& index : table->indexes) {
    if (!index.backfilling || *stopping_) continue;
    {
      const std::lock_guard lock(mutex_);
      if (!filling_.insert(index.id).second) continue;
    }
    run_in_background(executor, fill_index(table->scope, table->name, index.id));
  }
}

awaitable<> Service::fill_index(aws::Scope scope, std::string table_name, std::string index_id) {
  std::exception_ptr failure;
  try {
    co_await items_.backfill(std::move(scope), std::move(table_name), index_id, stopping_);
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  filling_.erase(index_id);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace parvis::dynamodb
