// CreateBackup, DescribeBackup, ListBackups, DeleteBackup, RestoreTableFromBackup.
#include <algorithm>

#include "services/dynamodb/backups.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr int kListedMax = 100;

aws::Timestamp timestamp(std::int64_t ms) { return aws::Timestamp{static_cast<double>(ms) / 1000}; }

// BackupDetails and BackupSummary have these in common.
template <class Out>
void fill_details(const BackupRecord& record, const std::string& status, Out& out) {
  out.backup_arn = record.arn();
  out.backup_name = record.name;
  out.backup_status = status;
  out.backup_type = "USER";
  out.backup_creation_date_time = timestamp(record.created_ms);
  if (record.available) out.backup_size_bytes = record.counts.bytes;
}

std::string status_of(const BackupRecord& record) { return record.available ? "AVAILABLE" : "CREATING"; }

// An index as it was: the description's members that the two have in common.
template <class Out, class In>
Out index_info(const In& in) {
  Out out;
  out.index_name = in.index_name;
  out.key_schema = in.key_schema;
  out.projection = in.projection;
  return out;
}

model::BackupDescription description_of(const BackupRecord& record, const std::string& status) {
  model::BackupDescription out;
  fill_details(record, status, out.backup_details.emplace());
  const model::TableDescription table = describe_record(record.table, "ACTIVE");
  model::SourceTableDetails& source = out.source_table_details.emplace();
  source.table_name = table.table_name;
  source.table_id = table.table_id;
  source.table_arn = table.table_arn;
  source.key_schema = table.key_schema;
  source.table_creation_date_time = table.creation_date_time;
  source.provisioned_throughput.emplace();
  source.provisioned_throughput->read_capacity_units = record.table.throughput.read;
  source.provisioned_throughput->write_capacity_units = record.table.throughput.write;
  source.billing_mode = record.table.on_demand ? "PAY_PER_REQUEST" : "PROVISIONED";
  if (record.available) {
    source.item_count = record.counts.items;
    source.table_size_bytes = record.counts.bytes;
  }
  model::SourceTableFeatureDetails& features = out.source_table_feature_details.emplace();
  features.stream_description = table.stream_specification;
  if (!record.table.ttl_attribute.empty()) {
    features.time_to_live_description.emplace();
    features.time_to_live_description->attribute_name = record.table.ttl_attribute;
    features.time_to_live_description->time_to_live_status = "ENABLED";
  }
  if (table.local_secondary_indexes) {
    features.local_secondary_indexes.emplace();
    for (const auto& each : *table.local_secondary_indexes) {
      features.local_secondary_indexes->push_back(index_info<model::LocalSecondaryIndexInfo>(each));
    }
  }
  if (table.global_secondary_indexes) {
    features.global_secondary_indexes.emplace();
    for (const auto& each : *table.global_secondary_indexes) {
      features.global_secondary_indexes->push_back(index_info<model::GlobalSecondaryIndexInfo>(each));
    }
  }
  return out;
}

// Keeps the indexes that the caller named. Throws ValidationException for one that the backup does not have.
template <class Index>
void choose_indexes(const std::optional<std::vector<Index>>& chosen, bool global, TableRecord& table) {
  if (!chosen) return;
  std::set<std::string> names;
  for (const Index& each : *chosen) {
    const IndexRecord* index = table.index(each.index_name.value());
    if (!index || index->global != global) {
      throw_validation("One or more parameter values were invalid: Index not found in the backup: " + *each.index_name);
    }
    names.insert(*each.index_name);
  }
  std::erase_if(table.indexes, [&](const IndexRecord& each) { return each.global == global && !names.contains(each.name); });
}

TableRecord target_of(const aws::Scope& scope, const BackupRecord& backup, const model::RestoreTableFromBackupInput& in) {
  TableRecord target;
  target.scope = scope;
  target.name = table_name(scope, in.target_table_name);
  target.keys = backup.table.keys;
  target.indexes = backup.table.indexes;
  for (IndexRecord& index : target.indexes) index.backfilling = false;  // the restore writes the entries itself
  target.on_demand = in.billing_mode_override ? *in.billing_mode_override == "PAY_PER_REQUEST" : backup.table.on_demand;
  target.throughput = target.on_demand ? Throughput() : backup.table.throughput;
  target.table_class = backup.table.table_class;
  if (in.provisioned_throughput_override) {
    if (target.on_demand) {
      throw_validation("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
                       "specified when BillingMode is PAY_PER_REQUEST");
    }
    target.throughput = {in.provisioned_throughput_override->read_capacity_units.value(),
                         in.provisioned_throughput_override->write_capacity_units.value()};
  }
  if (!target.on_demand && target.throughput.read == 0) {
    throw_validation("One or more parameter values were invalid: ProvisionedThroughput must be specified when BillingMode is "
                     "PROVISIONED");
  }
  choose_indexes(in.global_secondary_index_override, true, target);
  choose_indexes(in.local_secondary_index_override, false, target);
  return target;
}

}  // namespace

