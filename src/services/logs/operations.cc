#include "services/logs/operations.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace parvis::logs {
namespace {

namespace errors = model::errors;

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

[[noreturn]] void refuse(std::string_view member) {
  throw aws::ApiError(errors::kInvalidParameterException, fmt::format("{} is not available on this platform yet.", member));
}

// Tokens are a letter, a slash and a position: "f/120".
std::size_t position(const std::optional<std::string>& token) {
  if (!token) return 0;
  std::size_t at = 0;
  const char* end = token->data() + token->size();
  if (token->size() < 3 || (*token)[1] != '/' || std::from_chars(token->data() + 2, end, at).ptr != end) {
    throw aws::ApiError(errors::kInvalidParameterException, "The specified nextToken is invalid.");
  }
  return at;
}

// The filter patterns that need no grammar: nothing, a word, or a quoted phrase.
std::string phrase(const std::optional<std::string>& pattern) {
  std::string text = or_default(pattern);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"' && text.find('"', 1) == text.size() - 1) {
    return text.substr(1, text.size() - 2);
  }
  if (text.find_first_of(" {}[]?\"%-*") != std::string::npos) refuse("A filterPattern of more than one word or quoted phrase");
  return text;
}

constexpr std::size_t kPutBytesMax = 1u << 20;
constexpr std::int64_t kDayMs = 86'400'000;

}  // namespace

std::string group_of(const std::optional<std::string>& name, const std::optional<std::string>& identifier) {
  if (name && identifier) {
    throw aws::ApiError(errors::kInvalidParameterException, "logGroupName and logGroupIdentifier cannot both be given.");
  }
  std::string group = name ? *name : or_default(identifier);
  if (const std::size_t at = group.find(":log-group:"); group.starts_with("arn:") && at != std::string::npos) {
    group = group.substr(at + 11);
    if (group.ends_with(":*")) group.resize(group.size() - 2);
  }
  if (group.empty()) throw aws::ApiError(errors::kInvalidParameterException, "A log group must be named.");
  return group;
}

std::string group_arn(const aws::Scope& scope, const std::string& group) {
  return fmt::format("arn:aws:logs:{}:{}:log-group:{}", scope.region, scope.account, group);
}

void LogsService::bind(aws::Registry& registry) {
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) {
      return (this->*method)(std::move(call), std::move(in));
    });
  };
  bind(model::CreateLogGroup{}, &LogsService::create_group);
  bind(model::DeleteLogGroup{}, &LogsService::delete_group);
  bind(model::DescribeLogGroups{}, &LogsService::describe_groups);
  bind(model::CreateLogStream{}, &LogsService::create_stream);
  bind(model::DescribeLogStreams{}, &LogsService::describe_streams);
  bind(model::PutLogEvents{}, &LogsService::put_events);
  bind(model::GetLogEvents{}, &LogsService::get_events);
  bind(model::FilterLogEvents{}, &LogsService::filter_events);
  bind(model::PutRetentionPolicy{}, &LogsService::put_retention);
  bind(model::DeleteRetentionPolicy{}, &LogsService::delete_retention);
  bind(model::DeleteLogStream{}, &LogsService::delete_stream);
  bind(model::TagResource{}, &LogsService::tag);
  bind(model::UntagResource{}, &LogsService::untag);
  bind(model::ListTagsForResource{}, &LogsService::list_tags);
  bind(model::TagLogGroup{}, &LogsService::tag_group);
  bind(model::UntagLogGroup{}, &LogsService::untag_group);
  bind(model::ListTagsLogGroup{}, &LogsService::list_group_tags);
}

awaitable<model::CreateLogGroupOutput> LogsService::create_group(aws::CallContext call, model::CreateLogGroupInput in) {
  if (in.kms_key_id) refuse("kmsKeyId");
  if (or_default(in.deletion_protection_enabled)) refuse("deletionProtectionEnabled");
  if (or_default<std::string>(in.log_group_class, "STANDARD") != "STANDARD") refuse("A logGroupClass other than STANDARD");
  GroupSettings settings;
  const bool from_template = call.origin == "template";
  put_tags(settings, in.tags, from_template);
  // What a function printed before its template's group was made is no reason to fail.
  co_await store_.create_group(call.scope, or_default(in.log_group_name), std::move(settings), from_template);
  co_return model::CreateLogGroupOutput{};
}

awaitable<model::DeleteLogGroupOutput> LogsService::delete_group(aws::CallContext call, model::DeleteLogGroupInput in) {
  co_await store_.delete_group(call.scope, or_default(in.log_group_name));
  co_return model::DeleteLogGroupOutput{};
}

awaitable<model::DescribeLogGroupsOutput> LogsService::describe_groups(aws::CallContext call, model::DescribeLogGroupsInput in) {
  if (in.log_group_name_pattern) refuse("logGroupNamePattern");
  if (in.log_group_identifiers) refuse("logGroupIdentifiers");
  const auto limit = static_cast<std::size_t>(std::clamp(or_default(in.limit, 50), 1, 50));
  const auto found = co_await store_.groups(call.scope, or_default(in.log_group_name_prefix), or_default(in.next_token), limit + 1);
  model::DescribeLogGroupsOutput out;
  out.log_groups.emplace();
  for (const NamedEntry& entry : found) {
    if (out.log_groups->size() == limit) {
      out.next_token = out.log_groups->back().log_group_name;
      break;
    }
    model::LogGroup group;
    group.log_group_name = entry.name;
    group.creation_time = entry.created_ms;
    group.arn = group_arn(call.scope, entry.name) + ":*";
    group.log_group_arn = group_arn(call.scope, entry.name);
    group.log_group_class = "STANDARD";
    if (entry.retention_days > 0) group.retention_in_days = entry.retention_days;
    group.metric_filter_count = 0;
    out.log_groups->push_back(std::move(group));
  }
  co_return out;
}

