// ListObjects and ListObjectsV2.
#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/errors.h"
#include "services/s3/listing.h"
#include "services/s3/operations.h"

namespace parvis::s3 {

struct Service::Listing {
  std::vector<std::pair<std::string, ObjectRecord>> objects;
  std::vector<std::string> prefixes;
  bool truncated = false;
  std::string last;  // where the next page begins: a place, as place_after() reads it
};

namespace {

model::Object shown(const std::string& key, const ObjectRecord& record, const std::optional<std::string>& owner) {
  model::Object object;
  object.key = key;
  object.last_modified = aws::Timestamp{static_cast<double>(record.modified_ms) / 1000.0};
  object.e_tag = quoted_etag(record);
  object.size = static_cast<std::int64_t>(record.size_bytes);
  object.storage_class = "STANDARD";
  if (!record.checksum.algorithm.empty()) {
    object.checksum_algorithm = {record.checksum.algorithm};
    object.checksum_type = checksum_type(record.checksum);
  }
  if (owner) object.owner.emplace().id = *owner;
  return object;
}

// Where a scan begins after a place of a listing: behind an object ("k" and its key) or a common prefix ("p" and it).
std::string begin_after(const aws::Scope& scope, const std::string& bucket_id, const std::string& place) {
  const std::string text = place.substr(1);
  if (place.front() == 'p') return storage::prefix_end(object_start(scope, bucket_id, text));
  return object_key(scope, bucket_id, text) + '\0';
}

}  // namespace

awaitable<Service::Listing> Service::list(aws::Scope scope, std::string name, Owner owner, std::string prefix, std::string delimiter,
                                          std::size_t limit, std::string after) {
  const Bucket bucket = co_await find_bucket(scope, name, owner);
  const std::string& id = bucket.record.id;
  const std::string base = object_prefix(scope, id), start = object_start(scope, id, prefix);
  storage::ScanOptions range{.begin = start, .end = storage::prefix_end(start)};
  if (!after.empty()) range.begin = std::max(range.begin, begin_after(scope, id, after));
  Listing out;
  const auto snapshot = store_.snapshot();
  std::size_t count = 0;
  for (bool more = limit > 0; more && range.begin < range.end;) {
    range.limit = delimiter.empty() ? limit + 1 - count : 100;
    const storage::ScanPage page = co_await snapshot->scan(range);
    more = page.more;
    std::string skip_to;
    for (const storage::Entry& entry : page.entries) {
      if (entry.key < skip_to) continue;
      range.begin = entry.key + '\0';
      if (count == limit) {
        out.truncated = true;
        co_return out;
      }
      ++count;
      const std::string key = storage::TupleReader(std::string_view(entry.key).substr(base.size())).string().value_or("");
      if (const std::string common = common_prefix_of(key, prefix, delimiter); !common.empty()) {
        out.prefixes.push_back(common);
        out.last = "p" + common;
        range.begin = skip_to = storage::prefix_end(object_start(scope, id, common));
        continue;
      }
      out.last = "k" + key;
      out.objects.emplace_back(key, parse_object(entry.value));
    }
  }
  co_return out;
}

awaitable<model::ListObjectsV2Output> Service::list_objects_v2(aws::CallContext call, model::ListObjectsV2Input in) {
  refuse_if(in.optional_object_attributes && !in.optional_object_attributes->empty(), "x-amz-optional-object-attributes");
  const std::size_t limit = page_limit(in.max_keys, "max-keys");
  const std::string prefix = in.prefix.value_or(""), delimiter = in.delimiter.value_or("");
  const ListedText text(in.encoding_type);
  std::string after;
  if (in.continuation_token) {
    after = base64_decode(*in.continuation_token).value_or("");
    if (after.size() < 2 || (after.front() != 'k' && after.front() != 'p')) {
      throw aws::ApiError(kInvalidArgument, "The continuation token provided is incorrect",
                          {{"ArgumentName", "continuation-token"}});
    }
  } else if (in.start_after && !in.start_after->empty()) {
    after = place_after(*in.start_after, prefix, delimiter);
  }
  const Listing found = co_await list(call.scope, *in.bucket, in.expected_bucket_owner, prefix, delimiter, limit, after);
  model::ListObjectsV2Output out;
  out.name = *in.bucket;
  out.prefix = text(prefix);
  if (!delimiter.empty()) out.delimiter = text(delimiter);
  out.max_keys = in.max_keys.value_or(1000);
  out.encoding_type = in.encoding_type;
  out.continuation_token = in.continuation_token;
  if (in.start_after) out.start_after = text(*in.start_after);
  out.key_count = static_cast<int>(found.objects.size() + found.prefixes.size());
  out.is_truncated = found.truncated;
  if (found.truncated) out.next_continuation_token = base64_encode(found.last);
  out.contents.emplace();
  out.common_prefixes.emplace();
  const std::optional<std::string> owner = in.fetch_owner.value_or(false) ? std::optional(call.scope.account) : std::nullopt;
  for (const auto& [key, record] : found.objects) out.contents->push_back(shown(text(key), record, owner));
  for (const std::string& common : found.prefixes) out.common_prefixes->emplace_back().prefix = text(common);
  co_return out;
}

awaitable<model::ListObjectsOutput> Service::list_objects(aws::CallContext call, model::ListObjectsInput in) {
  refuse_if(in.optional_object_attributes && !in.optional_object_attributes->empty(), "x-amz-optional-object-attributes");
  const std::size_t limit = page_limit(in.max_keys, "max-keys");
  const std::string prefix = in.prefix.value_or(""), delimiter = in.delimiter.value_or(""), marker = in.marker.value_or("");
  const ListedText text(in.encoding_type);
  const Listing found = co_await list(call.scope, *in.bucket, in.expected_bucket_owner, prefix, delimiter, limit,
                                      marker.empty() ? std::string() : place_after(marker, prefix, delimiter));
  model::ListObjectsOutput out;
  out.name = *in.bucket;
  out.prefix = text(prefix);
  out.marker = text(marker);
  if (!delimiter.empty()) out.delimiter = text(delimiter);
  out.max_keys = in.max_keys.value_or(1000);
  out.encoding_type = in.encoding_type;
  out.is_truncated = found.truncated;
  // Without a delimiter the last key is the next marker, and S3 does not repeat it.
  if (found.truncated && !delimiter.empty()) out.next_marker = text(found.last.substr(1));
  out.contents.emplace();
  out.common_prefixes.emplace();
  for (const auto& [key, record] : found.objects) out.contents->push_back(shown(text(key), record, call.scope.account));
  for (const std::string& common : found.prefixes) out.common_prefixes->emplace_back().prefix = text(common);
  co_return out;
}

}  // namespace parvis::s3
