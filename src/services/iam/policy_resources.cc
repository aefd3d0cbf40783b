// AWS::IAM::Policy, AWS::IAM::RolePolicy and AWS::IAM::ManagedPolicy as API calls. Source: CloudFormation Template Reference.
#include <array>
#include <set>

#include "services/iam/operations.h"

namespace parvis::iam {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::string_view kNoUsers = "there are no users and groups; attach it to Roles";

std::string text(const object& properties, std::string_view key) {
  const auto* value = properties.if_contains(key);
  if (!value) return {};
  return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}
std::set<std::string> names(const object& properties, std::string_view key) {
  std::set<std::string> out;
  const auto* list = properties.if_contains(key);
  if (!list) return out;
  if (!list->is_array()) throw aws::ApiError(aws::ErrorSpec{"ValidationError"}, std::string(key) + " must be a list.");
  for (const auto& name : list->as_array()) if (name.is_string()) out.emplace(name.as_string());
  return out;
}

class Caller {  // what both types need of the API
 public:
  explicit Caller(aws::ApiClient& api) : api_(api) {}
  awaitable<boost::json::value> call(aws::CallContext context, std::string operation, object input) {
    co_return co_await api_.call_json(std::move(context), "iam", operation, std::move(input));
  }
  // Gone already is as good: the step may have been tried before.
  awaitable<> forgiving(aws::CallContext context, std::string operation, object input) {
    try {
      co_await api_.call_json(std::move(context), "iam", operation, std::move(input));
    } catch (const aws::ApiError& thrown) {
      if (thrown.code() != kNoSuchEntity.code) throw;
    }
  }

 private:
  aws::ApiClient& api_;
};

// A policy written into roles. AWS::IAM::RolePolicy is the same for one role.
class InlinePolicyType final : public aws::ResourceType {
 public:
  InlinePolicyType(aws::ApiClient& api, bool one_role) : caller_(api), one_role_(one_role) {}
  std::string_view name() const override { return one_role_ ? "AWS::IAM::RolePolicy" : "AWS::IAM::Policy"; }
  std::span<const Rule> rules() const override { return one_role_ ? std::span<const Rule>(kOne) : kMany; }
  std::span<const std::string_view> required() const override { return one_role_ ? std::span<const std::string_view>(kOneRequired) : kManyRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    check(request.properties);
    co_await write(request.call, request.properties);
    const std::string name = one_role_ ? text(request.properties, "PolicyName") + "|" + text(request.properties, "RoleName") : request.generated_name(128);
    co_return aws::ResourceResult{name, {{"Id", name}}};
  }
  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    check(request.properties);
    co_await write(request.call, request.properties);
    const std::string old_name = text(request.old_properties, "PolicyName");
    const bool renamed = old_name != text(request.properties, "PolicyName");
    const auto now = roles(request.properties);
    for (const std::string& role : roles(request.old_properties)) {
      if (renamed || !now.contains(role)) co_await caller_.forgiving(request.call, "DeleteRolePolicy", object{{"RoleName", role}, {"PolicyName", old_name}});
    }
    co_return aws::ResourceResult{request.physical_id, {{"Id", request.physical_id}}};
  }
  awaitable<> remove(aws::ResourceRequest request) override {
    for (const std::string& role : roles(request.properties)) {
      co_await caller_.forgiving(request.call, "DeleteRolePolicy", object{{"RoleName", role}, {"PolicyName", text(request.properties, "PolicyName")}});
    }
  }

 private:
  static constexpr std::array kMany = {Rule{"Groups", kRefused, kInPlace, kNoUsers}, Rule{"PolicyDocument"}, Rule{"PolicyName"}, Rule{"Roles"},
                                       Rule{"Users", kRefused, kInPlace, kNoUsers}};
  static constexpr std::array kOne = {Rule{"PolicyDocument"}, Rule{"PolicyName", kApplied, kReplaces}, Rule{"RoleName", kApplied, kReplaces}};
  static constexpr std::array<std::string_view, 2> kManyRequired = {"PolicyDocument", "PolicyName"};
  static constexpr std::array<std::string_view, 3> kOneRequired = {"PolicyDocument", "PolicyName", "RoleName"};

  std::set<std::string> roles(const object& properties) const {
    return one_role_ ? std::set<std::string>{text(properties, "RoleName")} : names(properties, "Roles");
  }
  void check(const object& properties) const {
    if (roles(properties).empty()) throw aws::ApiError(aws::ErrorSpec{"ValidationError"}, "At least one of [Groups,Roles,Users] must be non-empty.");
  }
  awaitable<> write(aws::CallContext call, object properties) {
    for (const std::string& role : roles(properties)) {
      co_await caller_.call(call, "PutRolePolicy", object{{"RoleName", role}, {"PolicyName", text(properties, "PolicyName")}, {"PolicyDocument", text(properties, "PolicyDocument")}});
    }
  }

  Caller caller_;
  const bool one_role_;
};

