#include "services/dynamodb/stream_operations.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/hash.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/shard_iterator.h"

namespace parvis::dynamodb {
namespace {

constexpr int kListedMax = 100;
constexpr int kRecordsMax = 1000;

std::size_t limit_of(const std::optional<int>& limit, int most) {
  if (limit && *limit > most) {
    throw_validation(fmt::format("1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: Member must "
                                 "have value less than or equal to {}", *limit, most));
  }
  return static_cast<std::size_t>(limit.value_or(most));
}

StreamArn parse_arn(const std::string& arn) {
  std::optional<StreamArn> parsed = StreamArn::parse(arn);
  if (!parsed) throw_validation("Invalid StreamArn: Invalid ARN provided as input " + arn);
  return std::move(*parsed);
}

streams_model::Shard shard_of(const Stream& stream) {
  streams_model::Shard shard;
  shard.shard_id = stream.shard_id();
  shard.sequence_number_range.emplace();
  shard.sequence_number_range->starting_sequence_number = StreamPosition{stream.first, 0}.sequence_number();
  if (stream.last) shard.sequence_number_range->ending_sequence_number = StreamPosition{*stream.last, 0}.sequence_number();
  return shard;
}

std::size_t image_bytes(const std::optional<Item>& image) { return image ? item_size_bytes(*image) : 0; }

streams_model::Record record_of(const Stream& stream, Change change) {
  streams_model::Record out;
  out.event_id = hex_encode(sha256(stream.record.id + change.position.sequence_number())).substr(0, 32);
  out.event_name = change.kind == ChangeKind::kInsert ? "INSERT" : change.kind == ChangeKind::kModify ? "MODIFY" : "REMOVE";
  out.event_version = "1.1";
  out.event_source = "aws:dynamodb";
  out.aws_region = stream.scope.region;
  streams_model::StreamRecord& body = out.dynamodb.emplace();
  // Rounded down to the second, as the service does.
  body.approximate_creation_date_time = aws::Timestamp{static_cast<double>(change.created_ms / 1000)};
  body.sequence_number = change.position.sequence_number();
  body.stream_view_type = stream.record.view;
  body.size_bytes =
      static_cast<std::int64_t>(image_bytes(change.keys) + image_bytes(change.old_image) + image_bytes(change.new_image));
  body.keys = std::move(change.keys);
  body.old_image = std::move(change.old_image);
  body.new_image = std::move(change.new_image);
  if (change.expired) {
    out.user_identity.emplace();
    out.user_identity->principal_id = "dynamodb.amazonaws.com";
    out.user_identity->type = "Service";
  }
  return out;
}

StreamPosition position_at(const Stream& stream, const std::optional<std::string>& sequence_number) {
  if (!sequence_number) {
    throw_validation("ShardIteratorType AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER requires a SequenceNumber");
  }
  const std::optional<StreamPosition> position = StreamPosition::parse(*sequence_number);
  if (!position || position->stamp < stream.first) throw_validation("Invalid SequenceNumber: " + *sequence_number);
  return *position;
}

}  // namespace

void StreamOperations::register_operations(aws::Registry& registry) {
  using Call = aws::CallContext;
  registry.bind<streams_model::ListStreams>([this](Call call, streams_model::ListStreamsInput in) {
    return list_streams(std::move(call), std::move(in));
  });
  registry.bind<streams_model::DescribeStream>([this](Call call, streams_model::DescribeStreamInput in) {
    return describe_stream(std::move(call), std::move(in));
  });
  registry.bind<streams_model::GetShardIterator>([this](Call call, streams_model::GetShardIteratorInput in) {
    return get_shard_iterator(std::move(call), std::move(in));
  });
  registry.bind<streams_model::GetRecords>([this](Call call, streams_model::GetRecordsInput in) {
    return get_records(std::move(call), std::move(in));
  });
}

awaitable<Stream> StreamOperations::find(aws::Scope scope, std::string arn) {
  StreamArn parsed = parse_arn(arn);
  std::optional<Stream> stream;
  if (parsed.scope.account == scope.account && parsed.scope.region == scope.region) {
    stream = co_await streams_.find(std::move(scope), std::move(parsed.table_name), std::move(parsed.label));
  }
  if (!stream) throw aws::ApiError(kResourceNotFound, "Requested resource not found: Stream: " + arn + " not found");
  co_return std::move(*stream);
}

awaitable<streams_model::ListStreamsOutput> StreamOperations::list_streams(aws::CallContext call,
                                                                           streams_model::ListStreamsInput in) {
  std::optional<std::pair<std::string, std::string>> after;
  if (in.exclusive_start_stream_arn) {
    StreamArn parsed = parse_arn(*in.exclusive_start_stream_arn);
    after.emplace(std::move(parsed.table_name), std::move(parsed.label));
  }
  bool more = false;
  const std::vector<Stream> streams = co_await streams_.list(call.scope, in.table_name.value_or(""), std::move(after),
                                                             limit_of(in.limit, kListedMax), more);
  streams_model::ListStreamsOutput out;
  out.streams.emplace();
  for (const Stream& stream : streams) {
    streams_model::Stream& each = out.streams->emplace_back();
    each.stream_arn = stream.arn();
    each.stream_label = stream.record.label;
    each.table_name = stream.record.table_name;
  }
  if (more) out.last_evaluated_stream_arn = streams.back().arn();
  co_return out;
}

awaitable<streams_model::DescribeStreamOutput> StreamOperations::describe_stream(aws::CallContext call,
                                                                                 streams_model::DescribeStreamInput in) {
  limit_of(in.limit, kListedMax);
  const Stream stream = co_await find(call.scope, in.stream_arn.value());
  streams_model::DescribeStreamOutput out;
  streams_model::StreamDescription& description = out.stream_description.emplace();
  description.stream_arn = stream.arn();
  description.stream_label = stream.record.label;
  description.stream_status = stream.last ? "DISABLED" : "ENABLED";
  description.stream_view_type = stream.record.view;
  description.creation_request_date_time = aws::Timestamp{static_cast<double>(stream.record.created_ms) / 1000};
  description.table_name = stream.record.table_name;
  description.key_schema = {{stream.record.keys.partition.name, "HASH"}};
  if (stream.record.keys.sort) description.key_schema->push_back({stream.record.keys.sort->name, "RANGE"});
  description.shards.emplace();
  // The one shard has no children, and none stands after it.
  if (!in.exclusive_start_shard_id && !in.shard_filter) description.shards->push_back(shard_of(stream));
  co_return out;
}

awaitable<streams_model::GetShardIteratorOutput> StreamOperations::get_shard_iterator(
    aws::CallContext call, streams_model::GetShardIteratorInput in) {
  const Stream stream = co_await find(call.scope, in.stream_arn.value());
  if (in.shard_id != stream.shard_id()) {
    throw aws::ApiError(kResourceNotFound, fmt::format("Requested resource not found: Shard: {} in stream: {} not found",
                                                       *in.shard_id, stream.arn()));
  }
  const std::string& type = in.shard_iterator_type.value();
  const bool by_number = type == "AT_SEQUENCE_NUMBER" || type == "AFTER_SEQUENCE_NUMBER";
  if (in.sequence_number && !by_number) {
    throw_validation("SequenceNumber can only be used with AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER");
  }
  if (in.timestamp && type != "AT_TIMESTAMP") throw_validation("Timestamp can only be used with AT_TIMESTAMP");
  ShardIterator iterator{stream.arn(), {}, 0, now_ms()};
  if (type == "LATEST") {
    iterator.from = streams_.latest();
  } else if (by_number) {
    iterator.from = position_at(stream, in.sequence_number);
    if (type == "AFTER_SEQUENCE_NUMBER") iterator.from = iterator.from.next();
    co_await streams_.read(stream, iterator.from, 1, 0);  // throws when that part is trimmed
  } else if (type == "AT_TIMESTAMP") {
    if (!in.timestamp) throw_validation("ShardIteratorType AT_TIMESTAMP requires a Timestamp");
    const double seconds = in.timestamp->epoch_seconds;
    if (!(seconds >= 0 && seconds < 1e11)) throw_validation("Invalid Timestamp");
    iterator.not_before_ms = std::llround(seconds * 1000);
  }
  co_return streams_model::GetShardIteratorOutput{.shard_iterator = iterator.to_string()};
}

awaitable<streams_model::GetRecordsOutput> StreamOperations::get_records(aws::CallContext call,
                                                                         streams_model::GetRecordsInput in) {
  const std::size_t limit = limit_of(in.limit, kRecordsMax);
  std::optional<ShardIterator> iterator = ShardIterator::parse(in.shard_iterator.value());
  if (!iterator || !StreamArn::parse(iterator->stream_arn)) throw_validation("Invalid ShardIterator");
  if (iterator->issued_ms < now_ms() - kIteratorLifeMs) {
    throw aws::ApiError(kExpiredIterator, "The shard iterator has expired: it was issued more than 15 minutes ago");
  }
  const Stream stream = co_await find(call.scope, iterator->stream_arn);
  ChangePage page = co_await streams_.read(stream, iterator->from, limit, iterator->not_before_ms);
  streams_model::GetRecordsOutput out;
  out.records.emplace();
  for (Change& change : page.changes) out.records->push_back(record_of(stream, std::move(change)));
  if (!page.ended) {
    iterator->from = page.next;
    iterator->issued_ms = now_ms();
    out.next_shard_iterator = iterator->to_string();
  }
  co_return out;
}

}  // namespace parvis::dynamodb
