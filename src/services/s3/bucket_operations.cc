// Buckets, their policies and tags.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "services/s3/errors.h"
#include "services/s3/keyspace.h"
#include "services/s3/limits.h"
#include "services/s3/operations.h"
#include "services/s3/tags.h"

namespace parvis::s3 {
namespace {

constexpr std::size_t kPolicyBytesMax = 20u << 10;  // S3 User Guide, "Bucket policies"

std::string arn_of(const std::string& name) { return "arn:aws:s3:::" + name; }

void refuse_grants(const model::CreateBucketInput& in) {
  if ((in.acl && *in.acl != "private") || in.grant_full_control || in.grant_read || in.grant_read_acp || in.grant_write || in.grant_write_acp)
    throw aws::ApiError(kInvalidBucketAcl, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
  refuse_if(in.object_lock_enabled_for_bucket.value_or(false), "x-amz-bucket-object-lock-enabled");
  refuse_if(in.object_ownership && *in.object_ownership != "BucketOwnerEnforced", "x-amz-object-ownership other than BucketOwnerEnforced");
  refuse_if(in.bucket_namespace && *in.bucket_namespace != "global", "x-amz-bucket-namespace other than global");
  if (const auto& configuration = in.create_bucket_configuration)
    refuse_if(configuration->location || configuration->bucket, "Location and Bucket of CreateBucketConfiguration");
}

}  // namespace

awaitable<model::CreateBucketOutput> Service::create_bucket(aws::CallContext call, model::CreateBucketInput in) {
  const std::string name = in.bucket.value_or("");
  if (!valid_bucket_name(name)) throw aws::ApiError(kInvalidBucketName, "The specified bucket is not valid.", {{"BucketName", name}});
  refuse_grants(in);
  BucketRecord record;
  if (const auto& configuration = in.create_bucket_configuration) {
    const std::string place = configuration->location_constraint.value_or("us-east-1");
    if (place != call.scope.region) {
      throw aws::ApiError(kIllegalLocationConstraint, fmt::format("The {} location constraint is incompatible for the region specific endpoint this request was sent to.", place));
    }
    if (configuration->tags) record.tags = bucket_tags_in(*configuration->tags);
  }
  record.id = entropy_.token(16);
  record.created_ms = now_ms();
  const std::string key = bucket_key(call.scope, name);
  storage::Commit write;
  write.check(key, std::nullopt).put(key, to_json(record));
  model::CreateBucketOutput out;
  out.location = "/" + name;
  out.bucket_arn = arn_of(name);
  if (co_await commit(std::move(write))) co_return out;
  throw aws::ApiError(kBucketAlreadyOwnedByYou, "Your previous request to create the named bucket succeeded and you already own it.", {{"BucketName", name}});
}

awaitable<model::HeadBucketOutput> Service::head_bucket(aws::CallContext call, model::HeadBucketInput in) {
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  model::HeadBucketOutput out;
  out.bucket_region = call.scope.region;
  out.bucket_arn = arn_of(*in.bucket);
  out.access_point_alias = false;
  co_return out;
}

awaitable<model::DeleteBucketOutput> Service::delete_bucket(aws::CallContext call, model::DeleteBucketInput in) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
    const auto snapshot = store_.snapshot();
    const char* not_empty = bucket.record.versioning.empty() ? "The bucket you tried to delete is not empty"
                                                             : "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
    storage::Commit write;
    write.check(bucket.key, bucket.version).erase(bucket.key);
    // Uploads in progress count as well: their parts would stay without an owner.
    for (const std::string& prefix : {object_prefix(call.scope, bucket.record.id), version_prefix(call.scope, bucket.record.id),
                                      upload_prefix(call.scope, bucket.record.id)}) {
      const storage::ScanPage page = co_await snapshot->scan({.begin = prefix, .end = storage::prefix_end(prefix), .limit = 1});
      if (!page.entries.empty()) throw aws::ApiError(kBucketNotEmpty, not_empty, {{"BucketName", *in.bucket}});
      write.guards.push_back({prefix, storage::prefix_end(prefix), snapshot->stamp()});
    }
    if (co_await commit(std::move(write))) co_return model::DeleteBucketOutput{};
  }
  throw to_api_error({storage::StoreErrc::kConflict, {}, {}});
}

