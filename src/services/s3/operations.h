// s3/operations.h: the S3 API. Source: Amazon S3 API Reference (2006-03-01).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "aws/api_call.h"
#include "aws/resource_type.h"
#include "models/s3.h"
#include "services/s3/keyspace.h"
#include "services/s3/records.h"
#include "services/s3/uses.h"
#include "services/s3/versions.h"
#include "storage/blob_store.h"

namespace parvis::s3 {

namespace model = aws::model::s3;

class Service {  // thread-safe; everything given outlives it
 public:
  Service(storage::Store& store, const Clock& clock, Entropy& entropy) : store_(store), clock_(clock), entropy_(entropy) {}
  void bind(aws::Registry& registry);
  // Removes bytes that nothing names since kOrphanGrace and nobody reads or writes in this process: of uploads that broke
  // off, and of replaced objects. To be called now and then.
  awaitable<> collect();
  // The CORS rules of a bucket of this name, in whatever account and Region it is; nullopt: there is no such bucket. A
  // browser's preflight carries no credentials.
  awaitable<std::optional<std::vector<CorsRule>>> cors_rules(std::string bucket);

 private:
  struct Bucket {
    BucketRecord record;
    std::string key;
    storage::Version version = 0;
  };
  using Owner = std::optional<std::string>;
  struct Upload {
    UploadRecord record;
    std::string key;
    storage::Version version = 0;
  };

  // Throws NoSuchBucket, and AccessDenied when it is not `owner`'s.
  awaitable<Bucket> find_bucket(aws::Scope scope, std::string name, Owner owner);
  awaitable<> change_bucket(aws::Scope scope, std::string name, Owner owner, std::function<void(BucketRecord&)> change);
  awaitable<bool> commit(storage::Commit commit);  // false: a conflict
  storage::BlobStore blobs(const aws::Scope& scope) { return {store_, entropy_, clock_, data_prefix(scope)}; }
  std::int64_t now_ms() const;
  awaitable<std::vector<aws::Scope>> scopes();
  // What a request about an object names: the version, and what its answer says of it.
  struct Found {
    ObjectRecord record;
    std::optional<std::string> version_id;  // nullopt: the bucket never had versions
  };
  // Throws: NoSuchKey, NoSuchVersion, MethodNotAllowed (the version is a delete marker).
  awaitable<Found> find_object(aws::Scope scope, std::string bucket, std::string key, std::optional<std::string> version_id, Owner owner);
  struct Target {
    std::string bucket, key;
    Owner owner;
    std::optional<std::string> if_match, if_none_match;
  };
  // Writes `record` as the newest version, with the bytes of `writer`. Sets the record's version and time. What is given
  // back is the version id to answer with.
  awaitable<std::optional<std::string>> publish(aws::Scope scope, Target target, ObjectRecord& record, storage::BlobWriter& writer);
  struct Removed {
    bool delete_marker = false;
    std::optional<std::string> version_id;
  };
  awaitable<Removed> remove_object(aws::Scope scope, Target target, std::optional<std::string> version_id);
  awaitable<std::optional<std::string>> change_tags(aws::Scope scope, Target target, std::optional<std::string> version_id,
                                                    std::map<std::string, std::string> tags);
  // The object that x-amz-copy-source names, after its conditions.
  template <class Input>
  awaitable<Found> find_source(aws::Scope scope, const Input& in);
  struct Listing;
  awaitable<Listing> list(aws::Scope scope, std::string bucket, Owner owner, std::string prefix, std::string delimiter, std::size_t limit,
                          std::string after);
  awaitable<> publish_part(aws::Scope scope, Bucket bucket, std::string key, std::string upload_id, std::uint64_t number, PartRecord& record,
                           storage::BlobWriter& writer);
  awaitable<Upload> find_upload(aws::Scope scope, Bucket bucket, std::string key, std::string id);
  awaitable<std::vector<storage::Entry>> parts_of(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string upload_id);

  awaitable<model::CreateBucketOutput> create_bucket(aws::CallContext call, model::CreateBucketInput in);
  awaitable<model::HeadBucketOutput> head_bucket(aws::CallContext call, model::HeadBucketInput in);
  awaitable<model::DeleteBucketOutput> delete_bucket(aws::CallContext call, model::DeleteBucketInput in);
  awaitable<model::ListBucketsOutput> list_buckets(aws::CallContext call, model::ListBucketsInput in);
  awaitable<model::GetBucketLocationOutput> get_location(aws::CallContext call, model::GetBucketLocationInput in);
  awaitable<model::GetBucketPolicyOutput> get_policy(aws::CallContext call, model::GetBucketPolicyInput in);
  awaitable<model::PutBucketPolicyOutput> put_policy(aws::CallContext call, model::PutBucketPolicyInput in);
  awaitable<model::DeleteBucketPolicyOutput> delete_policy(aws::CallContext call, model::DeleteBucketPolicyInput in);
  awaitable<model::GetBucketTaggingOutput> get_tagging(aws::CallContext call, model::GetBucketTaggingInput in);
  awaitable<model::PutBucketTaggingOutput> put_tagging(aws::CallContext call, model::PutBucketTaggingInput in);
  awaitable<model::DeleteBucketTaggingOutput> delete_tagging(aws::CallContext call, model::DeleteBucketTaggingInput in);

