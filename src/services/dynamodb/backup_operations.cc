// Backups on demand, point-in-time recovery, and the tables made from both.
#include <algorithm>
#include <cmath>

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

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

// API Reference, RestoreTableFromBackup: "The indexes provided should match existing secondary indexes."
template <class Index>
bool is_same_index(const Index& in, const IndexRecord& index) {
  if (!std::ranges::equal(in.key_schema.value(), index.keys.attributes(),
                          [](const auto& a, const KeyAttribute& b) { return a.attribute_name == b.name; })) {
    return false;
  }
  const model::Projection& projection = in.projection.value();
  const std::string type = projection.projection_type.value_or("ALL");
  const std::vector<std::string> named = projection.non_key_attributes.value_or(std::vector<std::string>());
  return type == (index.projected == Projected::kAll ? "ALL" : index.projected == Projected::kKeysOnly ? "KEYS_ONLY" : "INCLUDE") &&
         std::set(named.begin(), named.end()) == std::set(index.non_key_attributes.begin(), index.non_key_attributes.end());
}

// Keeps the indexes that the caller named, with the capacity that was named. Throws ValidationException for one that the source
// does not have like this.
template <class Index>
void choose_indexes(const std::optional<std::vector<Index>>& chosen, bool global, TableRecord& table) {
  if (!chosen) return;
  std::set<std::string> names;
  for (const Index& each : *chosen) {
    const auto index = std::ranges::find(table.indexes, each.index_name.value(), &IndexRecord::name);
    if (index == table.indexes.end() || index->global != global) {
      throw_validation(std::string(kInvalid) + "Index not found in the backup: " + *each.index_name);
    }
    if (!is_same_index(each, *index)) {
      throw_validation(std::string(kInvalid) + "Index does not match the one in the backup: " + *each.index_name);
    }
    if constexpr (requires { each.provisioned_throughput; }) {
      const auto& capacity = each.provisioned_throughput;
      if (capacity && table.on_demand) {
        throw_validation(std::string(kInvalid) + "ProvisionedThroughput should not be specified for index: " + index->name +
                         " when BillingMode is PAY_PER_REQUEST");
      }
      index->on_demand_max = on_demand_max_of(table, each.on_demand_throughput, index->on_demand_max);
      index->warm = warm_of(table, each.warm_throughput, index->warm, index->throughput);
      if (capacity) index->throughput = {capacity->read_capacity_units.value(), capacity->write_capacity_units.value()};
    }
    names.insert(*each.index_name);
  }
  std::erase_if(table.indexes, [&](const IndexRecord& each) { return each.global == global && !names.contains(each.name); });
}

// The new table's settings: the source's, unless the caller named others.
template <class Input>
TableRecord target_of(const aws::Scope& scope, const TableRecord& source, const Input& in) {
  TableRecord target;
  target.scope = scope;
  target.name = table_name(scope, in.target_table_name);
  target.keys = source.keys;
  target.indexes = source.indexes;
  for (IndexRecord& index : target.indexes) index.backfilling = false;  // the restore writes the entries itself
  target.on_demand = in.billing_mode_override ? *in.billing_mode_override == "PAY_PER_REQUEST" : source.on_demand;
  target.throughput = target.on_demand ? Throughput() : source.throughput;
  target.table_class = source.table_class;
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
  target.encryption = encryption_of(scope, in.sse_specification_override, source.encryption);
  target.on_demand_max = on_demand_max_of(target, in.on_demand_throughput_override, source.on_demand_max);
  choose_indexes(in.global_secondary_index_override, true, target);
  choose_indexes(in.local_secondary_index_override, false, target);
  target.counts_collections = target.has_local_indexes();
  for (IndexRecord& index : target.indexes) {
    if (!index.global) continue;
    if (target.on_demand) index.throughput = {};
    else if (index.throughput.read == 0) {
      throw_validation(std::string(kInvalid) + "ProvisionedThroughput must be specified for index: " + index.name);
    }
  }
  return target;
}

