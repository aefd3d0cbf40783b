// logs/operations.h: the part of CloudWatch Logs that functions and `parvis logs` need.
// Source: CloudWatch Logs API Reference (2014-03-28).
#pragma once

#include "aws/api_call.h"
#include "aws/resource_type.h"
#include "models/logs.h"
#include "services/logs/log_store.h"

namespace parvis::logs {

namespace model = aws::model::logs;

class LogsService {  // thread-safe; everything given outlives it
 public:
  LogsService(LogStore& store, const Clock& clock) : store_(store), clock_(clock) {}
  void bind(aws::Registry& registry);

 private:
  awaitable<model::CreateLogGroupOutput> create_group(aws::CallContext call, model::CreateLogGroupInput in);
  awaitable<model::DeleteLogGroupOutput> delete_group(aws::CallContext call, model::DeleteLogGroupInput in);
  awaitable<model::DescribeLogGroupsOutput> describe_groups(aws::CallContext call, model::DescribeLogGroupsInput in);
  awaitable<model::CreateLogStreamOutput> create_stream(aws::CallContext call, model::CreateLogStreamInput in);
  awaitable<model::DescribeLogStreamsOutput> describe_streams(aws::CallContext call, model::DescribeLogStreamsInput in);
  awaitable<model::PutLogEventsOutput> put_events(aws::CallContext call, model::PutLogEventsInput in);
  awaitable<model::GetLogEventsOutput> get_events(aws::CallContext call, model::GetLogEventsInput in);
  awaitable<model::FilterLogEventsOutput> filter_events(aws::CallContext call, model::FilterLogEventsInput in);
  awaitable<model::PutRetentionPolicyOutput> put_retention(aws::CallContext call, model::PutRetentionPolicyInput in);
  awaitable<model::DeleteRetentionPolicyOutput> delete_retention(aws::CallContext call, model::DeleteRetentionPolicyInput in);
  awaitable<model::DeleteLogStreamOutput> delete_stream(aws::CallContext call, model::DeleteLogStreamInput in);
  awaitable<model::TagResourceOutput> tag(aws::CallContext call, model::TagResourceInput in);
  awaitable<model::UntagResourceOutput> untag(aws::CallContext call, model::UntagResourceInput in);
  awaitable<model::ListTagsForResourceOutput> list_tags(aws::CallContext call, model::ListTagsForResourceInput in);
  awaitable<model::TagLogGroupOutput> tag_group(aws::CallContext call, model::TagLogGroupInput in);
  awaitable<model::UntagLogGroupOutput> untag_group(aws::CallContext call, model::UntagLogGroupInput in);
  awaitable<model::ListTagsLogGroupOutput> list_group_tags(aws::CallContext call, model::ListTagsLogGroupInput in);

  LogStore& store_;
  const Clock& clock_;
};

inline constexpr std::size_t kStreamsSortedMax = 10'000;  // of one group, when they are not asked for in the order of their names

// A name, or the ARN of a group: the model has both members and takes one of them.
std::string group_of(const std::optional<std::string>& name, const std::optional<std::string>& identifier);
std::string group_arn(const aws::Scope& scope, const std::string& group);
// Throws InvalidParameterException, TooManyTagsException. `reserved`: keys that begin with aws: may be given.
void put_tags(GroupSettings& settings, const std::optional<std::map<std::string, std::string>>& tags, bool reserved);

// AWS::Logs::LogGroup. `api` outlives `types`.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);

}  // namespace parvis::logs
