// What UpdateTable does to streams and indexes: parts of one commit.
#include <algorithm>

#include "services/dynamodb/change_stream.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

void update_index(const model::UpdateGlobalSecondaryIndexAction& in, TableRecord& record) {
  const auto found = std::ranges::find(record.indexes, in.index_name.value(), &IndexRecord::name);
  if (found == record.indexes.end()) throw aws::ApiError(kResourceNotFound, "Requested resource not found");
  if (!found->global) throw_validation("Cannot update an index that is not a GlobalSecondaryIndex: " + found->name);
  const auto& throughput = in.provisioned_throughput;
  if (throughput) found->throughput = {throughput->read_capacity_units.value(), throughput->write_capacity_units.value()};
  found->on_demand_max = on_demand_max_of(record, in.on_demand_throughput, found->on_demand_max, found->name);
  found->warm = warm_of(record, in.warm_throughput, found->warm, found->throughput, found->name);
}

void check_counts(const std::vector<model::GlobalSecondaryIndexUpdate>& updates) {
  std::set<std::string> names;
  int changes = 0;
  for (const model::GlobalSecondaryIndexUpdate& each : updates) {
    const int actions = each.create.has_value() + each.delete_.has_value() + each.update.has_value();
    if (actions == 0) {
      throw_validation(std::string(kInvalid) + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                                               "GlobalSecondaryIndexUpdate.Delete must not be null");
    }
    if (actions > 1) {
      throw_validation(std::string(kInvalid) + "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object");
    }
    const std::string& name = each.create ? *each.create->index_name : each.delete_ ? *each.delete_->index_name : *each.update->index_name;
    if (!names.insert(name).second) {
      throw_validation(std::string(kInvalid) + "Only one global secondary index update per index is allowed simultaneously. Index: " + name);
    }
    changes += !each.update;
  }
  if (changes > 1) {
    throw aws::ApiError(kLimitExceeded, "Subscriber limit exceeded: Only 1 online index can be created or deleted "
                                        "simultaneously per table");
  }
}

}  // namespace

std::string stream_view(const std::optional<model::StreamSpecification>& in, bool is_create) {
  if (!in) return {};
  const bool enabled = in->stream_enabled.value_or(false);
  if (enabled && !in->stream_view_type) {
    throw_validation(std::string(kInvalid) + (is_create ? "Table is being created with a stream enabled, UpdateViewType is required"
                                                        : "If stream is being enabled then UpdateViewType is required"));
  }
  if (!enabled && in->stream_view_type) {
    throw_validation(std::string(kInvalid) + (is_create ? "Table is being created with a stream disabled, UpdateViewType should not be specified"
                                                        : "If stream is being disabled, then UpdateViewType must not be specified"));
  }
  return enabled ? *in->stream_view_type : std::string();
}

// Source: the service's messages as a public probe recorded them in October 2026.
void check_combination(const model::UpdateTableInput& in) {
  const bool updates_indexes = in.global_secondary_index_updates && !in.global_secondary_index_updates->empty();
  const int others = in.provisioned_throughput.has_value() + in.stream_specification.has_value() + updates_indexes + in.sse_specification.has_value() +
                     in.table_class.has_value() + in.deletion_protection_enabled.has_value() + in.warm_throughput.has_value();
  const int all = others + in.billing_mode.has_value() + in.on_demand_throughput.has_value();
  const auto refuse = [](bool when, std::string_view message) {
    if (when) throw_validation(std::string(kInvalid) + std::string(message));
  };
  refuse(in.sse_specification && all > 1, "Server-Side Encryption modification must be the only operation in the request");
  refuse(in.table_class && all > 1, "TableClass modification must be the only operation in the request");
  refuse(in.deletion_protection_enabled && all > 1, "DeletionProtection modification must be the only operation in the request");
  refuse(in.warm_throughput && all > 1, "WarmThroughput must be the only operation in the request");
  refuse(in.on_demand_throughput && others > 0, "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
  refuse(in.stream_specification && in.provisioned_throughput, "You cannot modify stream status while updating table IOPS");
  const bool makes_or_deletes = updates_indexes && std::ranges::any_of(*in.global_secondary_index_updates, [](const auto& each) { return !each.update; });
  refuse(makes_or_deletes && in.provisioned_throughput, "You cannot create or delete index while updating table IOPS");
  refuse(makes_or_deletes && in.stream_specification, "You cannot create or delete index while changing stream status");
}

void apply_stream(const std::optional<model::StreamSpecification>& in, UpdateIds& ids, std::int64_t now_ms, TableRecord& record,
                  storage::Commit& commit) {
  if (!in) return;
  std::string view = stream_view(in, false);
  const bool on = record.stream && record.stream->enabled;
  if (!view.empty()) {
    if (on && record.stream->id == ids.stream) return;  // an earlier attempt arrived
    if (on) throw_validation("Table already has an enabled stream: TableName: " + record.name);
    open_stream(record, ids.stream, std::move(view), now_ms, commit);
    return;
  }
  if (!on && ids.stream_closed) return;
  if (!on) throw_validation("Table has no stream to disable: TableName: " + record.name);
  ids.stream_closed = true;
  close_stream(record, now_ms, commit);
}

void apply_index_updates(const model::UpdateTableInput& in, UpdateIds& ids, TableRecord& record, storage::Commit& commit) {
  if (!in.global_secondary_index_updates) return;
  check_counts(*in.global_secondary_index_updates);
  for (const model::GlobalSecondaryIndexUpdate& each : *in.global_secondary_index_updates) {
    if (each.create) {
      const IndexRecord* existing = record.index(*each.create->index_name);
      if (existing && existing->id == ids.index) continue;  // an earlier attempt arrived
      IndexRecord index = make_index(record, *each.create, in.attribute_definitions);
      index.id = ids.index;
      record.indexes.push_back(std::move(index));
    } else if (each.delete_) {
      if (!record.index(*each.delete_->index_name) && ids.index_removed) continue;
      remove_index(record, *each.delete_->index_name, commit);
      ids.index_removed = true;
    } else {
      update_index(*each.update, record);
    }
  }
}

}  // namespace parvis::dynamodb
