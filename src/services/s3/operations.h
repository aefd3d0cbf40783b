// s3/operations.h: the S3 API over buckets without versioning. Source: Amazon S3 API Reference (2006-03-01).
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
#include "storage/blob_store.h"

namespace parvis::s3 {

namespace model = aws::model::s3;

class Service {  // thread-safe; everything given outlives it
 public:
  Service(storage::Store& store, const Clock& clock, Entropy& entropy) : store_(store), clock_(clock), entropy_(entropy) {}
  void bind(aws::Registry& registry);
  // Removes bytes that nothing names since a day: of uploads that broke off, and of replaced objects.
  awaitable<> collect();

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
  awaitable<ObjectRecord> find_object(aws::Scope scope, std::string bucket, std::string key, Owner owner);
  awaitable<> remove_object(aws::Scope scope, std::string bucket, std::string key, Owner owner, std::optional<std::string> if_match);
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

  awaitable<model::PutObjectOutput> put_object(aws::CallContext call, model::PutObjectInput in);
  awaitable<model::GetObjectOutput> get_object(aws::CallContext call, model::GetObjectInput in);
  awaitable<model::HeadObjectOutput> head_object(aws::CallContext call, model::HeadObjectInput in);
  awaitable<model::DeleteObjectOutput> delete_object(aws::CallContext call, model::DeleteObjectInput in);
  awaitable<model::DeleteObjectsOutput> delete_objects(aws::CallContext call, model::DeleteObjectsInput in);
  awaitable<model::ListObjectsV2Output> list_objects(aws::CallContext call, model::ListObjectsV2Input in);

  awaitable<model::CreateMultipartUploadOutput> create_upload(aws::CallContext call, model::CreateMultipartUploadInput in);
  awaitable<model::UploadPartOutput> upload_part(aws::CallContext call, model::UploadPartInput in);
  awaitable<model::CompleteMultipartUploadOutput> complete_upload(aws::CallContext call, model::CompleteMultipartUploadInput in);
  awaitable<model::AbortMultipartUploadOutput> abort_upload(aws::CallContext call, model::AbortMultipartUploadInput in);
  awaitable<model::ListPartsOutput> list_parts(aws::CallContext call, model::ListPartsInput in);

  // Known so that they are told from PutObject and UploadPart, whose paths they share and which would write nothing over
  // what is there. Always throw NotImplemented.
  awaitable<model::CopyObjectOutput> copy_object(aws::CallContext call, model::CopyObjectInput in);
  awaitable<model::UploadPartCopyOutput> copy_part(aws::CallContext call, model::UploadPartCopyInput in);

  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
};

// AWS::S3::Bucket and AWS::S3::BucketPolicy.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);
// The whole object by a GetObject call in the caller's name. Throws ApiError; over `bytes_max` is EntityTooLarge.
awaitable<std::string> fetch_object(aws::ApiClient& api, aws::CallContext call, std::string bucket, std::string key, std::string version,
                                    std::size_t bytes_max);

}  // namespace parvis::s3
