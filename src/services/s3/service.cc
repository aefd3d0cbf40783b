// What the operations share: binding, buckets, commits, the collector of bytes.
#include "services/s3/errors.h"
#include "services/s3/keyspace.h"
#include "services/s3/limits.h"
#include "services/s3/operations.h"

namespace parvis::s3 {

void Service::bind(aws::Registry& registry) {
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) { return (this->*method)(std::move(call), std::move(in)); });
  };
  bind(model::CreateBucket{}, &Service::create_bucket);
  bind(model::HeadBucket{}, &Service::head_bucket);
  bind(model::DeleteBucket{}, &Service::delete_bucket);
  bind(model::ListBuckets{}, &Service::list_buckets);
  bind(model::GetBucketLocation{}, &Service::get_location);
  bind(model::GetBucketPolicy{}, &Service::get_policy);
  bind(model::PutBucketPolicy{}, &Service::put_policy);
  bind(model::DeleteBucketPolicy{}, &Service::delete_policy);
  bind(model::GetBucketTagging{}, &Service::get_tagging);
  bind(model::PutBucketTagging{}, &Service::put_tagging);
  bind(model::DeleteBucketTagging{}, &Service::delete_tagging);
  bind(model::GetBucketVersioning{}, &Service::get_versioning);
  bind(model::PutBucketVersioning{}, &Service::put_versioning);
  bind(model::GetBucketEncryption{}, &Service::get_encryption);
  bind(model::PutBucketEncryption{}, &Service::put_encryption);
  bind(model::DeleteBucketEncryption{}, &Service::delete_encryption);
  bind(model::GetPublicAccessBlock{}, &Service::get_public_access);
  bind(model::PutPublicAccessBlock{}, &Service::put_public_access);
  bind(model::DeletePublicAccessBlock{}, &Service::delete_public_access);
  bind(model::GetBucketOwnershipControls{}, &Service::get_ownership);
  bind(model::PutBucketOwnershipControls{}, &Service::put_ownership);
  bind(model::DeleteBucketOwnershipControls{}, &Service::delete_ownership);
  bind(model::GetBucketCors{}, &Service::get_cors);
  bind(model::PutBucketCors{}, &Service::put_cors);
  bind(model::DeleteBucketCors{}, &Service::delete_cors);
  bind(model::GetBucketAcl{}, &Service::get_bucket_acl);
  bind(model::PutBucketAcl{}, &Service::put_bucket_acl);
  bind(model::GetObjectAcl{}, &Service::get_object_acl);
  bind(model::PutObjectAcl{}, &Service::put_object_acl);
  bind(model::PutObject{}, &Service::put_object);
  bind(model::GetObject{}, &Service::get_object);
  bind(model::HeadObject{}, &Service::head_object);
  bind(model::GetObjectAttributes{}, &Service::get_attributes);
  bind(model::DeleteObject{}, &Service::delete_object);
  bind(model::DeleteObjects{}, &Service::delete_objects);
  bind(model::CopyObject{}, &Service::copy_object);
  bind(model::GetObjectTagging{}, &Service::get_object_tags);
  bind(model::PutObjectTagging{}, &Service::put_object_tags);
  bind(model::DeleteObjectTagging{}, &Service::delete_object_tags);
  bind(model::ListObjects{}, &Service::list_objects);
  bind(model::ListObjectsV2{}, &Service::list_objects_v2);
  bind(model::ListObjectVersions{}, &Service::list_versions);
  bind(model::CreateMultipartUpload{}, &Service::create_upload);
  bind(model::UploadPart{}, &Service::upload_part);
  bind(model::UploadPartCopy{}, &Service::copy_part);
  bind(model::CompleteMultipartUpload{}, &Service::complete_upload);
  bind(model::AbortMultipartUpload{}, &Service::abort_upload);
  bind(model::ListParts{}, &Service::list_parts);
  bind(model::ListMultipartUploads{}, &Service::list_uploads);
}

// Keys begin with account and Region, so the scopes are found by jumping from one to the next.
awaitable<std::vector<aws::Scope>> Service::scopes() {
  std::vector<aws::Scope> found;
  std::string cursor;
  do {
    const storage::ScanPage page = co_await store_.snapshot()->scan({.begin = cursor, .end = {}, .limit = 1});
    if (page.entries.empty()) break;
    storage::TupleReader reader(page.entries[0].key);
    const auto account = reader.string();
    const auto region = account ? reader.string() : account;
    if (!region) {
      cursor = page.entries[0].key + '\0';
      continue;
    }
    found.push_back({*account, *region});
    cursor = storage::prefix_end(storage::TupleWriter().string(*account).string(*region).take());
  } while (!cursor.empty());
  co_return found;
}

awaitable<> Service::collect() {
  const auto in_use = [uses = uses_](const std::string& id) { return uses->contains(id); };
  for (const aws::Scope& scope : co_await scopes()) {
    storage::BlobStore data = blobs(scope);
    if (auto done = co_await data.collect_orphans(clock_.wall() - kOrphanGrace, in_use); !done) throw to_api_error(done.error());
  }
}

awaitable<std::optional<std::vector<CorsRule>>> Service::cors_rules(std::string bucket) {
  for (const aws::Scope& scope : co_await scopes()) {
    const std::string key = bucket_key(scope, bucket);
    if (const auto value = co_await store_.snapshot()->get(key)) co_return parse_bucket(value->bytes).cors;
  }
  co_return std::nullopt;
}

std::int64_t Service::now_ms() const { return clock_.wall().time_since_epoch().count(); }

awaitable<bool> Service::commit(storage::Commit commit) {
  auto done = co_await store_.commit(std::move(commit));
  if (!done && done.error().code != storage::StoreErrc::kConflict) throw to_api_error(done.error());
  co_return done.has_value();
}

awaitable<Service::Bucket> Service::find_bucket(aws::Scope scope, std::string name, Owner owner) {
  Bucket bucket;
  bucket.key = bucket_key(scope, name);
  auto value = co_await store_.snapshot()->get(bucket.key);
  if (!value) throw aws::ApiError(kNoSuchBucket, "The specified bucket does not exist", {{"BucketName", name}});
  if (owner && *owner != scope.account) throw aws::ApiError(kAccessDenied, "Access Denied");
  bucket.record = parse_bucket(value->bytes);
  bucket.version = value->version;
  co_return bucket;
}

awaitable<> Service::change_bucket(aws::Scope scope, std::string name, Owner owner, std::function<void(BucketRecord&)> change) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Bucket bucket = co_await find_bucket(scope, name, owner);
    change(bucket.record);
    storage::Commit write;
    write.check(bucket.key, bucket.version).put(bucket.key, to_json(bucket.record));
    if (co_await commit(std::move(write))) co_return;
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

}  // namespace parvis::s3
