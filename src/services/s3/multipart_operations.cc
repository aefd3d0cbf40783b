// Multipart uploads: parts are blobs that the finished object's record lists; nothing is copied.
#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/conditions.h"
#include "services/s3/errors.h"
#include "services/s3/keyspace.h"
#include "services/s3/limits.h"
#include "services/s3/multipart_checksum.h"
#include "services/s3/object_input.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

constexpr std::size_t kPartsMax = 1000;  // Differs from AWS (10,000): an object appears in one commit
constexpr std::uint64_t kPartBytesMin = 5u << 20;

std::string bare(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

}  // namespace

awaitable<Service::Upload> Service::find_upload(aws::Scope scope, Bucket bucket, std::string key, std::string id) {
  Upload upload;
  upload.key = upload_key(scope, bucket.record.id, id);
  const auto value = co_await store_.snapshot()->get(upload.key);
  if (value) upload.record = parse_upload(value->bytes);
  if (!value || upload.record.key != key) {
    throw aws::ApiError(kNoSuchUpload, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", {{"UploadId", id}});
  }
  upload.version = value->version;
  co_return upload;
}

awaitable<std::vector<storage::Entry>> Service::parts_of(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string upload_id) {
  const std::string prefix = part_prefix(scope, upload_id);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix)};
  std::vector<storage::Entry> parts;
  for (bool more = true; more;) {
    storage::ScanPage page = co_await snapshot->scan(range);
    more = page.more && !page.entries.empty();
    if (more) range.begin = page.entries.back().key + '\0';
    for (storage::Entry& entry : page.entries) parts.push_back(std::move(entry));
  }
  co_return parts;
}

