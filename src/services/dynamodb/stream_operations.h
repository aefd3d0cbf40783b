// dynamodb/stream_operations.h: the operations of DynamoDB Streams, a second API over the same data.
// Source: Amazon DynamoDB Streams API Reference.
#pragma once

#include "aws/api_call.h"
#include "models/dynamodbstreams.h"
#include "services/dynamodb/change_stream.h"

namespace parvis::dynamodb {

namespace streams_model = aws::model::dynamodbstreams;

inline constexpr std::int64_t kIteratorLifeMs = 15 * 60 * 1000;

class StreamOperations {  // thread-safe; `catalog` outlives it
 public:
  explicit StreamOperations(Catalog& catalog) : catalog_(catalog), streams_(catalog) {}
  void register_operations(aws::Registry& registry);
  ChangeStreams& streams() { return streams_; }

  awaitable<streams_model::ListStreamsOutput> list_streams(aws::CallContext call, streams_model::ListStreamsInput in);
  awaitable<streams_model::DescribeStreamOutput> describe_stream(aws::CallContext call, streams_model::DescribeStreamInput in);
  awaitable<streams_model::GetShardIteratorOutput> get_shard_iterator(aws::CallContext call,
                                                                      streams_model::GetShardIteratorInput in);
  awaitable<streams_model::GetRecordsOutput> get_records(aws::CallContext call, streams_model::GetRecordsInput in);

 private:
  awaitable<Stream> find(aws::Scope scope, std::string arn);
  std::int64_t now_ms() const { return catalog_.clock().due().time_since_epoch().count(); }

  Catalog& catalog_;
  ChangeStreams streams_;
};

}  // namespace parvis::dynamodb