awaitable<model::CreateBackupOutput> Service::create_backup(aws::CallContext call, model::CreateBackupInput in) {
  const BackupRecord record =
      co_await backups_.create(call.scope, table_name(call.scope, in.table_name), in.backup_name.value());
  start_jobs(co_await asio::this_coro::executor);
  model::CreateBackupOutput out;
  fill_details(record, status_of(record), out.backup_details.emplace());
  co_return out;
}

awaitable<model::DescribeBackupOutput> Service::describe_backup(aws::CallContext call, model::DescribeBackupInput in) {
  const BackupRecord record = co_await backups_.find(call.scope, in.backup_arn.value());
  co_return model::DescribeBackupOutput{.backup_description = description_of(record, status_of(record))};
}

awaitable<model::ListBackupsOutput> Service::list_backups(aws::CallContext call, model::ListBackupsInput in) {
  model::ListBackupsOutput out;
  out.backup_summaries.emplace();
  if (in.backup_type && *in.backup_type != "USER" && *in.backup_type != "ALL") co_return out;  // no others are made here
  std::optional<BackupArn> after;
  if (in.exclusive_start_backup_arn && !(after = BackupArn::parse(*in.exclusive_start_backup_arn))) {
    throw_validation("Invalid ExclusiveStartBackupArn: " + *in.exclusive_start_backup_arn);
  }
  bool more = false;
  const std::vector<BackupRecord> records =
      co_await backups_.list(call.scope, in.table_name ? table_name(call.scope, in.table_name) : std::string(), std::move(after),
                             static_cast<std::size_t>(in.limit.value_or(kListedMax)), more);
  for (const BackupRecord& record : records) {
    const double created = timestamp(record.created_ms).epoch_seconds;
    if (in.time_range_lower_bound && created < in.time_range_lower_bound->epoch_seconds) continue;
    if (in.time_range_upper_bound && created >= in.time_range_upper_bound->epoch_seconds) continue;
    model::BackupSummary& summary = out.backup_summaries->emplace_back();
    fill_details(record, status_of(record), summary);
    summary.table_name = record.table.name;
    summary.table_id = record.table.id;
    summary.table_arn = record.table.arn();
  }
  if (more) out.last_evaluated_backup_arn = records.back().arn();
  co_return out;
}

awaitable<model::DeleteBackupOutput> Service::delete_backup(aws::CallContext call, model::DeleteBackupInput in) {
  const BackupRecord record = co_await backups_.remove(call.scope, in.backup_arn.value());
  run_in_background(co_await asio::this_coro::executor, catalog_.run_purges(stopping_));
  co_return model::DeleteBackupOutput{.backup_description = description_of(record, "DELETED")};
}

awaitable<model::RestoreTableFromBackupOutput> Service::restore_table_from_backup(aws::CallContext call,
                                                                                  model::RestoreTableFromBackupInput in) {
  refuse(in.on_demand_throughput_override, "OnDemandThroughputOverride", "is not implemented");
  refuse(in.vector_index_override, "VectorIndexOverride", "is not implemented");
  if (in.sse_specification_override && in.sse_specification_override->enabled.value_or(false)) {
    throw_validation("SSESpecificationOverride with Enabled true is not implemented");
  }
  BackupRecord backup = co_await backups_.find(call.scope, in.backup_arn.value());
  TableRecord target = target_of(call.scope, backup, in);
  const Table table = co_await backups_.restore(std::move(backup), std::move(target));
  start_jobs(co_await asio::this_coro::executor);
  co_return model::RestoreTableFromBackupOutput{.table_description = describe_record(*table, status_of(*table))};
}

}  // namespace parvis::dynamodb
