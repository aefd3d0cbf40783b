// AWS::S3::Bucket and AWS::S3::BucketPolicy as API calls. Source: CloudFormation Template Reference.
#include <algorithm>
#include <array>

#include "services/s3/bucket_properties.h"
#include "core/ascii.h"
#include "services/s3/errors.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::string_view kNoRecords = "nothing is recorded about requests and contents";
constexpr std::string_view kNoLocks = "objects cannot be locked";
constexpr std::string_view kNoTables = "there are no S3 tables";

constexpr std::array kBucketRules = {
    Rule{"AbacStatus", kRefused, kInPlace, "policies are not evaluated"},
    Rule{"AccelerateConfiguration", kRefused, kInPlace, "there are no edge locations"},
    Rule{"AccessControl", kRefused, kInPlace, "buckets have no ACLs, as with BucketOwnerEnforced"},
    Rule{"AnalyticsConfigurations", kRefused, kInPlace, kNoRecords},
    Rule{"BucketEncryption", kWarned, kInPlace, "kept and readable, but objects are stored without encryption"},
    Rule{"BucketEncryption.ServerSideEncryptionConfiguration[].BucketKeyEnabled"},
    Rule{"BucketEncryption.ServerSideEncryptionConfiguration[].ServerSideEncryptionByDefault.KMSMasterKeyID"},
    Rule{"BucketEncryption.ServerSideEncryptionConfiguration[].ServerSideEncryptionByDefault.SSEAlgorithm"},
    Rule{"BucketEncryption.ServerSideEncryptionConfiguration[].BlockedEncryptionTypes", kRefused, kInPlace, "keys of customers (SSE-C) are always refused"},
    Rule{"BucketName", kApplied, kReplaces},
    Rule{"BucketNamePrefix", kRefused, kReplaces, "use BucketName"}, Rule{"BucketNamespace", kRefused, kReplaces, "accounts have no namespace of their own"},
    Rule{"CorsConfiguration.CorsRules[].AllowedHeaders"}, Rule{"CorsConfiguration.CorsRules[].AllowedMethods"},
    Rule{"CorsConfiguration.CorsRules[].AllowedOrigins"}, Rule{"CorsConfiguration.CorsRules[].ExposedHeaders"},
    Rule{"CorsConfiguration.CorsRules[].Id"}, Rule{"CorsConfiguration.CorsRules[].MaxAge"},
    Rule{"IntelligentTieringConfigurations", kRefused, kInPlace, "there is one storage class"},
    Rule{"InventoryConfigurations", kRefused, kInPlace, kNoRecords},
    Rule{"LifecycleConfiguration", kRefused, kInPlace, "objects never expire here"},
    Rule{"LoggingConfiguration", kRefused, kInPlace, kNoRecords},
    Rule{"MetadataConfiguration", kRefused, kInPlace, kNoTables}, Rule{"MetadataTableConfiguration", kRefused, kInPlace, kNoTables},
    Rule{"MetricsConfigurations", kRefused, kInPlace, kNoRecords},
    Rule{"NotificationConfiguration", kRefused, kInPlace, "buckets send no notifications yet"},
    Rule{"ObjectLockConfiguration", kRefused, kInPlace, kNoLocks}, Rule{"ObjectLockEnabled", kRefused, kReplaces, kNoLocks},
    Rule{"OwnershipControls.Rules[].ObjectOwnership"},
    Rule{"PublicAccessBlockConfiguration", kWarned, kInPlace, "kept and readable, but access is not checked yet"},
    Rule{"PublicAccessBlockConfiguration.BlockPublicAcls"}, Rule{"PublicAccessBlockConfiguration.BlockPublicPolicy"},
    Rule{"PublicAccessBlockConfiguration.IgnorePublicAcls"}, Rule{"PublicAccessBlockConfiguration.RestrictPublicBuckets"},
    Rule{"ReplicationConfiguration", kRefused, kInPlace, "objects stay in their bucket"},
    Rule{"Tags[].Key"}, Rule{"Tags[].Value"},
    Rule{"VersioningConfiguration.Status"},
    Rule{"WebsiteConfiguration", kRefused, kInPlace, "there are no websites"},
};
constexpr std::array kPolicyRules = {Rule{"Bucket", kApplied, kReplaces}, Rule{"PolicyDocument"}};
constexpr std::array<std::string_view, 2> kPolicyRequired = {"Bucket", "PolicyDocument"};

