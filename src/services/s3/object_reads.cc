// Objects read and listed.
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/errors.h"
#include "services/s3/keyspace.h"
#include "services/s3/object_input.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

struct Span {
  std::uint64_t offset = 0, length = 0;
  bool partial = false;
};

// RFC 9110, section 14: a Range that is not understood, or names several, is as if it were not there.
Span span_of(const std::optional<std::string>& range, std::uint64_t size) {
  const Span whole{0, size, false};
  if (!range || !range->starts_with("bytes=")) return whole;
  const std::string_view text = std::string_view(*range).substr(6);
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return whole;
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failed != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if ((dash > 0 && !first) || (dash + 1 < text.size() && !last) || (!first && !last) || (first && last && *last < *first)) return whole;
  const bool unsatisfiable = first ? *first >= size : *last == 0 || size == 0;
  if (unsatisfiable) {
    throw aws::ApiError(kInvalidRange, "The requested range is not satisfiable",
                        {{"RangeRequested", *range}, {"ActualObjectSize", size}});
  }
  if (!first) return {size - std::min(*last, size), std::min(*last, size), true};
  return {*first, std::min(last.value_or(size - 1), size - 1) - *first + 1, true};
}

template <class Input>
void refuse_unread(const Input& in) {
  if (in.version_id && *in.version_id != "null") throw aws::ApiError(kInvalidArgument, "Invalid version id specified", {{"ArgumentName", "versionId"}, {"ArgumentValue", *in.version_id}});
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  refuse_if(in.response_expires.has_value(), "response-expires");
  refuse_if(in.part_number.has_value(), "partNumber");
}

// RFC 9110, section 13.2.2: the order in which preconditions count.
template <class Input>
void check_read(const Input& in, const ObjectRecord& record) {
  const double modified = std::floor(static_cast<double>(record.modified_ms) / 1000.0);  // HTTP dates are whole seconds
  if (in.if_match) {
    if (!names_etag(*in.if_match, record.etag)) throw precondition_failed("If-Match");
  } else if (in.if_unmodified_since && modified > in.if_unmodified_since->epoch_seconds) {
    throw precondition_failed("If-Unmodified-Since");
  }
  const bool same = in.if_none_match ? names_etag(*in.if_none_match, record.etag)
                                     : in.if_modified_since && modified <= in.if_modified_since->epoch_seconds;
  if (same) throw aws::ApiError(kNotModified, "Not Modified");
}

template <class Input, class Output>
Span describe(const Input& in, const ObjectRecord& record, Output& out) {
  check_read(in, record);
  const Span span = span_of(in.range, record.size_bytes);
  const auto header = [&](const char* name) -> std::optional<std::string> {
    const auto found = record.headers.find(name);
    return found == record.headers.end() ? std::nullopt : std::optional(found->second);
  };
  out.accept_ranges = "bytes";
  out.last_modified = aws::Timestamp{std::floor(static_cast<double>(record.modified_ms) / 1000.0)};
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
  if (span.partial) {
    out.content_range = fmt::format("bytes {}-{}/{}", span.offset, span.offset + span.length - 1, record.size_bytes);
  } else if (in.checksum_mode && *in.checksum_mode == "ENABLED" && !record.checksum.algorithm.empty()) {
    set_checksum(record.checksum, out);
    out.checksum_type = record.checksum.composite ? "COMPOSITE" : "FULL_OBJECT";
  }
  return span;
}

// A page ends after an object ("k" and its key) or a common prefix ("p" and it).
std::string cursor_start(const aws::Scope& scope, const std::string& bucket_id, char kind, const std::string& text) {
  if (kind == 'p') return storage::prefix_end(object_start(scope, bucket_id, text));
  return object_key(scope, bucket_id, text) + '\0';
}

}  // namespace

awaitable<ObjectRecord> Service::find_object(aws::Scope scope, std::string name, std::string key, Owner owner) {
  const Bucket bucket = co_await find_bucket(scope, name, owner);
  const std::string stored = object_key(scope, bucket.record.id, key);
  const auto value = co_await store_.snapshot()->get(stored);
  if (!value) throw aws::ApiError(kNoSuchKey, "The specified key does not exist.", {{"Key", key}});
  co_return parse_object(value->bytes);
}

awaitable<model::GetObjectOutput> Service::get_object(aws::CallContext call, model::GetObjectInput in) {
  refuse_unread(in);
  ObjectRecord record = co_await find_object(call.scope, *in.bucket, *in.key, in.expected_bucket_owner);
  model::GetObjectOutput out;
  const Span span = describe(in, record, out);
  aws::Body body(read_pieces(blobs(call.scope), std::move(record.pieces), span.offset, span.length));
  body.size_bytes = span.length;
  out.body = std::move(body);
  co_return out;
}

