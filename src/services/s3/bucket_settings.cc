// Versioning, encryption, public access, ownership and ACLs of buckets. Source: S3 API Reference; what a new bucket
// answers: S3 User Guide, "Default encryption", "Blocking public access" and "Controlling ownership of objects".
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "services/s3/errors.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

constexpr aws::ErrorSpec kIllegalVersioning{"IllegalVersioningConfigurationException", 400};

Encryption encryption_in(const model::ServerSideEncryptionConfiguration& configuration) {
  if (!configuration.rules || configuration.rules->size() != 1) throw malformed_xml();
  const model::ServerSideEncryptionRule& rule = configuration.rules->front();
  Encryption out;
  if (const auto& given = rule.apply_server_side_encryption_by_default) {
    constexpr std::array<std::string_view, 3> kKnown = {"AES256", "aws:kms", "aws:kms:dsse"};
    if (!given->sse_algorithm || std::ranges::find(kKnown, *given->sse_algorithm) == kKnown.end()) throw malformed_xml();
    out.algorithm = *given->sse_algorithm;
    out.key_id = given->kms_master_key_id.value_or("");
    if (!out.key_id.empty() && out.algorithm == "AES256") {
      throw aws::ApiError(kInvalidArgument, "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
                          {{"ArgumentName", "ApplyServerSideEncryptionByDefault"}});
    }
  }
  out.bucket_key = rule.bucket_key_enabled.value_or(false);
  if (rule.blocked_encryption_types) out.blocked = rule.blocked_encryption_types->encryption_type.value_or(std::vector<std::string>{});
  for (const std::string& type : out.blocked) if (type != "NONE" && type != "SSE-C") throw malformed_xml();
  return out;
}

[[noreturn]] void refuse_acl() { throw aws::ApiError(kAccessControlListNotSupported, "The bucket does not allow ACLs"); }

// The owner has everything, and nobody else anything: that is what "no ACLs" reads as.
template <class Output>
Output owner_acl(const std::string& account) {
  Output out;
  out.owner.emplace().id = account;
  model::Grant& grant = out.grants.emplace().emplace_back();
  grant.grantee.emplace().id = account;
  grant.grantee->type = "CanonicalUser";
  grant.permission = "FULL_CONTROL";
  return out;
}

}  // namespace

awaitable<model::GetBucketVersioningOutput> Service::get_versioning(aws::CallContext call, model::GetBucketVersioningInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  model::GetBucketVersioningOutput out;
  if (!bucket.record.versioning.empty()) out.status = bucket.record.versioning;
  co_return out;
}

awaitable<model::PutBucketVersioningOutput> Service::put_versioning(aws::CallContext call, model::PutBucketVersioningInput in) {
  refuse_if(in.mfa || (in.versioning_configuration && in.versioning_configuration->mfa_delete.value_or("Disabled") != "Disabled"), "MfaDelete");
  if (!in.versioning_configuration || !in.versioning_configuration->status)
    throw aws::ApiError(kIllegalVersioning, "The Versioning element must be specified");
  const std::string status = *in.versioning_configuration->status;
  if (status != "Enabled" && status != "Suspended") throw malformed_xml();
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [&](BucketRecord& record) { record.versioning = status; });
  co_return model::PutBucketVersioningOutput{};
}

awaitable<model::GetBucketEncryptionOutput> Service::get_encryption(aws::CallContext call, model::GetBucketEncryptionInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  const Encryption& is = bucket.record.encryption;
  model::GetBucketEncryptionOutput out;
  model::ServerSideEncryptionRule& rule = out.server_side_encryption_configuration.emplace().rules.emplace().emplace_back();
  rule.apply_server_side_encryption_by_default.emplace().sse_algorithm = is.algorithm;
  if (!is.key_id.empty()) rule.apply_server_side_encryption_by_default->kms_master_key_id = is.key_id;
  rule.bucket_key_enabled = is.bucket_key;
  if (!is.blocked.empty()) rule.blocked_encryption_types.emplace().encryption_type = is.blocked;
  co_return out;
}

awaitable<model::PutBucketEncryptionOutput> Service::put_encryption(aws::CallContext call, model::PutBucketEncryptionInput in) {
  if (!in.server_side_encryption_configuration) throw malformed_xml();
  const Encryption given = encryption_in(*in.server_side_encryption_configuration);
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [&](BucketRecord& record) { record.encryption = given; });
  co_return model::PutBucketEncryptionOutput{};
}