awaitable<model::CreateMultipartUploadOutput> Service::create_upload(aws::CallContext call, model::CreateMultipartUploadInput in) {
  UploadRecord record{*in.key, described(in)};
  record.object.modified_ms = now_ms();
  record.object.checksum = upload_checksum(in.checksum_algorithm, in.checksum_type);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
    model::CreateMultipartUploadOutput out;
    out.upload_id = entropy_.token(64);
    out.bucket = in.bucket;
    out.key = in.key;
    out.checksum_algorithm = in.checksum_algorithm;
    if (in.checksum_algorithm) out.checksum_type = checksum_type(record.object.checksum);
    storage::Commit write;
    write.check(bucket.key, bucket.version).put(upload_key(call.scope, bucket.record.id, *out.upload_id), to_json(record));
    if (co_await commit(std::move(write))) co_return out;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::UploadPartOutput> Service::upload_part(aws::CallContext call, model::UploadPartInput in) {
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  const auto number = static_cast<std::uint64_t>(checked_part_number(in.part_number));
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  const Upload upload = co_await find_upload(call.scope, bucket, *in.key, *in.upload_id);
  BodyClaims claims = claims_of(in);
  const std::string& algorithm = upload.record.object.checksum.algorithm;
  if (!algorithm.empty() && claims.algorithm != algorithm) {
    if (claims.checksum) {
      throw aws::ApiError(kInvalidRequest, fmt::format("Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                                                       header_word(algorithm), header_word(claims.algorithm)));
    }
    claims.algorithm = algorithm;
  }
  storage::BlobStore data = blobs(call.scope);
  storage::BlobWriter writer = data.create();
  const BlobUse use(uses_, {writer.id()});
  const Received got = co_await receive(std::move(in.body).value_or(aws::Body{}), std::move(claims), writer);
  PartRecord record{{}, hex_encode(got.md5), 0, got.checksum};
  record.piece.blob = writer.id();
  record.piece.size_bytes = got.size_bytes;
  co_await publish_part(call.scope, bucket, *in.key, *in.upload_id, number, record, writer);
  model::UploadPartOutput out;
  out.e_tag = quoted(record.etag);
  set_checksum(record.checksum, out);
  co_return out;
}

awaitable<> Service::publish_part(aws::Scope scope, Bucket bucket, std::string object, std::string upload_id, std::uint64_t number,
                                  PartRecord& record, storage::BlobWriter& writer) {
  storage::BlobStore data = blobs(scope);
  const std::string key = part_key(scope, upload_id, number);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Upload current = co_await find_upload(scope, bucket, object, upload_id);
    const auto now = co_await store_.snapshot()->get(key);
    record.modified_ms = now_ms();
    storage::Commit write;
    write.check(current.key, current.version);
    write.check(key, now ? std::optional(now->version) : std::nullopt).put(key, to_json(record));
    if (now) data.remove_in(write, parse_part(now->bytes).piece.blob);
    auto done = co_await writer.publish(std::move(write));
    if (done) co_return;
    if (done.error().code != storage::StoreErrc::kConflict) throw to_api_error(done.error());
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::CompleteMultipartUploadOutput> Service::complete_upload(aws::CallContext call, model::CompleteMultipartUploadInput in) {
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  if (!in.multipart_upload || !in.multipart_upload->parts || in.multipart_upload->parts->empty())
    throw malformed_xml();
  const auto& wanted = *in.multipart_upload->parts;
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    if (wanted[i].part_number.value_or(0) <= wanted[i - 1].part_number.value_or(0))
      throw aws::ApiError(kInvalidPartOrder, "The list of parts was not in ascending order. Parts must be ordered by part number.", {{"UploadId", *in.upload_id}});
  }
  storage::BlobStore data = blobs(call.scope);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
    const Upload upload = co_await find_upload(call.scope, bucket, *in.key, *in.upload_id);
    const auto snapshot = store_.snapshot();
    const auto stored = co_await parts_of(snapshot, call.scope, *in.upload_id);
    refuse_if(stored.size() > kPartsMax, fmt::format("A multipart upload of more than {} parts", kPartsMax));
    Versions versions(call.scope, bucket.record, *in.key);
    co_await versions.load(store_.snapshot(), true);
    check_write(in.if_match, in.if_none_match, versions.current(), *in.key);

    storage::Commit write;
    write.check(bucket.key, bucket.version).check(upload.key, upload.version).erase(upload.key);
    const std::string prefix = part_prefix(call.scope, *in.upload_id);
    write.guards.push_back({prefix, storage::prefix_end(prefix), snapshot->stamp()});  // a part that came later would have no owner
    ObjectRecord record = upload.record.object;
    Digest md5(Digest::Kind::kMd5);
    std::optional<PartsChecksum> checksum;
    if (!record.checksum.algorithm.empty()) checksum.emplace(record.checksum);
    if (checksum && in.checksum_type && *in.checksum_type != checksum_type(record.checksum)) {
      throw aws::ApiError(kInvalidRequest, fmt::format("The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
                                                       checksum_type(record.checksum)));
    }
    std::size_t next = 0;
    int before = 0;
    for (const storage::Entry& entry : stored) {
      const auto number = static_cast<int>(part_number_of(entry.key));
      const PartRecord part = parse_part(entry.value);
      write.check(entry.key, entry.version).erase(entry.key);
      if (next == wanted.size() || wanted[next].part_number.value_or(0) != number) {
        data.remove_in(write, part.piece.blob);  // uploaded and not named
        continue;
      }
      const model::CompletedPart& claim = wanted[next++];
      before = number;
      const auto claimed = claimed_checksum(claim);
      const bool other_bytes = claimed && (claimed->algorithm != part.checksum.algorithm || claimed->value != part.checksum.value);
      if (bare(claim.e_tag.value_or("")) != part.etag || other_bytes) { next = 0; break; }
      if (next < wanted.size() && part.piece.size_bytes < kPartBytesMin) {
        throw aws::ApiError(kEntityTooSmall, "Your proposed upload is smaller than the minimum allowed size",
                            {{"PartNumber", number}, {"ETag", part.etag}, {"MinSizeAllowed", kPartBytesMin}, {"ProposedSize", part.piece.size_bytes}});
      }
      md5.update(*hex_decode(part.etag));
      if (checksum) checksum->add(part.checksum.value, part.piece.size_bytes);
      record.size_bytes += part.piece.size_bytes;
      record.pieces.push_back(part.piece);
      record.pieces.back().number = number;
      if (checksum) record.pieces.back().checksum = part.checksum.value;
    }
    if (next != wanted.size()) {
      throw aws::ApiError(kInvalidPart, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
                          {{"UploadId", *in.upload_id}, {"PartNumber", before}});
    }
    if (in.mpu_object_size && static_cast<std::uint64_t>(*in.mpu_object_size) != record.size_bytes)
      throw aws::ApiError(kInvalidArgument, "The provided 'x-amz-mp-object-size' header does not match what was computed.");
    record.etag = fmt::format("{}-{}", hex_encode(md5.finish()), record.pieces.size());
    if (checksum) record.checksum.value = checksum->finish();
    const auto whole = claimed_checksum(in);
    refuse_if(whole && !checksum, "x-amz-checksum-* of a multipart upload that was begun without x-amz-checksum-algorithm");
    if (whole && (whole->algorithm != record.checksum.algorithm || whole->value != record.checksum.value))
      throw aws::ApiError(kBadDigest, fmt::format("The {} you specified did not match the calculated checksum.", whole->algorithm));
    versions.put(record, {now_ms(), entropy_, data}, write);
    if (!co_await commit(std::move(write))) continue;
    model::CompleteMultipartUploadOutput out;
    out.location = fmt::format("/{}/{}", *in.bucket, http::percent_encode(*in.key, true));
    out.bucket = in.bucket;
    out.key = in.key;
    out.e_tag = quoted(record.etag);
    if (!record.version_id.empty()) out.version_id = record.version_id;
    if (checksum) {
      set_checksum(record.checksum, out);
      out.checksum_type = checksum_type(record.checksum);
    }
    co_return out;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::AbortMultipartUploadOutput> Service::abort_upload(aws::CallContext call, model::AbortMultipartUploadInput in) {
  refuse_if(in.if_match_initiated_time.has_value(), "x-amz-if-match-initiated-time");
  storage::BlobStore data = blobs(call.scope);
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  for (int attempt = 0; attempt < kAttemptsMax * 10; ++attempt) {
    const Upload upload = co_await find_upload(call.scope, bucket, *in.key, *in.upload_id);
    const auto snapshot = store_.snapshot();
    const auto parts = co_await parts_of(snapshot, call.scope, *in.upload_id);
    // So many parts in one commit; the upload's own record goes with the last of them.
    const std::size_t now = std::min(parts.size(), kPartsMax);
    storage::Commit write;
    write.check(upload.key, upload.version);
    for (std::size_t i = 0; i < now; ++i) {
      write.check(parts[i].key, parts[i].version).erase(parts[i].key);
      data.remove_in(write, parse_part(parts[i].value).piece.blob);
    }
    const bool last = now == parts.size();
    if (last) {
      const std::string prefix = part_prefix(call.scope, *in.upload_id);
      write.erase(upload.key);
      write.guards.push_back({prefix, storage::prefix_end(prefix), snapshot->stamp()});  // a part that came later would have no owner
    }
    if (co_await commit(std::move(write)) && last) co_return model::AbortMultipartUploadOutput{};
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

}  // namespace parvis::s3
