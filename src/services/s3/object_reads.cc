// Objects read.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/time_format.h"
#include "services/s3/body.h"
#include "services/s3/conditions.h"
#include "services/s3/errors.h"
#include "services/s3/object_input.h"
#include "services/s3/operations.h"
#include "services/s3/range.h"

namespace parvis::s3 {
namespace {

aws::Timestamp http_time(std::int64_t ms) { return {std::floor(static_cast<double>(ms) / 1000.0)}; }

template <class Input>
void refuse_unread(const Input& in) {
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  refuse_if(in.response_expires.has_value(), "response-expires");
  if (in.part_number && in.range) throw aws::ApiError(kInvalidRequest, "Cannot specify both Range header and partNumber query parameter");
}

template <class Input, class Output>
Span describe(const Input& in, const ObjectRecord& record, Output& out) {
  check_read({in.if_match, in.if_none_match, in.if_modified_since, in.if_unmodified_since}, record);
  const Span span = in.part_number ? part_span_of(*in.part_number, record) : span_of(in.range, record.size_bytes);
  const auto header = [&](const char* name) -> std::optional<std::string> {
    const auto found = record.headers.find(name);
    return found == record.headers.end() ? std::nullopt : std::optional(found->second);
  };
  out.accept_ranges = "bytes";
  out.last_modified = http_time(record.modified_ms);
  out.content_length = static_cast<std::int64_t>(span.length);
  out.e_tag = quoted(record.etag);
  out.cache_control = in.response_cache_control ? in.response_cache_control : header("Cache-Control");
  out.content_disposition = in.response_content_disposition ? in.response_content_disposition : header("Content-Disposition");
  out.content_encoding = in.response_content_encoding ? in.response_content_encoding : header("Content-Encoding");
  out.content_language = in.response_content_language ? in.response_content_language : header("Content-Language");
  out.content_type = in.response_content_type ? in.response_content_type : header("Content-Type");
  if (!out.content_type) out.content_type = "binary/octet-stream";
  out.expires = header("Expires");
  if (!record.metadata.empty()) out.metadata = record.metadata;
  if (!record.tags.empty()) out.tag_count = static_cast<int>(record.tags.size());
  if (in.part_number && is_multipart(record)) out.parts_count = static_cast<int>(record.pieces.size());
  if (span.partial) {
    out.content_range = fmt::format("bytes {}-{}/{}", span.offset, span.offset + span.length - 1, record.size_bytes);
  } else if (in.checksum_mode && *in.checksum_mode == "ENABLED" && !record.checksum.algorithm.empty()) {
    set_checksum(record.checksum, out);
    out.checksum_type = checksum_type(record.checksum);
  }
  return span;
}

model::GetObjectAttributesParts parts_in(const ObjectRecord& record, const model::GetObjectAttributesInput& in) {
  const int limit = std::clamp(in.max_parts.value_or(1000), 0, 1000), marker = in.part_number_marker.value_or(0);
  model::GetObjectAttributesParts out;
  out.total_parts_count = static_cast<int>(record.pieces.size());
  if (record.checksum.algorithm.empty()) return out;  // S3 lists parts only of uploads with checksums
  out.part_number_marker = marker;
  out.next_part_number_marker = marker;
  out.max_parts = limit;
  out.is_truncated = false;
  out.parts.emplace();
  for (const Piece& piece : record.pieces) {
    if (piece.number <= marker) continue;
    if (out.parts->size() == static_cast<std::size_t>(limit)) {
      out.is_truncated = true;
      break;
    }
    model::ObjectPart& part = out.parts->emplace_back();
    part.part_number = piece.number;
    part.size = static_cast<std::int64_t>(piece.size_bytes);
    set_checksum(Checksum{record.checksum.algorithm, piece.checksum, false}, part);
    out.next_part_number_marker = piece.number;
  }
  return out;
}

}  // namespace

awaitable<Service::Found> Service::find_object(aws::Scope scope, std::string name, std::string key, std::optional<std::string> version_id, Owner owner) {
  const Bucket bucket = co_await find_bucket(scope, name, owner);
  Versions versions(scope, bucket.record, key);
  co_await versions.load(store_.snapshot(), false);
  const bool versioned = !bucket.record.versioning.empty();
  if (!version_id) {
    if (const ObjectRecord* current = versions.current())
      co_return Found{*current, versioned ? std::optional(shown_version(*current)) : std::nullopt};
    boost::json::object members{{"Key", key}};
    if (const ObjectRecord* marker = versions.marker())
      members = boost::json::object{{"Key", key}, {"x-amz-delete-marker", "true"}, {"x-amz-version-id", shown_version(*marker)}};
    throw aws::ApiError(kNoSuchKey, "The specified key does not exist.", std::move(members));
  }
  const auto found = co_await versions.find(*version_id);
  if (!found) {
    if (!versioned && *version_id == "null") throw no_such_key(key);
    throw aws::ApiError(kNoSuchVersion, "The specified version does not exist.", {{"Key", key}, {"VersionId", *version_id}});
  }
  if (found->record.delete_marker) {
    boost::json::object members{{"Method", "GET"}, {"ResourceType", "DeleteMarker"}, {"Allow", "DELETE"}, {"x-amz-delete-marker", "true"},
                                {"x-amz-version-id", *version_id}};
    members["Last-Modified"] = format_rfc1123(Millis(std::chrono::milliseconds(found->record.modified_ms)));
    throw aws::ApiError(kMethodNotAllowed, "The specified method is not allowed against this resource.", std::move(members));
  }
  co_return Found{found->record, versioned ? std::optional(shown_version(found->record)) : std::nullopt};
}

awaitable<model::GetObjectOutput> Service::get_object(aws::CallContext call, model::GetObjectInput in) {
  refuse_unread(in);
  Found found = co_await find_object(call.scope, *in.bucket, *in.key, in.version_id, in.expected_bucket_owner);
  model::GetObjectOutput out;
  const Span span = describe(in, found.record, out);
  out.version_id = found.version_id;
  aws::Body body(read_pieces(blobs(call.scope), uses_, std::move(found.record.pieces), span.offset, span.length));
  body.size_bytes = span.length;
  out.body = std::move(body);
  co_return out;
}

awaitable<model::HeadObjectOutput> Service::head_object(aws::CallContext call, model::HeadObjectInput in) {
  refuse_unread(in);
  const Found found = co_await find_object(call.scope, *in.bucket, *in.key, in.version_id, in.expected_bucket_owner);
  model::HeadObjectOutput out;
  describe(in, found.record, out);
  out.version_id = found.version_id;
  co_return out;
}

awaitable<model::GetObjectAttributesOutput> Service::get_attributes(aws::CallContext call, model::GetObjectAttributesInput in) {
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  const Found found = co_await find_object(call.scope, *in.bucket, *in.key, in.version_id, in.expected_bucket_owner);
  const ObjectRecord& record = found.record;
  const auto wants = [&](std::string_view name) {
    return in.object_attributes && std::ranges::find(*in.object_attributes, name) != in.object_attributes->end();
  };
  model::GetObjectAttributesOutput out;
  out.last_modified = http_time(record.modified_ms);
  out.version_id = found.version_id;
  if (wants("ETag")) out.e_tag = record.etag;
  if (wants("ObjectSize")) out.object_size = static_cast<std::int64_t>(record.size_bytes);
  if (wants("StorageClass")) out.storage_class = "STANDARD";
  if (wants("ObjectParts") && is_multipart(record)) out.object_parts = parts_in(record, in);
  if (wants("Checksum") && !record.checksum.algorithm.empty()) {
    model::Checksum& checksum = out.checksum.emplace();
    set_checksum(record.checksum, checksum);
    checksum.checksum_type = checksum_type(record.checksum);
  }
  co_return out;
}

}  // namespace parvis::s3
