// Operations on tables, their tags and settings.
#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr std::size_t kListTablesMax = 100;
// DescribeTable counts at most this many store pages; AWS refreshes its counts every six hours.
constexpr int kCountedPagesMax = 16;

struct Counts {
  std::int64_t items = 0, bytes = 0;
};

// Differs from AWS: counts are of now, and of at most kCountedPagesMax megabytes.
awaitable<Counts> count(std::shared_ptr<storage::Snapshot> snapshot, std::string prefix) {
  Counts counts;
  storage::ScanOptions options;
  options.begin = prefix;
  options.end = storage::prefix_end(prefix);
  options.limit = 10'000;
  for (int i = 0; i < kCountedPagesMax; ++i) {
    const storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      counts.bytes += static_cast<std::int64_t>(item_size_bytes(decode_stored(entry.value).item));
    }
    counts.items += static_cast<std::int64_t>(page.entries.size());
    if (!page.more || page.entries.empty()) break;
    options.begin = page.entries.back().key + '\0';
  }
  co_return counts;
}

std::string name_of_arn(const aws::Scope& scope, const std::optional<std::string>& arn) {
  if (!arn.value().starts_with("arn:")) throw_validation("Invalid TableArn: Invalid ResourceArn provided as input " + *arn);
  return table_name(scope, arn);
}

[[noreturn]] void throw_not_found(const std::string& name) {
  throw aws::ApiError(kResourceNotFound, "Requested resource not found: Table: " + name + " not found");
}

awaitable<Table> find_named(Catalog& catalog, aws::Scope scope, std::string name) {
  std::optional<Table> table = co_await catalog.find_if(catalog.store().snapshot(), std::move(scope), name);
  if (!table) throw_not_found(name);
  co_return std::move(*table);
}

}  // namespace

awaitable<model::TableDescription> Service::describe(Table table, std::string status) {
  const std::shared_ptr<const TableRecord> record = table.record;
  model::TableDescription out = describe_record(*record, std::move(status));
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const Counts counts = co_await count(snapshot, items_prefix(record->scope, record->id));
  out.item_count = counts.items;
  out.table_size_bytes = counts.bytes;
  std::size_t local = 0, global = 0;
  for (const IndexRecord& index : record->indexes) {
    const Counts each = co_await count(snapshot, index_prefix(record->scope, record->id, index.id));
    const auto fill = [&each](auto& element) {
      element.item_count = each.items;
      element.index_size_bytes = each.bytes;
    };
    if (index.global) fill(out.global_secondary_indexes->at(global++));
    else fill(out.local_secondary_indexes->at(local++));
  }
  co_return out;
}

awaitable<model::CreateTableOutput> Service::create_table(aws::CallContext call, model::CreateTableInput in) {
  const Table table = co_await catalog_.create(make_record(call.scope, in));
  co_return model::CreateTableOutput{.table_description = co_await describe(table, "ACTIVE")};
}

awaitable<model::DescribeTableOutput> Service::describe_table(aws::CallContext call, model::DescribeTableInput in) {
  const Table table = co_await find_named(catalog_, call.scope, table_name(call.scope, in.table_name));
  fill_indexes(co_await asio::this_coro::executor, table);  // takes up what a stopped process left
  co_return model::DescribeTableOutput{.table = co_await describe(table, "ACTIVE")};
}

awaitable<model::ListTablesOutput> Service::list_tables(aws::CallContext call, model::ListTablesInput in) {
  const std::size_t limit = std::min(static_cast<std::size_t>(in.limit.value_or(kListTablesMax)), kListTablesMax);
  bool more = false;
  model::ListTablesOutput out;
  out.table_names = co_await catalog_.list(call.scope, in.exclusive_start_table_name.value_or(""), limit, more);
  if (more && !out.table_names->empty()) out.last_evaluated_table_name = out.table_names->back();
  co_return out;
}

awaitable<model::UpdateTableOutput> Service::update_table(aws::CallContext call, model::UpdateTableInput in) {
  refuse_unimplemented(in);
  const std::string name = table_name(call.scope, in.table_name);
  const auto updates = in.global_secondary_index_updates.value_or(std::vector<model::GlobalSecondaryIndexUpdate>());
  const auto changes = std::ranges::count_if(updates, [](const auto& each) { return each.create || each.delete_; });
  if (changes > 1) {
    throw aws::ApiError(kLimitExceeded, "Subscriber limit exceeded: Only 1 online index can be created or deleted "
                                        "simultaneously per table");
  }
  const std::string new_index_id = catalog_.entropy().token(8);
  Table table = co_await catalog_.modify(call.scope, name, [&in, &updates, &new_index_id](TableRecord& record) {
    apply_settings(in, record);
    for (const model::GlobalSecondaryIndexUpdate& each : updates) {
      if (each.create) {
        const IndexRecord* existing = record.index(each.create->index_name.value());
        if (existing && existing->id == new_index_id) continue;  // an earlier attempt arrived
        IndexRecord index = make_index(record, *each.create, in.attribute_definitions);
        index.id = new_index_id;
        record.indexes.push_back(std::move(index));
      }
      if (!each.update) continue;
      refuse(each.update->on_demand_throughput, "OnDemandThroughput", "is not implemented");
      refuse(each.update->warm_throughput, "WarmThroughput", "is not implemented");
      const auto found = std::ranges::find(record.indexes, each.update->index_name.value(), &IndexRecord::name);
      if (found == record.indexes.end()) throw aws::ApiError(kResourceNotFound, "Requested resource not found");
      const auto& throughput = each.update->provisioned_throughput;
      if (throughput) found->throughput = {throughput->read_capacity_units.value(), throughput->write_capacity_units.value()};
    }
  });
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  for (const model::GlobalSecondaryIndexUpdate& each : updates) {
    if (!each.delete_) continue;
    table = co_await catalog_.remove_index(call.scope, name, each.delete_->index_name.value());
    run_in_background(executor, catalog_.run_purges(stopping_));
  }
  fill_indexes(executor, table);
  // The waiters of the SDKs ask DescribeTable until the table and its indexes are ACTIVE.
  co_return model::UpdateTableOutput{.table_description = co_await describe(table, "ACTIVE")};
}