awaitable<model::CreateLogStreamOutput> LogsService::create_stream(aws::CallContext call, model::CreateLogStreamInput in) {
  co_await store_.create_stream(call.scope, or_default(in.log_group_name), or_default(in.log_stream_name));
  co_return model::CreateLogStreamOutput{};
}

awaitable<model::PutLogEventsOutput> LogsService::put_events(aws::CallContext call, model::PutLogEventsInput in) {
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  std::vector<LogEvent> events;
  model::RejectedLogEventsInfo rejected;
  std::size_t bytes = 0;
  std::int64_t before = INT64_MIN;
  int index = 0;
  for (model::InputLogEvent& event : in.log_events.value()) {
    const std::int64_t at = or_default(event.timestamp);
    bytes += or_default(event.message).size() + 26;
    if (at < before) {
      throw aws::ApiError(errors::kInvalidParameterException, "Log events in a single PutLogEvents request must be in chronological order.");
    }
    before = at;
    if (at > now + kDayMs / 12) {
      if (!rejected.too_new_log_event_start_index) rejected.too_new_log_event_start_index = index;
    } else if (at < now - 14 * kDayMs) {
      rejected.too_old_log_event_end_index = index + 1;
    } else {
      events.push_back({at, now, std::move(event.message).value_or("")});
    }
    ++index;
  }
  if (bytes > kPutBytesMax || index > 10'000) {
    throw aws::ApiError(errors::kInvalidParameterException, fmt::format("Upload too large: {} bytes exceeds limit of {}", bytes, kPutBytesMax));
  }
  const std::string group = or_default(in.log_group_name), stream = or_default(in.log_stream_name);
  co_await store_.check_stream(call.scope, group, stream);
  co_await store_.put(call.scope, group, stream, std::move(events));
  model::PutLogEventsOutput out;
  if (rejected.too_new_log_event_start_index || rejected.too_old_log_event_end_index) out.rejected_log_events_info = rejected;
  co_return out;
}

awaitable<model::GetLogEventsOutput> LogsService::get_events(aws::CallContext call, model::GetLogEventsInput in) {
  const std::string group = group_of(in.log_group_name, in.log_group_identifier), stream = or_default(in.log_stream_name);
  co_await store_.check_stream(call.scope, group, stream);
  const auto limit = static_cast<std::size_t>(std::clamp(or_default(in.limit, 10'000), 1, 10'000));
  ReadOptions options{.start_ms = or_default(in.start_time), .end_ms = or_default(in.end_time, INT64_MAX), .limit = SIZE_MAX / 2, .skip = 0};
  const LogStore::Page page = co_await store_.read(call.scope, group, stream, {}, {}, options);
  const std::size_t count = page.events.size();
  // Without a token: the newest events, or with startFromHead the oldest. "f/n" goes on at event n, "b/n" ends before it.
  const std::size_t at = std::min(position(in.next_token), count);
  std::size_t from = 0, to = 0;
  if (in.next_token ? in.next_token->front() == 'b' : !or_default(in.start_from_head)) {
    to = in.next_token ? at : count;
    from = to > limit ? to - limit : 0;
  } else {
    from = in.next_token ? at : 0;
    to = std::min(count, from + limit);
  }
  model::GetLogEventsOutput out;
  out.events.emplace();
  for (std::size_t i = from; i < to; ++i) {
    model::OutputLogEvent event;
    event.timestamp = page.events[i].event.timestamp_ms;
    event.ingestion_time = page.events[i].event.ingested_ms;
    event.message = page.events[i].event.message;
    out.events->push_back(std::move(event));
  }
  out.next_forward_token = fmt::format("f/{}", to);
  out.next_backward_token = fmt::format("b/{}", from);
  co_return out;
}

awaitable<model::FilterLogEventsOutput> LogsService::filter_events(aws::CallContext call, model::FilterLogEventsInput in) {
  const std::string group = group_of(in.log_group_name, in.log_group_identifier);
  if (in.log_stream_names && in.log_stream_names->size() > 1) refuse("More than one of logStreamNames");
  if (in.start_from_head && !*in.start_from_head) refuse("startFromHead false");
  co_await store_.check_group(call.scope, group);
  std::optional<std::string> stream;
  if (in.log_stream_names && !in.log_stream_names->empty()) stream = in.log_stream_names->front();
  ReadOptions options{.start_ms = or_default(in.start_time), .end_ms = or_default(in.end_time, INT64_MAX),
                      .limit = static_cast<std::size_t>(std::clamp(or_default(in.limit, 10'000), 1, 10'000)),
                      .skip = position(in.next_token)};
  const LogStore::Page page = co_await store_.read(call.scope, group, stream, or_default(in.log_stream_name_prefix),
                                                   phrase(in.filter_pattern), options);
  model::FilterLogEventsOutput out;
  out.events.emplace();
  out.searched_log_streams.emplace();
  for (const StreamEvent& found : page.events) {
    model::FilteredLogEvent event;
    event.log_stream_name = found.stream;
    event.timestamp = found.event.timestamp_ms;
    event.ingestion_time = found.event.ingested_ms;
    event.message = found.event.message;
    event.event_id = found.id;
    out.events->push_back(std::move(event));
  }
  if (page.more && !page.events.empty()) out.next_token = fmt::format("f/{}", options.skip + page.events.size());
  co_return out;
}

}  // namespace parvis::logs
