// logs/operations.h: the part of CloudWatch Logs that functions and `parvis logs` need.
// Source: CloudWatch Logs API Reference (2014-03-28).
#pragma once

#include "aws/api_call.h"
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

  LogStore& store_;
  const Clock& clock_;
};

}  // namespace parvis::logs
