// dynamodb/shard_iterator.h: what a shard iterator says: "<stream ARN>|1|<base64 of a tuple>", as AWS spells them. Clients
// treat it as opaque; a forged one reads no more than GetShardIterator would have given.
#pragma once

#include "services/dynamodb/change_stream.h"

namespace parvis::dynamodb {

struct StreamArn {
  aws::Scope scope;
  std::string table_name, label;
  static std::optional<StreamArn> parse(std::string_view arn);
};

struct ShardIterator {
  std::string stream_arn;
  StreamPosition from;
  std::int64_t not_before_ms = 0;  // AT_TIMESTAMP
  std::int64_t issued_ms = 0;
  std::string to_string() const;
  static std::optional<ShardIterator> parse(std::string_view text);
};

}  // namespace parvis::dynamodb