awaitable<model::HeadObjectOutput> Service::head_object(aws::CallContext call, model::HeadObjectInput in) {
  refuse_unread(in);
  const ObjectRecord record = co_await find_object(call.scope, *in.bucket, *in.key, in.expected_bucket_owner);
  model::HeadObjectOutput out;
  describe(in, record, out);
  co_return out;
}

awaitable<model::ListObjectsV2Output> Service::list_objects(aws::CallContext call, model::ListObjectsV2Input in) {
  refuse_if(in.optional_object_attributes && !in.optional_object_attributes->empty(), "x-amz-optional-object-attributes");
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  if (in.max_keys.value_or(0) < 0) throw aws::ApiError(kInvalidArgument, "Argument maxKeys must be an integer between 0 and 2147483647", {{"ArgumentName", "maxKeys"}});
  const std::size_t limit = static_cast<std::size_t>(std::min(in.max_keys.value_or(1000), 1000));
  const std::string prefix = in.prefix.value_or(""), delimiter = in.delimiter.value_or("");
  const bool encode = in.encoding_type && *in.encoding_type == "url";
  const auto text = [&](const std::string& raw) { return encode ? http::percent_encode(raw, true) : raw; };

  model::ListObjectsV2Output out;
  out.name = *in.bucket;
  out.prefix = text(prefix);
  if (!delimiter.empty()) out.delimiter = text(delimiter);
  out.max_keys = in.max_keys.value_or(1000);
  out.encoding_type = in.encoding_type;
  out.continuation_token = in.continuation_token;
  if (in.start_after) out.start_after = text(*in.start_after);
  out.contents.emplace();
  out.common_prefixes.emplace();
  out.is_truncated = false;
  const std::string base = object_prefix(call.scope, bucket.record.id);
  storage::ScanOptions range{.begin = object_start(call.scope, bucket.record.id, prefix),
                             .end = storage::prefix_end(object_start(call.scope, bucket.record.id, prefix))};
  std::string last;
  if (in.continuation_token) {
    const auto token = base64_decode(*in.continuation_token);
    if (!token || token->size() < 2 || (token->front() != 'k' && token->front() != 'p'))
      throw aws::ApiError(kInvalidArgument, "The continuation token provided is incorrect", {{"ArgumentName", "continuation-token"}});
    range.begin = std::max(range.begin, cursor_start(call.scope, bucket.record.id, token->front(), token->substr(1)));
  } else if (in.start_after) {
    range.begin = std::max(range.begin, cursor_start(call.scope, bucket.record.id, 'k', *in.start_after));
  }
  std::size_t count = 0;
  const auto snapshot = store_.snapshot();
  for (bool more = limit > 0; more && range.begin < range.end;) {
    range.limit = delimiter.empty() ? limit + 1 - count : 100;
    const storage::ScanPage page = co_await snapshot->scan(range);
    more = page.more;
    std::string skip_to;
    for (const storage::Entry& entry : page.entries) {
      if (entry.key < skip_to) continue;
      range.begin = entry.key + '\0';
      const std::string key = storage::TupleReader(std::string_view(entry.key).substr(base.size())).string().value_or("");
      const std::size_t at = delimiter.empty() ? key.npos : key.find(delimiter, prefix.size());
      const std::string common = at == key.npos ? std::string() : key.substr(0, at + delimiter.size());
      // A page that begins behind this prefix has given it: only a start-after lies inside of one.
      if (count == limit) {
        out.is_truncated = true;
        out.next_continuation_token = base64_encode(last);
        more = false;
        break;
      }
      ++count;
      if (!common.empty()) {
        out.common_prefixes->emplace_back().prefix = text(common);
        last = "p" + common;
        skip_to = storage::prefix_end(object_start(call.scope, bucket.record.id, common));
        range.begin = skip_to;
        continue;
      }
      last = "k" + key;
      const ObjectRecord record = parse_object(entry.value);
      model::Object& object = out.contents->emplace_back();
      object.key = text(key);
      object.last_modified = aws::Timestamp{static_cast<double>(record.modified_ms) / 1000.0};
      object.e_tag = quoted(record.etag);
      object.size = static_cast<std::int64_t>(record.size_bytes);
      object.storage_class = "STANDARD";
      if (!record.checksum.algorithm.empty()) {
        object.checksum_algorithm = {record.checksum.algorithm};
        object.checksum_type = record.checksum.composite ? "COMPOSITE" : "FULL_OBJECT";
      }
      if (in.fetch_owner.value_or(false)) object.owner.emplace().id = call.scope.account;
    }
  }
  out.key_count = static_cast<int>(count);
  co_return out;
}

}  // namespace parvis::s3
