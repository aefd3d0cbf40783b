#include "services/dynamodb/shard_iterator.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {

std::optional<StreamArn> StreamArn::parse(std::string_view arn) {
  constexpr std::string_view kBegin = "arn:aws:dynamodb:", kTable = "table/", kStream = "/stream/";
  if (!arn.starts_with(kBegin)) return std::nullopt;
  arn.remove_prefix(kBegin.size());
  const std::size_t region = arn.find(':');
  const std::size_t account = region == arn.npos ? arn.npos : arn.find(':', region + 1);
  if (account == arn.npos) return std::nullopt;
  StreamArn out;
  out.scope = {std::string(arn.substr(region + 1, account - region - 1)), std::string(arn.substr(0, region))};
  arn.remove_prefix(account + 1);
  const std::size_t stream = arn.find(kStream);
  if (!arn.starts_with(kTable) || stream == arn.npos || stream < kTable.size()) return std::nullopt;
  out.table_name = arn.substr(kTable.size(), stream - kTable.size());
  out.label = arn.substr(stream + kStream.size());
  if (out.table_name.empty() || out.label.empty()) return std::nullopt;
  return out;
}

std::string ShardIterator::to_string() const {
  const std::string tuple = storage::TupleWriter().u64(from.stamp).u64(from.index).i64(not_before_ms).i64(issued_ms).take();
  return fmt::format("{}|1|{}", stream_arn, base64_encode(tuple));
}

std::optional<ShardIterator> ShardIterator::parse(std::string_view text) {
  const std::size_t mark = text.rfind("|1|");
  if (mark == text.npos) return std::nullopt;
  const std::optional<std::string> tuple = base64_decode(text.substr(mark + 3));
  if (!tuple) return std::nullopt;
  storage::TupleReader reader(*tuple);
  const auto stamp = reader.u64(), index = reader.u64();
  const auto not_before = reader.i64(), issued = reader.i64();
  if (!stamp || !index || !not_before || !issued || !reader.at_end()) return std::nullopt;
  ShardIterator out;
  out.stream_arn = text.substr(0, mark);
  out.from = {*stamp, *index};
  out.not_before_ms = *not_before;
  out.issued_ms = *issued;
  return out;
}

}  // namespace parvis::dynamodb
