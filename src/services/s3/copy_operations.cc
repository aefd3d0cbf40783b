// CopyObject and UploadPartCopy: bytes go from blobs to a blob of their own, piece by piece.
#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/conditions.h"
#include "services/s3/copy_source.h"
#include "services/s3/errors.h"
#include "services/s3/object_input.h"
#include "services/s3/operations.h"
#include "services/s3/range.h"

namespace parvis::s3 {
namespace {

constexpr std::string_view kCopy = "COPY", kReplace = "REPLACE";

// Whether a directive says REPLACE. Throws InvalidArgument for another word.
bool replaces(const std::optional<std::string>& directive, const char* name) {
  const std::string word = directive.value_or(std::string(kCopy));
  if (word != kCopy && word != kReplace)
    throw aws::ApiError(kInvalidArgument, fmt::format("Unknown {}.", name), {{"ArgumentName", name}, {"ArgumentValue", word}});
  return word == kReplace;
}

aws::Timestamp shown_time(std::int64_t ms) { return {static_cast<double>(ms) / 1000.0}; }

}  // namespace

template <class Input>
awaitable<Service::Found> Service::find_source(aws::Scope scope, const Input& in) {
  refuse_if(in.copy_source_sse_customer_algorithm || in.copy_source_sse_customer_key || in.copy_source_sse_customer_key_md5,
            "x-amz-copy-source-server-side-encryption-customer-*");
  const CopySource source = copy_source_of(*in.copy_source);
  std::optional<Found> found;
  bool is_marker = false;
  try {
    found = co_await find_object(scope, source.bucket, source.key, source.version_id, in.expected_source_bucket_owner);
  } catch (const aws::ApiError& error) {
    if (error.code() != kMethodNotAllowed.code) throw;
    is_marker = true;
  }
  if (is_marker) throw aws::ApiError(kInvalidRequest, "The source of a copy request may not specifically refer to a delete marker by version id.");
  check_source({in.copy_source_if_match, in.copy_source_if_none_match, in.copy_source_if_modified_since, in.copy_source_if_unmodified_since}, found->record);
  co_return *found;
}

awaitable<model::CopyObjectOutput> Service::copy_object(aws::CallContext call, model::CopyObjectInput in) {
  ObjectRecord record = described(in);
  refuse_if(in.annotation_directive.has_value(), "x-amz-annotation-directive");
  const bool new_metadata = replaces(in.metadata_directive, "x-amz-metadata-directive");
  const bool new_tags = replaces(in.tagging_directive, "x-amz-tagging-directive");
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  const Found source = co_await find_source(call.scope, in);
  const CopySource named = copy_source_of(*in.copy_source);
  const bool onto_itself = named.bucket == *in.bucket && named.key == *in.key && !named.version_id;
  if (onto_itself && !new_metadata && !in.storage_class && !in.server_side_encryption) {
    throw aws::ApiError(kInvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.");
  }
  if (source.record.size_bytes > kUploadBytesMax) {
    throw aws::ApiError(kInvalidRequest, fmt::format("The specified copy source is larger than the maximum allowable size for a copy source: {}", kUploadBytesMax));
  }
  if (!new_metadata) {
    record.headers = source.record.headers;
    record.metadata = source.record.metadata;
  }
  if (!new_tags) record.tags = source.record.tags;
  BodyClaims claims;
  claims.algorithm = in.checksum_algorithm.value_or(source.record.checksum.algorithm.empty() ? "CRC64NVME" : source.record.checksum.algorithm);
  storage::BlobStore data = blobs(call.scope);
  storage::BlobWriter writer = data.create();
  const BlobUse use(uses_, {writer.id()});
  aws::Body bytes(read_pieces(data, uses_, source.record.pieces, 0, source.record.size_bytes));
  const Received got = co_await receive(std::move(bytes), std::move(claims), writer);
  Piece& piece = record.pieces.emplace_back();
  piece.blob = writer.id();
  piece.size_bytes = record.size_bytes = got.size_bytes;
  record.etag = hex_encode(got.md5);
  record.checksum = got.checksum;
  Target target{*in.bucket, *in.key, in.expected_bucket_owner, in.if_match, in.if_none_match};
  model::CopyObjectOutput out;
  out.version_id = co_await publish(call.scope, std::move(target), record, writer);
  out.copy_source_version_id = source.version_id;
  model::CopyObjectResult& result = out.copy_object_result.emplace();
  result.e_tag = quoted(record.etag);
  result.last_modified = shown_time(record.modified_ms);
  result.checksum_type = "FULL_OBJECT";
  set_checksum(record.checksum, result);
  co_return out;
}

awaitable<model::UploadPartCopyOutput> Service::copy_part(aws::CallContext call, model::UploadPartCopyInput in) {
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  const auto number = static_cast<std::uint64_t>(checked_part_number(in.part_number));
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  const Upload upload = co_await find_upload(call.scope, bucket, *in.key, *in.upload_id);
  const Found source = co_await find_source(call.scope, in);
  const Span span = copy_span_of(in.copy_source_range, source.record.size_bytes);
  if (span.length > kUploadBytesMax) {
    throw aws::ApiError(kInvalidRequest, fmt::format("The specified copy source is larger than the maximum allowable size for a copy source: {}", kUploadBytesMax));
  }
  BodyClaims claims;
  const std::string& algorithm = upload.record.object.checksum.algorithm;
  claims.algorithm = algorithm.empty() ? "CRC64NVME" : algorithm;
  storage::BlobStore data = blobs(call.scope);
  storage::BlobWriter writer = data.create();
  const BlobUse use(uses_, {writer.id()});
  aws::Body bytes(read_pieces(data, uses_, source.record.pieces, span.offset, span.length));
  const Received got = co_await receive(std::move(bytes), std::move(claims), writer);
  PartRecord record{{}, hex_encode(got.md5), 0, got.checksum};
  record.piece.blob = writer.id();
  record.piece.size_bytes = got.size_bytes;
  co_await publish_part(call.scope, bucket, *in.key, *in.upload_id, number, record, writer);
  model::UploadPartCopyOutput out;
  out.copy_source_version_id = source.version_id;
  model::CopyPartResult& result = out.copy_part_result.emplace();
  result.e_tag = quoted(record.etag);
  result.last_modified = shown_time(record.modified_ms);
  if (!algorithm.empty()) set_checksum(record.checksum, result);
  co_return out;
}

}  // namespace parvis::s3
