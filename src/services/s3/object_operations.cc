// Objects written and removed.
#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/conditions.h"
#include "services/s3/errors.h"
#include "services/s3/limits.h"
#include "services/s3/object_input.h"
#include "services/s3/operations.h"
#include "services/s3/tags.h"

namespace parvis::s3 {

awaitable<std::optional<std::string>> Service::publish(aws::Scope scope, Target target, ObjectRecord& record, storage::BlobWriter& writer) {
  storage::BlobStore data = blobs(scope);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(scope, target.bucket, target.owner);
    Versions versions(scope, bucket.record, target.key);
    co_await versions.load(store_.snapshot(), true);
    check_write(target.if_match, target.if_none_match, versions.current(), target.key);
    storage::Commit write;
    write.check(bucket.key, bucket.version);
    versions.put(record, {now_ms(), entropy_, data}, write);
    auto done = co_await writer.publish(std::move(write));
    if (!done && done.error().code == storage::StoreErrc::kConflict) continue;
    if (!done) throw to_api_error(done.error());
    // S3 names the version only where versions are made: not while versioning is suspended.
    co_return record.version_id.empty() ? std::nullopt : std::optional(record.version_id);
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::PutObjectOutput> Service::put_object(aws::CallContext call, model::PutObjectInput in) {
  ObjectRecord record = described(in);
  refuse_if(in.write_offset_bytes.has_value(), "x-amz-write-offset-bytes");
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);  // before the bytes are taken
  storage::BlobStore data = blobs(call.scope);
  storage::BlobWriter writer = data.create();
  const BlobUse use(uses_, {writer.id()});
  const Received got = co_await receive(std::move(in.body).value_or(aws::Body{}), claims_of(in), writer);
  record.pieces.emplace_back().blob = writer.id();
  record.pieces[0].size_bytes = got.size_bytes;
  record.size_bytes = got.size_bytes;
  record.etag = hex_encode(got.md5);
  record.checksum = got.checksum;
  Target target{*in.bucket, *in.key, in.expected_bucket_owner, in.if_match, in.if_none_match};
  model::PutObjectOutput out;
  out.version_id = co_await publish(call.scope, std::move(target), record, writer);
  out.e_tag = quoted(record.etag);
  set_checksum(record.checksum, out);
  out.checksum_type = "FULL_OBJECT";
  co_return out;
}

awaitable<Service::Removed> Service::remove_object(aws::Scope scope, Target target, std::optional<std::string> version_id) {
  storage::BlobStore data = blobs(scope);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(scope, target.bucket, target.owner);
    Versions versions(scope, bucket.record, target.key);
    co_await versions.load(store_.snapshot(), true);
    storage::Commit write;
    write.check(bucket.key, bucket.version);
    Removed removed;
    if (version_id) {
      // A bucket that never had versions knows one id only.
      if (bucket.record.versioning.empty() && *version_id != "null") {
        throw aws::ApiError(kInvalidArgument, "Invalid version id specified", {{"ArgumentName", "versionId"}, {"ArgumentValue", *version_id}});
      }
      const auto found = co_await versions.find(*version_id);
      if (!bucket.record.versioning.empty()) removed.version_id = *version_id;
      check_write(target.if_match, std::nullopt, found && !found->record.delete_marker ? &found->record : nullptr, target.key);
      if (!found) co_return removed;  // what is gone can be deleted again
      removed.delete_marker = found->record.delete_marker;
      versions.remove_version(*found, {now_ms(), entropy_, data}, write);
    } else {
      check_write(target.if_match, std::nullopt, versions.current(), target.key);
      const auto made = versions.remove({now_ms(), entropy_, data}, write);
      if (!made && !versions.current()) co_return removed;
      if (made) removed = {true, shown_version(*made)};
    }
    if (co_await commit(std::move(write))) co_return removed;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::DeleteObjectOutput> Service::delete_object(aws::CallContext call, model::DeleteObjectInput in) {
  refuse_if(in.mfa.has_value(), "x-amz-mfa");
  refuse_if(in.if_match_last_modified_time || in.if_match_size, "x-amz-if-match-last-modified-time and x-amz-if-match-size");
  Target target{*in.bucket, *in.key, in.expected_bucket_owner, in.if_match, std::nullopt};
  const Removed removed = co_await remove_object(call.scope, std::move(target), in.version_id);
  model::DeleteObjectOutput out;
  out.version_id = removed.version_id;
  if (removed.delete_marker) out.delete_marker = true;
  co_return out;
}

awaitable<model::DeleteObjectsOutput> Service::delete_objects(aws::CallContext call, model::DeleteObjectsInput in) {
  refuse_if(in.mfa.has_value(), "x-amz-mfa");
  if (!in.delete_ || !in.delete_->objects || in.delete_->objects->empty() || in.delete_->objects->size() > 1000) throw malformed_xml();
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  model::DeleteObjectsOutput out;
  out.deleted.emplace();
  for (const model::ObjectIdentifier& object : *in.delete_->objects) {
    Target target{*in.bucket, object.key.value_or(""), in.expected_bucket_owner, object.e_tag, std::nullopt};
    std::optional<model::Error> failed;
    Removed removed;
    try {
      if (target.key.empty()) throw malformed_xml();
      refuse_if(object.last_modified_time || object.size, "LastModifiedTime and Size of an object");
      removed = co_await remove_object(call.scope, target, object.version_id);
    } catch (const aws::ApiError& error) {
      failed.emplace();
      failed->key = target.key;
      failed->version_id = object.version_id;
      failed->code = error.code();
      failed->message = error.message();
    }
    if (failed) {
      if (!out.errors) out.errors.emplace();
      // S3 knows a version that is no id by another name here than in DeleteObject.
      if (failed->code == kInvalidArgument.code && object.version_id) {
        failed->code = kNoSuchVersion.code;
        failed->message = "The specified version does not exist.";
      }
      out.errors->push_back(std::move(*failed));
    } else if (!in.delete_->quiet.value_or(false)) {
      model::DeletedObject& deleted = out.deleted->emplace_back();
      deleted.key = target.key;
      deleted.version_id = object.version_id;
      if (removed.delete_marker) {
        deleted.delete_marker = true;
        deleted.delete_marker_version_id = removed.version_id;
      }
    }
  }
  co_return out;
}

// ---- tags
awaitable<std::optional<std::string>> Service::change_tags(aws::Scope scope, Target target, std::optional<std::string> version_id,
                                                           std::map<std::string, std::string> tags) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Found found = co_await find_object(scope, target.bucket, target.key, version_id, target.owner);  // throws what S3 answers
    const Bucket bucket = co_await find_bucket(scope, target.bucket, target.owner);
    Versions versions(scope, bucket.record, target.key);
    co_await versions.load(store_.snapshot(), false);
    const auto stored = co_await versions.find(shown_version(found.record));
    if (!stored) continue;
    ObjectRecord record = stored->record;
    record.tags = tags;
    storage::Commit write;
    write.check(bucket.key, bucket.version);
    versions.replace(*stored, record, write);
    if (co_await commit(std::move(write))) co_return found.version_id;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::GetObjectTaggingOutput> Service::get_object_tags(aws::CallContext call, model::GetObjectTaggingInput in) {
  const Found found = co_await find_object(call.scope, *in.bucket, *in.key, in.version_id, in.expected_bucket_owner);
  model::GetObjectTaggingOutput out;
  out.version_id = found.version_id;
  out.tag_set = tag_set(found.record.tags);
  co_return out;
}

awaitable<model::PutObjectTaggingOutput> Service::put_object_tags(aws::CallContext call, model::PutObjectTaggingInput in) {
  if (!in.tagging || !in.tagging->tag_set) throw malformed_xml();
  Tags tags = object_tags_in(*in.tagging->tag_set);
  Target target{*in.bucket, *in.key, in.expected_bucket_owner, std::nullopt, std::nullopt};
  model::PutObjectTaggingOutput out;
  out.version_id = co_await change_tags(call.scope, std::move(target), in.version_id, std::move(tags));
  co_return out;
}

awaitable<model::DeleteObjectTaggingOutput> Service::delete_object_tags(aws::CallContext call, model::DeleteObjectTaggingInput in) {
  Target target{*in.bucket, *in.key, in.expected_bucket_owner, std::nullopt, std::nullopt};
  model::DeleteObjectTaggingOutput out;
  out.version_id = co_await change_tags(call.scope, std::move(target), in.version_id, {});
  co_return out;
}

}  // namespace parvis::s3
