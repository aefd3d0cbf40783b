// Retention, tags and the end of log groups and streams.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "services/logs/operations.h"

namespace parvis::logs {
namespace {

namespace errors = model::errors;

// Source: CloudWatch Logs API Reference, PutRetentionPolicy.
constexpr std::array kRetentionDays = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
constexpr std::size_t kTagsMax = 50;

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

std::string group_of_arn(const std::optional<std::string>& arn) {
  const std::string text = or_default(arn);
  const std::size_t at = text.find(":log-group:");
  if (!text.starts_with("arn:") || at == std::string::npos) {
    throw aws::ApiError(errors::kInvalidParameterException, fmt::format("{} is not the ARN of a log group.", text));
  }
  std::string group = text.substr(at + 11);
  if (group.ends_with(":*")) group.resize(group.size() - 2);
  return group;
}

}  // namespace

void put_tags(GroupSettings& settings, const std::optional<std::map<std::string, std::string>>& tags, bool reserved) {
  if (!tags) return;
  for (const auto& [key, value] : *tags) {
    if (!reserved && key.starts_with("aws:")) throw aws::ApiError(errors::kInvalidParameterException, "Tag keys that begin with aws: are reserved.");
    settings.tags[key] = value;
  }
  const auto own = std::ranges::count_if(settings.tags, [](const auto& tag) { return !tag.first.starts_with("aws:"); });
  if (own > static_cast<std::ptrdiff_t>(kTagsMax)) throw aws::ApiError(errors::kTooManyTagsException, fmt::format("A log group can have at most {} tags.", kTagsMax));
}

awaitable<model::PutRetentionPolicyOutput> LogsService::put_retention(aws::CallContext call, model::PutRetentionPolicyInput in) {
  const int days = or_default(in.retention_in_days);
  if (std::ranges::find(kRetentionDays, days) == kRetentionDays.end()) {
    throw aws::ApiError(errors::kInvalidParameterException, fmt::format("1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: "
        "Member must satisfy enum value set: [{}]", days, fmt::join(kRetentionDays, ", ")));
  }
  co_await store_.change(call.scope, or_default(in.log_group_name), [days](GroupSettings& settings) { settings.retention_days = days; });
  co_return model::PutRetentionPolicyOutput{};
}

awaitable<model::DeleteRetentionPolicyOutput> LogsService::delete_retention(aws::CallContext call, model::DeleteRetentionPolicyInput in) {
  co_await store_.change(call.scope, or_default(in.log_group_name), [](GroupSettings& settings) { settings.retention_days = 0; });
  co_return model::DeleteRetentionPolicyOutput{};
}

awaitable<model::DeleteLogStreamOutput> LogsService::delete_stream(aws::CallContext call, model::DeleteLogStreamInput in) {
  co_await store_.delete_stream(call.scope, or_default(in.log_group_name), or_default(in.log_stream_name));
  co_return model::DeleteLogStreamOutput{};
}

awaitable<model::TagResourceOutput> LogsService::tag(aws::CallContext call, model::TagResourceInput in) {
  const bool reserved = call.origin == "template";
  co_await store_.change(call.scope, group_of_arn(in.resource_arn), [&](GroupSettings& settings) { put_tags(settings, in.tags, reserved); });
  co_return model::TagResourceOutput{};
}

awaitable<model::UntagResourceOutput> LogsService::untag(aws::CallContext call, model::UntagResourceInput in) {
  co_await store_.change(call.scope, group_of_arn(in.resource_arn), [&](GroupSettings& settings) {
    for (const std::string& key : *in.tag_keys) settings.tags.erase(key);
  });
  co_return model::UntagResourceOutput{};
}

awaitable<model::ListTagsForResourceOutput> LogsService::list_tags(aws::CallContext call, model::ListTagsForResourceInput in) {
  model::ListTagsForResourceOutput out;
  out.tags = (co_await store_.settings(call.scope, group_of_arn(in.resource_arn))).tags;
  co_return out;
}

awaitable<model::TagLogGroupOutput> LogsService::tag_group(aws::CallContext call, model::TagLogGroupInput in) {
  co_await store_.change(call.scope, or_default(in.log_group_name), [&](GroupSettings& settings) { put_tags(settings, in.tags, false); });
  co_return model::TagLogGroupOutput{};
}

awaitable<model::UntagLogGroupOutput> LogsService::untag_group(aws::CallContext call, model::UntagLogGroupInput in) {
  co_await store_.change(call.scope, or_default(in.log_group_name), [&](GroupSettings& settings) {
    for (const std::string& key : *in.tags) settings.tags.erase(key);
  });
  co_return model::UntagLogGroupOutput{};
}

awaitable<model::ListTagsLogGroupOutput> LogsService::list_group_tags(aws::CallContext call, model::ListTagsLogGroupInput in) {
  model::ListTagsLogGroupOutput out;
  out.tags = (co_await store_.settings(call.scope, or_default(in.log_group_name))).tags;
  co_return out;
}

// By name, or the one written last first or last. Source: CloudWatch Logs API Reference, DescribeLogStreams.
awaitable<model::DescribeLogStreamsOutput> LogsService::describe_streams(aws::CallContext call, model::DescribeLogStreamsInput in) {
  const std::string group = group_of(in.log_group_name, in.log_group_identifier);
  const bool by_time = or_default<std::string>(in.order_by, "LogStreamName") == "LastEventTime", descending = or_default(in.descending);
  if (by_time && in.log_stream_name_prefix) throw aws::ApiError(errors::kInvalidParameterException, "Cannot order by LastEventTime with a logStreamNamePrefix.");
  co_await store_.check_group(call.scope, group);
  const auto limit = static_cast<std::size_t>(std::clamp(or_default(in.limit, 50), 1, 50));
  struct Row {
    NamedEntry entry;
    StreamTimes times;
  };
  std::vector<Row> rows;
  const bool whole = by_time || descending;  // the store gives names in their order
  for (NamedEntry& entry : co_await store_.streams(call.scope, group, or_default(in.log_stream_name_prefix), whole ? std::string() : or_default(in.next_token),
                                                   whole ? kStreamsSortedMax : limit + 1)) {
    StreamTimes times;
    if (by_time || rows.size() < limit) times = co_await store_.times(call.scope, group, entry.name);
    rows.push_back({std::move(entry), times});
  }
  const auto key = [by_time](const Row& row) { return std::pair(by_time ? row.times.last_ms.value_or(0) : 0, row.entry.name); };
  std::ranges::sort(rows, [&](const Row& a, const Row& b) { return descending ? key(a) > key(b) : key(a) < key(b); });
  if (whole && in.next_token) {
    const auto last = std::ranges::find_if(rows, [&](const Row& row) { return row.entry.name == *in.next_token; });
    if (last == rows.end()) throw aws::ApiError(errors::kInvalidParameterException, "The specified nextToken is invalid.");
    rows.erase(rows.begin(), last + 1);
  }
  model::DescribeLogStreamsOutput out;
  out.log_streams.emplace();
  for (Row& row : rows) {
    if (out.log_streams->size() == limit) {
      out.next_token = out.log_streams->back().log_stream_name;
      break;
    }
    if (whole && !by_time) row.times = co_await store_.times(call.scope, group, row.entry.name);
    model::LogStream& stream = out.log_streams->emplace_back();
    stream.log_stream_name = row.entry.name;
    stream.creation_time = row.entry.created_ms;
    stream.first_event_timestamp = row.times.first_ms;
    stream.last_event_timestamp = row.times.last_ms;
    stream.last_ingestion_time = row.times.last_ingested_ms;
    stream.arn = group_arn(call.scope, group) + ":log-stream:" + row.entry.name;
  }
  co_return out;
}

}  // namespace parvis::logs