awaitable<model::DeleteTableOutput> Service::delete_table(aws::CallContext call, model::DeleteTableInput in) {
  const Table table = co_await catalog_.remove(call.scope, table_name(call.scope, in.table_name));
  run_in_background(co_await asio::this_coro::executor, catalog_.run_purges(stopping_));
  co_return model::DeleteTableOutput{.table_description = describe_record(*table, "DELETING")};
}

awaitable<model::DescribeTimeToLiveOutput> Service::describe_time_to_live(aws::CallContext call,
                                                                          model::DescribeTimeToLiveInput in) {
  const Table table = co_await find_named(catalog_, call.scope, table_name(call.scope, in.table_name));
  model::DescribeTimeToLiveOutput out;
  model::TimeToLiveDescription& description = out.time_to_live_description.emplace();
  description.time_to_live_status = table->ttl_attribute.empty() ? "DISABLED" : "ENABLED";
  if (!table->ttl_attribute.empty()) description.attribute_name = table->ttl_attribute;
  co_return out;
}

awaitable<model::UpdateTimeToLiveOutput> Service::update_time_to_live(aws::CallContext call,
                                                                      model::UpdateTimeToLiveInput in) {
  const Table table = co_await find_named(catalog_, call.scope, table_name(call.scope, in.table_name));
  // Items are not expired yet, so the setting is refused and not only stored.
  if (in.time_to_live_specification.value().enabled.value()) throw_validation("TimeToLiveSpecification is not implemented");
  throw_validation("TimeToLive is already disabled");
}

awaitable<model::TagResource::Output> Service::tag_resource(aws::CallContext call, model::TagResourceInput in) {
  const std::map<std::string, std::string> added = checked_tags(in.tags.value());
  co_await catalog_.modify(call.scope, name_of_arn(call.scope, in.resource_arn), [&added](TableRecord& record) {
    for (const auto& [key, value] : added) record.tags[key] = value;
    if (record.tags.size() > 50) throw_validation("A table can have at most 50 tags");
  });
  co_return model::TagResource::Output{};
}

awaitable<model::UntagResource::Output> Service::untag_resource(aws::CallContext call, model::UntagResourceInput in) {
  co_await catalog_.modify(call.scope, name_of_arn(call.scope, in.resource_arn), [&in](TableRecord& record) {
    for (const std::string& key : in.tag_keys.value()) record.tags.erase(key);
  });
  co_return model::UntagResource::Output{};
}

awaitable<model::ListTagsOfResourceOutput> Service::list_tags_of_resource(aws::CallContext call,
                                                                          model::ListTagsOfResourceInput in) {
  refuse(in.next_token, "NextToken", "was not given out: all tags come in one answer");
  const Table table = co_await find_named(catalog_, call.scope, name_of_arn(call.scope, in.resource_arn));
  model::ListTagsOfResourceOutput out;
  out.tags.emplace();
  for (const auto& [key, value] : table->tags) out.tags->push_back({key, value});
  co_return out;
}

awaitable<model::DescribeEndpoints::Output> Service::describe_endpoints(aws::CallContext call,
                                                                        model::DescribeEndpoints::Input) {
  model::DescribeEndpoints::Output out;
  out.endpoints.emplace();
  out.endpoints->push_back({"dynamodb." + call.scope.region + ".amazonaws.com", 1440});
  co_return out;
}

awaitable<model::DescribeLimitsOutput> Service::describe_limits(aws::CallContext, model::DescribeLimitsInput) {
  co_return model::DescribeLimitsOutput{.account_max_read_capacity_units = 80'000, .account_max_write_capacity_units = 80'000,
                                        .table_max_read_capacity_units = 40'000, .table_max_write_capacity_units = 40'000};
}

awaitable<model::DescribeContinuousBackupsOutput> Service::describe_continuous_backups(
    aws::CallContext call, model::DescribeContinuousBackupsInput in) {
  co_await find_named(catalog_, call.scope, table_name(call.scope, in.table_name));
  model::DescribeContinuousBackupsOutput out;
  model::ContinuousBackupsDescription& description = out.continuous_backups_description.emplace();
  description.continuous_backups_status = "DISABLED";
  description.point_in_time_recovery_description.emplace();
  description.point_in_time_recovery_description->point_in_time_recovery_status = "DISABLED";
  co_return out;
}

}  // namespace parvis::dynamodb