awaitable<model::ListBucketsOutput> Service::list_buckets(aws::CallContext call, model::ListBucketsInput in) {
  const int limit = in.max_buckets.value_or(10'000);
  if (limit < 1 || limit > 10'000) throw aws::ApiError(kInvalidArgument, "Argument max-buckets must be an integer between 1 and 10000.");
  model::ListBucketsOutput out;
  out.buckets.emplace();
  out.owner.emplace().id = call.scope.account;
  out.prefix = in.prefix;
  if (in.bucket_region && *in.bucket_region != call.scope.region) co_return out;
  const std::string prefix = bucket_prefix(call.scope);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix)};
  if (in.continuation_token) range.begin = bucket_key(call.scope, *in.continuation_token) + '\0';
  const auto snapshot = store_.snapshot();
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await snapshot->scan(range);
    for (const storage::Entry& entry : page.entries) {
      storage::TupleReader reader(std::string_view(entry.key).substr(prefix.size()));
      const std::string name = reader.string().value_or("");
      if (!name.starts_with(in.prefix.value_or(""))) continue;
      if (out.buckets->size() == static_cast<std::size_t>(limit)) {
        out.continuation_token = out.buckets->back().name;
        co_return out;
      }
      model::Bucket& bucket = out.buckets->emplace_back();
      bucket.name = name;
      bucket.creation_date = aws::Timestamp{static_cast<double>(parse_bucket(entry.value).created_ms) / 1000.0};
      bucket.bucket_region = call.scope.region;
      bucket.bucket_arn = arn_of(name);
    }
    more = page.more && !page.entries.empty();
    if (more) range.begin = page.entries.back().key + '\0';
  }
  co_return out;
}

awaitable<model::GetBucketLocationOutput> Service::get_location(aws::CallContext call, model::GetBucketLocationInput in) {
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  model::GetBucketLocationOutput out;
  // S3 API Reference: buckets in us-east-1 have a LocationConstraint of null.
  if (call.scope.region != "us-east-1") out.location_constraint = call.scope.region;
  co_return out;
}

awaitable<model::GetBucketPolicyOutput> Service::get_policy(aws::CallContext call, model::GetBucketPolicyInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  if (!bucket.record.policy) throw aws::ApiError(kNoSuchBucketPolicy, "The bucket policy does not exist", {{"BucketName", *in.bucket}});
  model::GetBucketPolicyOutput out;
  out.policy = bucket.record.policy;
  co_return out;
}

awaitable<model::PutBucketPolicyOutput> Service::put_policy(aws::CallContext call, model::PutBucketPolicyInput in) {
  const std::string policy = in.policy.value_or("");
  boost::system::error_code failed;
  const boost::json::value parsed = boost::json::parse(policy, failed);
  if (failed || !parsed.is_object()) throw aws::ApiError(kMalformedPolicy, "Policies must be valid JSON and the first byte must be '{'");
  if (policy.size() > kPolicyBytesMax) throw aws::ApiError(kMalformedPolicy, "Policy exceeds the maximum allowed document size.");
  if (!parsed.as_object().contains("Statement")) throw aws::ApiError(kMalformedPolicy, "Missing required field Statement");
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [&](BucketRecord& record) { record.policy = policy; });
  co_return model::PutBucketPolicyOutput{};
}

awaitable<model::DeleteBucketPolicyOutput> Service::delete_policy(aws::CallContext call, model::DeleteBucketPolicyInput in) {
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.policy.reset(); });
  co_return model::DeleteBucketPolicyOutput{};
}

awaitable<model::GetBucketTaggingOutput> Service::get_tagging(aws::CallContext call, model::GetBucketTaggingInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  if (bucket.record.tags.empty()) throw aws::ApiError(kNoSuchTagSet, "The TagSet does not exist", {{"BucketName", *in.bucket}});
  model::GetBucketTaggingOutput out;
  out.tag_set.emplace();
  for (const auto& [key, value] : bucket.record.tags) {
    model::Tag& tag = out.tag_set->emplace_back();
    tag.key = key;
    tag.value = value;
  }
  co_return out;
}

awaitable<model::PutBucketTaggingOutput> Service::put_tagging(aws::CallContext call, model::PutBucketTaggingInput in) {
  if (!in.tagging || !in.tagging->tag_set)
    throw malformed_xml();
  const auto tags = bucket_tags_in(*in.tagging->tag_set);
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [&](BucketRecord& record) { record.tags = tags; });
  co_return model::PutBucketTaggingOutput{};
}

awaitable<model::DeleteBucketTaggingOutput> Service::delete_tagging(aws::CallContext call, model::DeleteBucketTaggingInput in) {
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.tags.clear(); });
  co_return model::DeleteBucketTaggingOutput{};
}

}  // namespace parvis::s3