  awaitable<model::GetBucketVersioningOutput> get_versioning(aws::CallContext call, model::GetBucketVersioningInput in);
  awaitable<model::PutBucketVersioningOutput> put_versioning(aws::CallContext call, model::PutBucketVersioningInput in);
  awaitable<model::GetBucketEncryptionOutput> get_encryption(aws::CallContext call, model::GetBucketEncryptionInput in);
  awaitable<model::PutBucketEncryptionOutput> put_encryption(aws::CallContext call, model::PutBucketEncryptionInput in);
  awaitable<model::DeleteBucketEncryptionOutput> delete_encryption(aws::CallContext call, model::DeleteBucketEncryptionInput in);
  awaitable<model::GetPublicAccessBlockOutput> get_public_access(aws::CallContext call, model::GetPublicAccessBlockInput in);
  awaitable<model::PutPublicAccessBlockOutput> put_public_access(aws::CallContext call, model::PutPublicAccessBlockInput in);
  awaitable<model::DeletePublicAccessBlockOutput> delete_public_access(aws::CallContext call, model::DeletePublicAccessBlockInput in);
  awaitable<model::GetBucketOwnershipControlsOutput> get_ownership(aws::CallContext call, model::GetBucketOwnershipControlsInput in);
  awaitable<model::PutBucketOwnershipControlsOutput> put_ownership(aws::CallContext call, model::PutBucketOwnershipControlsInput in);
  awaitable<model::DeleteBucketOwnershipControlsOutput> delete_ownership(aws::CallContext call, model::DeleteBucketOwnershipControlsInput in);
  awaitable<model::GetBucketCorsOutput> get_cors(aws::CallContext call, model::GetBucketCorsInput in);
  awaitable<model::PutBucketCorsOutput> put_cors(aws::CallContext call, model::PutBucketCorsInput in);
  awaitable<model::DeleteBucketCorsOutput> delete_cors(aws::CallContext call, model::DeleteBucketCorsInput in);
  awaitable<model::GetBucketAclOutput> get_bucket_acl(aws::CallContext call, model::GetBucketAclInput in);
  awaitable<model::PutBucketAclOutput> put_bucket_acl(aws::CallContext call, model::PutBucketAclInput in);
  awaitable<model::GetObjectAclOutput> get_object_acl(aws::CallContext call, model::GetObjectAclInput in);
  awaitable<model::PutObjectAclOutput> put_object_acl(aws::CallContext call, model::PutObjectAclInput in);

  awaitable<model::PutObjectOutput> put_object(aws::CallContext call, model::PutObjectInput in);
  awaitable<model::GetObjectOutput> get_object(aws::CallContext call, model::GetObjectInput in);
  awaitable<model::HeadObjectOutput> head_object(aws::CallContext call, model::HeadObjectInput in);
  awaitable<model::GetObjectAttributesOutput> get_attributes(aws::CallContext call, model::GetObjectAttributesInput in);
  awaitable<model::DeleteObjectOutput> delete_object(aws::CallContext call, model::DeleteObjectInput in);
  awaitable<model::DeleteObjectsOutput> delete_objects(aws::CallContext call, model::DeleteObjectsInput in);
  awaitable<model::CopyObjectOutput> copy_object(aws::CallContext call, model::CopyObjectInput in);
  awaitable<model::GetObjectTaggingOutput> get_object_tags(aws::CallContext call, model::GetObjectTaggingInput in);
  awaitable<model::PutObjectTaggingOutput> put_object_tags(aws::CallContext call, model::PutObjectTaggingInput in);
  awaitable<model::DeleteObjectTaggingOutput> delete_object_tags(aws::CallContext call, model::DeleteObjectTaggingInput in);
  awaitable<model::ListObjectsOutput> list_objects(aws::CallContext call, model::ListObjectsInput in);
  awaitable<model::ListObjectsV2Output> list_objects_v2(aws::CallContext call, model::ListObjectsV2Input in);
  awaitable<model::ListObjectVersionsOutput> list_versions(aws::CallContext call, model::ListObjectVersionsInput in);

  awaitable<model::CreateMultipartUploadOutput> create_upload(aws::CallContext call, model::CreateMultipartUploadInput in);
  awaitable<model::UploadPartOutput> upload_part(aws::CallContext call, model::UploadPartInput in);
  awaitable<model::UploadPartCopyOutput> copy_part(aws::CallContext call, model::UploadPartCopyInput in);
  awaitable<model::CompleteMultipartUploadOutput> complete_upload(aws::CallContext call, model::CompleteMultipartUploadInput in);
  awaitable<model::AbortMultipartUploadOutput> abort_upload(aws::CallContext call, model::AbortMultipartUploadInput in);
  awaitable<model::ListPartsOutput> list_parts(aws::CallContext call, model::ListPartsInput in);
  awaitable<model::ListMultipartUploadsOutput> list_uploads(aws::CallContext call, model::ListMultipartUploadsInput in);

  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
  const std::shared_ptr<BlobUses> uses_ = std::make_shared<BlobUses>();
};

// AWS::S3::Bucket and AWS::S3::BucketPolicy.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);
// The whole object by a GetObject call in the caller's name. Throws ApiError; over `bytes_max` is EntityTooLarge.
awaitable<std::string> fetch_object(aws::ApiClient& api, aws::CallContext call, std::string bucket, std::string key, std::string version,
                                    std::size_t bytes_max);

}  // namespace parvis::s3
