// Operations on tables, their tags and settings.
#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr std::size_t kListTablesMax = 100;

std::string name_of_arn(const aws::Scope& scope, const std::optional<std::string>& arn) {
  check_arn(arn.value());
  return table_name(scope, arn);
}

// Only the platform itself tags with "aws:".
void check_tag_keys(const aws::CallContext& call, const std::vector<model::Tag>& tags) {
  if (call.origin == "template") return;
  for (const model::Tag& tag : tags) {
    if (tag.key->starts_with("aws:")) throw_validation("Tag Key cannot be prefixed with aws:, Key: " + *tag.key);
  }
}

// Throws ResourceNotFoundException as the operations on tags word it.
awaitable<Table> find_tagged(Catalog& catalog, aws::Scope scope, std::string arn) {
  const std::optional<Table> table = co_await catalog.find_if(catalog.store().snapshot(), scope, name_of_arn(scope, arn));
  if (!table) throw aws::ApiError(kResourceNotFound, "Requested resource not found: ResourcArn: " + arn + " not found");
  co_return *table;
}

}  // namespace

awaitable<model::TableDescription> Service::describe(Table table, std::string status) {
  const std::shared_ptr<const TableRecord> record = table.record;
  model::TableDescription out = describe_record(*record, std::move(status));
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const CountsByIndex counts = co_await catalog_.statistics().of(
      table, stopping_, [this, executor](awaitable<> rest) { run_in_background(executor, std::move(rest)); });
  const auto of = [&counts](const std::string& id) {
    const auto found = counts.find(id);
    return found == counts.end() ? Counts() : found->second;
  };
  out.item_count = of("").items;
  out.table_size_bytes = of("").bytes;
  std::size_t local = 0, global = 0;
  for (const IndexRecord& index : record->indexes) {
    const auto fill = [each = of(index.id)](auto& element) {
      element.item_count = each.items;
      element.index_size_bytes = each.bytes;
    };
    if (index.global) fill(out.global_secondary_indexes->at(global++));
    else fill(out.local_secondary_indexes->at(local++));
  }
  co_return out;
}

awaitable<model::CreateTableOutput> Service::create_table(aws::CallContext call, model::CreateTableInput in) {
  if (in.tags) check_tag_keys(call, *in.tags);
  TableRecord record = make_record(call.scope, in);
  if (!record.policy.empty()) record.policy_revision = std::to_string(catalog_.clock().wall().time_since_epoch().count());
  const Table table = co_await catalog_.create(std::move(record), stream_view(in.stream_specification, true));
  co_return model::CreateTableOutput{.table_description = co_await describe(table, "ACTIVE")};
}

awaitable<model::DescribeTableOutput> Service::describe_table(aws::CallContext call, model::DescribeTableInput in) {
  const Table table = co_await find_named(catalog_, call.scope, table_name(call.scope, in.table_name));
  fill_indexes(co_await asio::this_coro::executor, table);  // takes up what a stopped process left
  co_return model::DescribeTableOutput{.table = co_await describe(table, status_of(*table))};
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
  const bool updates_indexes = in.global_secondary_index_updates && !in.global_secondary_index_updates->empty();
  if (!in.provisioned_throughput && !in.billing_mode && !in.stream_specification && !updates_indexes && !in.sse_specification &&
      !in.table_class && !in.deletion_protection_enabled && !in.on_demand_throughput && !in.warm_throughput) {
    throw_validation("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, "
                     "SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, "
                     "DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required");
  }
  check_combination(in);
  const std::string name = table_name(call.scope, in.table_name);
  UpdateIds ids{catalog_.entropy().token(8), catalog_.entropy().token(20), false, false};
  // One commit: a request that cannot be done as a whole changes nothing.
  check_capacity_changes(in, *co_await find_named(catalog_, call.scope, name));
  const Table table = co_await catalog_.modify_with(call.scope, name, [&](TableRecord& record, storage::Commit& commit) {
    check_active(record);
    apply_settings(in, record);
    apply_stream(in.stream_specification, ids, catalog_.clock().due().time_since_epoch().count(), record, commit);
    apply_index_updates(in, ids, record, commit);
  });
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  run_in_background(executor, catalog_.run_purges(stopping_));
  fill_indexes(executor, table);
  // The waiters of the SDKs ask DescribeTable until the table and its indexes are ACTIVE.
  co_return model::UpdateTableOutput{.table_description = co_await describe(table, "ACTIVE")};
}

awaitable<model::DeleteTableOutput> Service::delete_table(aws::CallContext call, model::DeleteTableInput in) {
  const Table table = co_await catalog_.remove(call.scope, table_name(call.scope, in.table_name));
  run_in_background(co_await asio::this_coro::executor, catalog_.run_purges(stopping_));
  co_return model::DeleteTableOutput{.table_description = describe_record(*table, "DELETING")};
}

awaitable<model::TagResource::Output> Service::tag_resource(aws::CallContext call, model::TagResourceInput in) {
  check_tag_keys(call, in.tags.value());
  const std::map<std::string, std::string> added = checked_tags(*in.tags);
  const std::string name = name_of_arn(call.scope, in.resource_arn);
  if (added.empty()) throw_validation("Atleast one Tag needs to be provided as Input.");
  co_await find_tagged(catalog_, call.scope, *in.resource_arn);
  co_await catalog_.modify(call.scope, name, [&added](TableRecord& record) {
    for (const auto& [key, value] : added) record.tags[key] = value;
    check_tag_count(record.tags.size());
  });
  co_return model::TagResource::Output{};
}

awaitable<model::UntagResource::Output> Service::untag_resource(aws::CallContext call, model::UntagResourceInput in) {
  const std::string name = name_of_arn(call.scope, in.resource_arn);
  if (in.tag_keys->empty()) throw_validation("Atleast one Tag Key needs to be provided as Input.");
  co_await find_tagged(catalog_, call.scope, *in.resource_arn);
  co_await catalog_.modify(call.scope, name, [&in](TableRecord& record) {
    for (const std::string& key : in.tag_keys.value()) record.tags.erase(key);
  });
  co_return model::UntagResource::Output{};
}

awaitable<model::ListTagsOfResourceOutput> Service::list_tags_of_resource(aws::CallContext call,
                                                                          model::ListTagsOfResourceInput in) {
  refuse(in.next_token, "NextToken", "was not given out: all tags come in one answer");
  const Table table = co_await find_tagged(catalog_, call.scope, in.resource_arn.value());
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

}  // namespace parvis::dynamodb