model::ContinuousBackupsDescription continuous_backups(const TableRecord& table, std::int64_t now_ms) {
  model::ContinuousBackupsDescription out;
  out.continuous_backups_status = "ENABLED";  // as of every table
  model::PointInTimeRecoveryDescription& description = out.point_in_time_recovery_description.emplace();
  description.point_in_time_recovery_status = table.history ? "ENABLED" : "DISABLED";
  if (!table.history) return out;
  description.recovery_period_in_days = table.history->days;
  description.earliest_restorable_date_time = timestamp(earliest_ms(*table.history, now_ms));
  description.latest_restorable_date_time = timestamp(now_ms);
  return out;
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
    summary.table_id = record.table.public_id();
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
  BackupRecord backup = co_await backups_.find(call.scope, in.backup_arn.value());
  TableRecord target = target_of(call.scope, backup.table, in);
  const Table table = co_await backups_.restore(std::move(backup), std::move(target));
  start_jobs(co_await asio::this_coro::executor);
  co_return model::RestoreTableFromBackupOutput{.table_description = describe_record(*table, status_of(*table))};
}

awaitable<model::DescribeContinuousBackupsOutput> Service::describe_continuous_backups(
    aws::CallContext call, model::DescribeContinuousBackupsInput in) {
  const std::string name = table_name(call.scope, in.table_name);
  const std::optional<Table> table = co_await catalog_.find_if(catalog_.store().snapshot(), call.scope, name);
  if (!table) throw aws::ApiError(kTableNotFound, "Table not found: " + name);
  co_return model::DescribeContinuousBackupsOutput{.continuous_backups_description = continuous_backups(**table, now_ms())};
}

awaitable<model::UpdateContinuousBackupsOutput> Service::update_continuous_backups(aws::CallContext call,
                                                                                   model::UpdateContinuousBackupsInput in) {
  const model::PointInTimeRecoverySpecification& wanted = in.point_in_time_recovery_specification.value();
  const bool on = wanted.point_in_time_recovery_enabled.value();
  if (!on && wanted.recovery_period_in_days) {
    throw_validation("RecoveryPeriodInDays can only be specified when PointInTimeRecoveryEnabled is true");
  }
  const std::string name = table_name(call.scope, in.table_name), id = catalog_.entropy().token(20);
  const std::optional<Table> there = co_await catalog_.find_if(catalog_.store().snapshot(), call.scope, name);
  if (!there) throw aws::ApiError(kTableNotFound, "Table not found: " + name);
  const Table table = co_await catalog_.modify_with(call.scope, name, [&](TableRecord& record, storage::Commit& commit) {
    check_active(record);
    if (on && !record.history) {
      start_history(record, id, wanted.recovery_period_in_days.value_or(kRecoveryDaysMax), now_ms(), commit);
    } else if (on && wanted.recovery_period_in_days) {
      record.history->days = *wanted.recovery_period_in_days;
    } else if (!on && record.history) {
      end_history(record, commit);
    }
  });
  if (!on) run_in_background(co_await asio::this_coro::executor, catalog_.run_purges(stopping_));
  co_return model::UpdateContinuousBackupsOutput{.continuous_backups_description = continuous_backups(*table, now_ms())};
}

awaitable<model::RestoreTableToPointInTimeOutput> Service::restore_table_to_point_in_time(
    aws::CallContext call, model::RestoreTableToPointInTimeInput in) {
  if (in.source_table_name.has_value() == in.source_table_arn.has_value()) {
    throw_validation("Exactly one of SourceTableName and SourceTableArn must be specified");
  }
  const bool latest = in.use_latest_restorable_time.value_or(false);
  if (latest == in.restore_date_time.has_value()) {
    throw_validation("Exactly one of RestoreDateTime and UseLatestRestorableTime must be specified");
  }
  const std::string name = table_name(call.scope, in.source_table_name ? in.source_table_name : in.source_table_arn);
  const std::optional<Table> source = co_await catalog_.find_if(catalog_.store().snapshot(), call.scope, name);
  if (!source) throw aws::ApiError(kTableNotFound, "Table not found: " + name);
  if (!(*source)->history) {
    throw aws::ApiError(kNoPointInTime, "Point in time recovery is not enabled for table '" + name + "'");
  }
  const std::int64_t now = now_ms();
  const double at = latest ? static_cast<double>(now) : std::floor(in.restore_date_time->epoch_seconds * 1000);
  if (!(at >= static_cast<double>(earliest_ms(*(*source)->history, now)) && at <= static_cast<double>(now))) {
    throw aws::ApiError(kInvalidRestoreTime, "RestoreDateTime is not between the earliest and the latest restorable time");
  }
  const Table table = co_await history_.restore(*source, target_of(call.scope, **source, in), static_cast<std::int64_t>(at));
  start_jobs(co_await asio::this_coro::executor);
  co_return model::RestoreTableToPointInTimeOutput{.table_description = describe_record(*table, status_of(*table))};
}

}  // namespace parvis::dynamodb