class ManagedPolicyType final : public aws::ResourceType {
 public:
  explicit ManagedPolicyType(aws::ApiClient& api) : caller_(api) {}
  std::string_view name() const override { return "AWS::IAM::ManagedPolicy"; }
  std::span<const Rule> rules() const override { return kRules; }
  std::span<const std::string_view> required() const override { return kRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    std::string name = text(request.properties, "ManagedPolicyName");
    const bool named = !name.empty();
    if (!named) name = request.generated_name(128);
    object input{{"PolicyName", name}, {"PolicyDocument", text(request.properties, "PolicyDocument")}};
    for (const char* key : {"Path", "Description"}) if (request.properties.contains(key)) input[key] = text(request.properties, key);
    input["Tags"] = boost::json::array{object{{"Key", kStackTag}, {"Value", request.stack_id}}, object{{"Key", kLogicalTag}, {"Value", request.logical_id}}};
    std::string path = text(request.properties, "Path");
    if (path.empty()) path = "/";
    const std::string arn = "arn:aws:iam::" + request.call.scope.account + ":policy" + path + name;
    std::optional<aws::ApiError> failed;
    try {
      co_await caller_.call(request.call, "CreatePolicy", input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    // Already there: made by this very step before, or somebody else's.
    if (failed && (failed->code() != kEntityAlreadyExists.code || !co_await is_ours(request, arn))) throw *failed;
    co_await attach(request.call, arn, request.properties, {});
    co_return co_await result(request.call, arn);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const std::string arn = request.physical_id;
    if (text(request.properties, "PolicyDocument") != text(request.old_properties, "PolicyDocument")) {
      const auto listed = co_await caller_.call(request.call, "ListPolicyVersions", object{{"PolicyArn", arn}});
      const auto& versions = listed.at("Versions").as_array();  // newest first
      if (versions.size() >= kPolicyVersionsMax) {
        std::string oldest;
        for (const auto& version : versions) if (!version.at("IsDefaultVersion").as_bool()) oldest = version.at("VersionId").as_string();
        co_await caller_.forgiving(request.call, "DeletePolicyVersion", object{{"PolicyArn", arn}, {"VersionId", oldest}});
      }
      co_await caller_.call(request.call, "CreatePolicyVersion", object{{"PolicyArn", arn}, {"PolicyDocument", text(request.properties, "PolicyDocument")}, {"SetAsDefault", true}});
    }
    co_await attach(request.call, arn, request.properties, request.old_properties);
    co_return co_await result(request.call, arn);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    const std::string arn = request.physical_id;
    for (const std::string& role : names(request.properties, "Roles")) {
      co_await caller_.forgiving(request.call, "DetachRolePolicy", object{{"RoleName", role}, {"PolicyArn", arn}});
    }
    try {
      const auto listed = co_await caller_.call(request.call, "ListPolicyVersions", object{{"PolicyArn", arn}});
      for (const auto& version : listed.at("Versions").as_array()) {
        if (!version.at("IsDefaultVersion").as_bool()) co_await caller_.forgiving(request.call, "DeletePolicyVersion", object{{"PolicyArn", arn}, {"VersionId", version.at("VersionId")}});
      }
      co_await caller_.call(request.call, "DeletePolicy", object{{"PolicyArn", arn}});
    } catch (const aws::ApiError& thrown) {
      if (thrown.code() != kNoSuchEntity.code) throw;
    }
  }

 private:
  static constexpr std::string_view kStackTag = "aws:cloudformation:stack-id", kLogicalTag = "aws:cloudformation:logical-id";
  static constexpr std::array kRules = {
      Rule{"Description", kApplied, kReplaces}, Rule{"Groups", kRefused, kInPlace, kNoUsers}, Rule{"ManagedPolicyName", kApplied, kReplaces},
      Rule{"Path", kApplied, kReplaces}, Rule{"PolicyDocument"}, Rule{"Roles"}, Rule{"Users", kRefused, kInPlace, kNoUsers}};
  static constexpr std::array<std::string_view, 1> kRequired = {"PolicyDocument"};

  awaitable<> attach(aws::CallContext call, std::string arn, object now, object before) {
    const auto wanted = names(now, "Roles");
    for (const std::string& role : wanted) co_await caller_.call(call, "AttachRolePolicy", object{{"RoleName", role}, {"PolicyArn", arn}});
    for (const std::string& role : names(before, "Roles")) {
      if (!wanted.contains(role)) co_await caller_.forgiving(call, "DetachRolePolicy", object{{"RoleName", role}, {"PolicyArn", arn}});
    }
  }
  awaitable<bool> is_ours(aws::ResourceRequest request, std::string arn) {
    std::size_t matches = 0;
    try {
      const auto answer = co_await caller_.call(request.call, "ListPolicyTags", object{{"PolicyArn", arn}});
      for (const auto& tag : answer.at("Tags").as_array()) {
        matches += tag.at("Key").as_string() == kStackTag && tag.at("Value").as_string() == request.stack_id;
        matches += tag.at("Key").as_string() == kLogicalTag && tag.at("Value").as_string() == request.logical_id;
      }
    } catch (const aws::ApiError& thrown) {
      if (thrown.code() != kNoSuchEntity.code) throw;  // the name is taken under another path
    }
    co_return matches == 2;
  }
  awaitable<aws::ResourceResult> result(aws::CallContext call, std::string arn) {
    const auto answer = co_await caller_.call(std::move(call), "GetPolicy", object{{"PolicyArn", arn}});
    const object& policy = answer.at("Policy").as_object();
    object attributes{{"PolicyArn", arn}, {"PolicyId", policy.at("PolicyId")}, {"DefaultVersionId", policy.at("DefaultVersionId")}, {"AttachmentCount", policy.at("AttachmentCount")}};
    attributes["IsAttachable"] = true;
    co_return aws::ResourceResult{arn, std::move(attributes)};
  }

  Caller caller_;
};

}  // namespace

void add_policy_types(aws::ResourceTypes& types, aws::ApiClient& api) {
  types.add(std::make_unique<InlinePolicyType>(api, false));
  types.add(std::make_unique<InlinePolicyType>(api, true));
  types.add(std::make_unique<ManagedPolicyType>(api));
}

}  // namespace parvis::iam