awaitable<model::DeleteBucketEncryptionOutput> Service::delete_encryption(aws::CallContext call, model::DeleteBucketEncryptionInput in) {
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.encryption = {}; });
  co_return model::DeleteBucketEncryptionOutput{};
}

awaitable<model::GetPublicAccessBlockOutput> Service::get_public_access(aws::CallContext call, model::GetPublicAccessBlockInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  const auto& is = bucket.record.public_access;
  if (!is) throw aws::ApiError(kNoSuchPublicAccessBlock, "The public access block configuration was not found", {{"BucketName", *in.bucket}});
  model::GetPublicAccessBlockOutput out;
  model::PublicAccessBlockConfiguration& shown = out.public_access_block_configuration.emplace();
  shown.block_public_acls = is->block_acls;
  shown.ignore_public_acls = is->ignore_acls;
  shown.block_public_policy = is->block_policy;
  shown.restrict_public_buckets = is->restrict_buckets;
  co_return out;
}

awaitable<model::PutPublicAccessBlockOutput> Service::put_public_access(aws::CallContext call, model::PutPublicAccessBlockInput in) {
  if (!in.public_access_block_configuration) throw malformed_xml();
  const auto& given = *in.public_access_block_configuration;
  if (!given.block_public_acls && !given.ignore_public_acls && !given.block_public_policy && !given.restrict_public_buckets)
    throw aws::ApiError(kInvalidRequest, "Must specify at least one configuration.");
  // What is not named is off.
  const PublicAccessBlock block{given.block_public_acls.value_or(false), given.ignore_public_acls.value_or(false),
                                given.block_public_policy.value_or(false), given.restrict_public_buckets.value_or(false)};
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [&](BucketRecord& record) { record.public_access = block; });
  co_return model::PutPublicAccessBlockOutput{};
}

awaitable<model::DeletePublicAccessBlockOutput> Service::delete_public_access(aws::CallContext call, model::DeletePublicAccessBlockInput in) {
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.public_access.reset(); });
  co_return model::DeletePublicAccessBlockOutput{};
}

awaitable<model::GetBucketOwnershipControlsOutput> Service::get_ownership(aws::CallContext call, model::GetBucketOwnershipControlsInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  if (!bucket.record.ownership)
    throw aws::ApiError(kOwnershipControlsNotFound, "The bucket ownership controls were not found", {{"BucketName", *in.bucket}});
  model::GetBucketOwnershipControlsOutput out;
  out.ownership_controls.emplace().rules.emplace().emplace_back().object_ownership = "BucketOwnerEnforced";
  co_return out;
}

awaitable<model::PutBucketOwnershipControlsOutput> Service::put_ownership(aws::CallContext call, model::PutBucketOwnershipControlsInput in) {
  if (!in.ownership_controls || !in.ownership_controls->rules || in.ownership_controls->rules->size() != 1) throw malformed_xml();
  const std::string owner = in.ownership_controls->rules->front().object_ownership.value_or("");
  if (owner != "BucketOwnerEnforced" && owner != "BucketOwnerPreferred" && owner != "ObjectWriter") throw malformed_xml();
  refuse_if(owner != "BucketOwnerEnforced", "ObjectOwnership other than BucketOwnerEnforced");
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.ownership = true; });
  co_return model::PutBucketOwnershipControlsOutput{};
}

awaitable<model::DeleteBucketOwnershipControlsOutput> Service::delete_ownership(aws::CallContext call, model::DeleteBucketOwnershipControlsInput in) {
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.ownership = false; });
  co_return model::DeleteBucketOwnershipControlsOutput{};
}

awaitable<model::GetBucketAclOutput> Service::get_bucket_acl(aws::CallContext call, model::GetBucketAclInput in) {
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  co_return owner_acl<model::GetBucketAclOutput>(call.scope.account);
}

awaitable<model::PutBucketAclOutput> Service::put_bucket_acl(aws::CallContext call, model::PutBucketAclInput in) {
  co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  refuse_acl();
}

awaitable<model::GetObjectAclOutput> Service::get_object_acl(aws::CallContext call, model::GetObjectAclInput in) {
  co_await find_object(call.scope, *in.bucket, *in.key, in.version_id, in.expected_bucket_owner);
  co_return owner_acl<model::GetObjectAclOutput>(call.scope.account);
}

awaitable<model::PutObjectAclOutput> Service::put_object_acl(aws::CallContext call, model::PutObjectAclInput in) {
  co_await find_object(call.scope, *in.bucket, *in.key, in.version_id, in.expected_bucket_owner);
  refuse_acl();
}

}  // namespace parvis::s3
