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
  if (found == record.indexes.end() || !found->global) throw aws::ApiError(kResourceNotFound, "Requested resource not found");
  const auto& throughput = in.provisioned_throughput;
  if (throughput) found->throughput = {throughput->read_capacity_units.value(), throughput->write_capacity_units.value()};
  found->on_demand_max = on_demand_max_of(record, in.on_demand_throughput, found->on_demand_max);
  found->warm = warm_of(record, in.warm_throughput, found->warm, found->throughput);
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

std::string stream_view(const std::optional<model::StreamSpecification>& in) {
  if (!in) return {};
  const bool enabled = in->stream_enabled.value_or(false);
  if (enabled && !in->stream_view_type) {
    throw_validation(std::string(kInvalid) + "StreamViewType must be specified when StreamEnabled is true");
  }
  if (!enabled && in->stream_view_type) {
    throw_validation(std::string(kInvalid) + "StreamViewType must not be specified when StreamEnabled is false");
  }
  return enabled ? *in->stream_view_type : std::string();
}

void apply_stream(const std::optional<model::StreamSpecification>& in, UpdateIds& ids, std::int64_t now_ms, TableRecord& record,
                  storage::Commit& commit) {
  if (!in) return;
  std::string view = stream_view(in);
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
