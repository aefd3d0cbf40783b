// Multipart uploads in progress, and their parts.
#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/conditions.h"
#include "services/s3/errors.h"
#include "services/s3/keyspace.h"
#include "services/s3/listing.h"
#include "services/s3/operations.h"

namespace parvis::s3 {

awaitable<model::ListPartsOutput> Service::list_parts(aws::CallContext call, model::ListPartsInput in) {
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  co_await find_upload(call.scope, bucket, *in.key, *in.upload_id);
  if (in.max_parts.value_or(0) < 0) throw aws::ApiError(kInvalidArgument, "Argument max-parts must be an integer between 0 and 2147483647", {{"ArgumentName", "max-parts"}});
  const int limit = std::min(in.max_parts.value_or(1000), 1000), marker = in.part_number_marker.value_or(0);
  model::ListPartsOutput out;
  out.bucket = in.bucket;
  out.key = in.key;
  out.upload_id = in.upload_id;
  out.max_parts = limit;
  out.part_number_marker = marker;
  out.storage_class = "STANDARD";
  out.owner.emplace().id = call.scope.account;
  out.is_truncated = false;
  out.parts.emplace();
  for (const storage::Entry& entry : co_await parts_of(store_.snapshot(), call.scope, *in.upload_id)) {
    const auto number = static_cast<int>(part_number_of(entry.key));
    if (number <= marker) continue;
    if (out.parts->size() == static_cast<std::size_t>(limit)) {
      out.is_truncated = true;
      break;
    }
    const PartRecord record = parse_part(entry.value);
    model::Part& part = out.parts->emplace_back();
    part.part_number = number;
    part.e_tag = quoted(record.etag);
    part.size = static_cast<std::int64_t>(record.piece.size_bytes);
    part.last_modified = aws::Timestamp{static_cast<double>(record.modified_ms) / 1000.0};
    set_checksum(record.checksum, part);
    out.next_part_number_marker = number;
  }
  co_return out;
}

awaitable<model::ListMultipartUploadsOutput> Service::list_uploads(aws::CallContext call, model::ListMultipartUploadsInput in) {
  const std::size_t limit = page_limit(in.max_uploads, "max-uploads");
  const std::string prefix = in.prefix.value_or(""), delimiter = in.delimiter.value_or("");
  const std::string key_marker = in.key_marker.value_or(""), id_marker = in.upload_id_marker.value_or("");
  const ListedText text(in.encoding_type);
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  // They are stored by id: few are ever in progress, so they are put into the order of keys and times here.
  std::vector<std::tuple<std::string, std::int64_t, std::string, UploadRecord>> uploads;
  const std::string base = upload_prefix(call.scope, bucket.record.id);
  storage::ScanOptions range{.begin = base, .end = storage::prefix_end(base)};
  const auto snapshot = store_.snapshot();
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await snapshot->scan(range);
    more = page.more && !page.entries.empty();
    if (more) range.begin = page.entries.back().key + '\0';
    for (const storage::Entry& entry : page.entries) {
      UploadRecord record = parse_upload(entry.value);
      if (!record.key.starts_with(prefix)) continue;
      std::string id = storage::TupleReader(std::string_view(entry.key).substr(base.size())).string().value_or("");
      uploads.emplace_back(record.key, record.object.modified_ms, std::move(id), std::move(record));
    }
  }
  std::ranges::sort(uploads, {}, [](const auto& upload) { return std::tie(std::get<0>(upload), std::get<1>(upload), std::get<2>(upload)); });
  model::ListMultipartUploadsOutput out;
  out.bucket = in.bucket;
  out.key_marker = text(key_marker);
  out.upload_id_marker = id_marker;
  out.prefix = text(prefix);
  if (!delimiter.empty()) out.delimiter = text(delimiter);
  out.max_uploads = static_cast<int>(limit);
  out.encoding_type = in.encoding_type;
  out.is_truncated = false;
  out.uploads.emplace();
  out.common_prefixes.emplace();
  std::set<std::string> prefixes;
  bool past_marker = id_marker.empty();
  for (auto& [key, began, id, record] : uploads) {
    if (key < key_marker) continue;
    if (!key_marker.empty() && key == key_marker) {
      const bool skip = !past_marker || id_marker.empty();
      past_marker = past_marker || id == id_marker;
      if (skip) continue;
    }
    const std::string common = common_prefix_of(key, prefix, delimiter);
    if (!common.empty() && (prefixes.contains(common) || common <= key_marker)) continue;
    if (out.uploads->size() + prefixes.size() == limit) {
      out.is_truncated = true;
      break;
    }
    out.next_key_marker = text(common.empty() ? key : common);
    out.next_upload_id_marker = common.empty() ? id : std::string();
    if (!common.empty()) {
      prefixes.insert(common);
      out.common_prefixes->emplace_back().prefix = text(common);
      continue;
    }
    model::MultipartUpload& upload = out.uploads->emplace_back();
    upload.upload_id = id;
    upload.key = text(key);
    upload.initiated = aws::Timestamp{static_cast<double>(began) / 1000.0};
    upload.storage_class = "STANDARD";
    upload.owner.emplace().id = call.scope.account;
    upload.initiator.emplace().id = call.scope.account;
    if (record.object.checksum.algorithm.empty()) continue;
    upload.checksum_algorithm = record.object.checksum.algorithm;
    upload.checksum_type = checksum_type(record.object.checksum);
  }
  co_return out;
}

}  // namespace parvis::s3
