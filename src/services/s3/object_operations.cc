// Objects written and removed.
#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/errors.h"
#include "services/s3/keyspace.h"
#include "services/s3/object_input.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

constexpr int kAttemptsMax = 10;

void refuse_version(const std::optional<std::string>& version) {
  // Without versioning an object's version id is "null" (S3 User Guide, "Versioning").
  if (version && *version != "null") throw aws::ApiError(kInvalidArgument, "Invalid version id specified", {{"ArgumentName", "versionId"}, {"ArgumentValue", *version}});
}

}  // namespace

awaitable<model::PutObjectOutput> Service::put_object(aws::CallContext call, model::PutObjectInput in) {
  ObjectRecord record = described(in);
  refuse_if(in.write_offset_bytes.has_value(), "x-amz-write-offset-bytes");
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);  // before the bytes are taken
  storage::BlobStore data = blobs(call.scope);
  storage::BlobWriter writer = data.create();
  const Received got = co_await receive(std::move(in.body).value_or(aws::Body{}), claims_of(in), writer);
  record.pieces = {{writer.id(), got.size_bytes}};
  record.size_bytes = got.size_bytes;
  record.etag = hex_encode(got.md5);
  record.checksum = got.checksum;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
    const std::string key = object_key(call.scope, bucket.record.id, *in.key);
    const auto now = co_await store_.snapshot()->get(key);
    std::optional<ObjectRecord> old;
    if (now) old = parse_object(now->bytes);
    check_write(in.if_match, in.if_none_match, old ? &*old : nullptr, *in.key);
    record.modified_ms = now_ms();
    storage::Commit write;
    write.check(bucket.key, bucket.version);
    write.check(key, now ? std::optional(now->version) : std::nullopt).put(key, to_json(record));
    if (old) for (const Piece& piece : old->pieces) data.remove_in(write, piece.blob);
    auto done = co_await writer.publish(std::move(write));
    if (!done && done.error().code == storage::StoreErrc::kConflict) continue;
    if (!done) throw to_api_error(done.error());
    model::PutObjectOutput out;
    out.e_tag = quoted(record.etag);
    set_checksum(record.checksum, out);
    out.checksum_type = "FULL_OBJECT";
    co_return out;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<> Service::remove_object(aws::Scope scope, std::string name, std::string key, Owner owner, std::optional<std::string> if_match) {
  storage::BlobStore data = blobs(scope);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(scope, name, owner);
    const std::string stored = object_key(scope, bucket.record.id, key);
    const auto now = co_await store_.snapshot()->get(stored);
    if (!now) {
      check_write(if_match, std::nullopt, nullptr, key);
      co_return;
    }
    const ObjectRecord old = parse_object(now->bytes);
    check_write(if_match, std::nullopt, &old, key);
    storage::Commit write;
    write.check(stored, now->version).erase(stored);
    for (const Piece& piece : old.pieces) data.remove_in(write, piece.blob);
    if (co_await commit(std::move(write))) co_return;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::DeleteObjectOutput> Service::delete_object(aws::CallContext call, model::DeleteObjectInput in) {
  refuse_version(in.version_id);
  refuse_if(in.mfa.has_value(), "x-amz-mfa");
  refuse_if(in.if_match_last_modified_time || in.if_match_size, "x-amz-if-match-last-modified-time and x-amz-if-match-size");
  co_await remove_object(call.scope, *in.bucket, *in.key, in.expected_bucket_owner, in.if_match);
  co_return model::DeleteObjectOutput{};
}

awaitable<model::DeleteObjectsOutput> Service::delete_objects(aws::CallContext call, model::DeleteObjectsInput in) {
  refuse_if(in.mfa.has_value(), "x-amz-mfa");
  if (!in.delete_ || !in.delete_->objects || in.delete_->objects->empty() || in.delete_->objects->size() > 1000)
    throw aws::ApiError(kMalformedXml, "The XML you provided was not well-formed or did not validate against our published schema");
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  model::DeleteObjectsOutput out;
  out.deleted.emplace();
  for (const model::ObjectIdentifier& object : *in.delete_->objects) {
    const std::string key = object.key.value_or("");
    std::optional<model::Error> failed;
    try {
      refuse_version(object.version_id);
      refuse_if(object.last_modified_time || object.size, "LastModifiedTime and Size of an object");
      co_await remove_object(call.scope, *in.bucket, key, in.expected_bucket_owner, object.e_tag);
    } catch (const aws::ApiError& error) {
      failed.emplace();
      failed->key = key;
      failed->code = error.code();
      failed->message = error.message();
    }
    if (failed) {
      if (!out.errors) out.errors.emplace();
      out.errors->push_back(std::move(*failed));
    } else if (!in.delete_->quiet.value_or(false)) {
      out.deleted->emplace_back().key = key;
    }
  }
  co_return out;
}

awaitable<model::CopyObjectOutput> Service::copy_object(aws::CallContext, model::CopyObjectInput) { refuse("x-amz-copy-source (CopyObject)"); }
awaitable<model::UploadPartCopyOutput> Service::copy_part(aws::CallContext, model::UploadPartCopyInput) { refuse("x-amz-copy-source (UploadPartCopy)"); }

}  // namespace parvis::s3