std::string text(const object& properties, std::string_view key) {
  const auto* value = properties.if_contains(key);
  if (!value) return {};
  return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

boost::json::array tags(const aws::ResourceRequest& request) {
  boost::json::array out;
  if (const auto* given = request.properties.if_contains("Tags"); given && given->is_array()) out = given->as_array();
  out.push_back(object{{"Key", "aws:cloudformation:stack-id"}, {"Value", request.stack_id}});
  out.push_back(object{{"Key", "aws:cloudformation:stack-name"}, {"Value", request.stack_name}});
  out.push_back(object{{"Key", "aws:cloudformation:logical-id"}, {"Value", request.logical_id}});
  return out;
}

aws::ResourceResult bucket_result(const std::string& name, const std::string& region) {
  return {name, {{"Arn", "arn:aws:s3:::" + name},
                 {"DomainName", name + ".s3.amazonaws.com"},
                 {"DualStackDomainName", name + ".s3.dualstack." + region + ".amazonaws.com"},
                 {"RegionalDomainName", name + ".s3." + region + ".amazonaws.com"}}};
}

class BucketType final : public aws::ResourceType {
 public:
  explicit BucketType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::S3::Bucket"; }
  std::span<const Rule> rules() const override { return kBucketRules; }
  bool holds_data() const override { return true; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    std::string name = text(request.properties, "BucketName");
    const bool named = !name.empty();
    if (!named) name = to_lower(request.generated_name(63));
    object input{{"Bucket", name}};
    if (request.call.scope.region != "us-east-1") input["CreateBucketConfiguration"] = object{{"LocationConstraint", request.call.scope.region}};
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "s3", "CreateBucket", input);
    } catch (const aws::ApiError& error) {
      failed = error;
    }
    // Created by an earlier try of this step, whose tags may be missing: its name is made of the token, or its tags say so.
    if (failed && (failed->code() != "BucketAlreadyOwnedByYou" || (named && !co_await is_ours(request, name)))) throw *failed;
    co_await api_.call_json(request.call, "s3", "PutBucketTagging", object{{"Bucket", name}, {"Tagging", object{{"TagSet", tags(request)}}}});
    co_await apply_settings(api_, request, name);
    co_return bucket_result(name, request.call.scope.region);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    co_await api_.call_json(request.call, "s3", "PutBucketTagging", object{{"Bucket", request.physical_id}, {"Tagging", object{{"TagSet", tags(request)}}}});
    co_await apply_settings(api_, request, request.physical_id);
    co_return bucket_result(request.physical_id, request.call.scope.region);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    try {
      co_await api_.call_json(request.call, "s3", "DeleteBucket", object{{"Bucket", request.physical_id}});
    } catch (const aws::ApiError& error) {
      if (error.code() != "NoSuchBucket") throw;
    }
  }

 private:
  awaitable<bool> is_ours(const aws::ResourceRequest& request, std::string name) {
    boost::json::value found;
    try {
      found = co_await api_.call_json(request.call, "s3", "GetBucketTagging", object{{"Bucket", name}});
    } catch (const aws::ApiError&) {
      co_return false;
    }
    const auto has = [&](std::string_view key, const std::string& value) {
      return std::ranges::any_of(found.at("TagSet").as_array(), [&](const auto& tag) { return tag.at("Key").as_string() == key && tag.at("Value").as_string() == value; });
    };
    co_return has("aws:cloudformation:stack-id", request.stack_id) && has("aws:cloudformation:logical-id", request.logical_id);
  }
  aws::ApiClient& api_;
};

class PolicyType final : public aws::ResourceType {
 public:
  explicit PolicyType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::S3::BucketPolicy"; }
  std::span<const Rule> rules() const override { return kPolicyRules; }
  std::span<const std::string_view> required() const override { return kPolicyRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override { return put(std::move(request)); }
  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override { return put(std::move(request)); }
  awaitable<> remove(aws::ResourceRequest request) override {
    try {
      co_await api_.call_json(request.call, "s3", "DeleteBucketPolicy", object{{"Bucket", request.physical_id}});
    } catch (const aws::ApiError& error) {
      if (error.code() != "NoSuchBucket") throw;
    }
  }

 private:
  awaitable<aws::ResourceResult> put(aws::ResourceRequest request) {
    const std::string bucket = text(request.properties, "Bucket");
    co_await api_.call_json(request.call, "s3", "PutBucketPolicy", object{{"Bucket", bucket}, {"Policy", text(request.properties, "PolicyDocument")}});
    co_return aws::ResourceResult{bucket, {}};
  }
  aws::ApiClient& api_;
};

}  // namespace

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api) {
  types.add(std::make_unique<BucketType>(api));
  types.add(std::make_unique<PolicyType>(api));
}

awaitable<std::string> fetch_object(aws::ApiClient& api, aws::CallContext call, std::string bucket, std::string key, std::string version,
                                    std::size_t bytes_max) {
  model::GetObjectInput in;
  in.bucket = std::move(bucket);
  in.key = std::move(key);
  if (!version.empty()) in.version_id = std::move(version);
  const model::GetObjectOutput out = co_await api.call<model::GetObject>(std::move(call), std::move(in));
  if (static_cast<std::uint64_t>(*out.content_length) > bytes_max) throw aws::ApiError(kEntityTooLarge, "The object is too large.");
  std::string bytes;
  while (auto piece = co_await out.body->source->read()) bytes += *piece;
  co_return bytes;
}

}  // namespace parvis::s3
