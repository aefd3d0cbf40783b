// AWS::IAM::Role as API calls. Source: CloudFormation Template Reference, AWS::IAM::Role.
#include <array>
#include <charconv>
#include <set>

#include "services/iam/operations.h"

namespace parvis::iam {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::array kRoleRules = {
    Rule{"AssumeRolePolicyDocument"}, Rule{"Description"}, Rule{"ManagedPolicyArns"}, Rule{"MaxSessionDuration"},
    Rule{"Path", kApplied, kReplaces},
    Rule{"PermissionsBoundary", kRefused, kInPlace, "permissions boundaries are not available yet"},
    Rule{"Policies[].PolicyDocument"}, Rule{"Policies[].PolicyName"}, Rule{"RoleName", kApplied, kReplaces}, Rule{"Tags[].Key"}, Rule{"Tags[].Value"},
};
constexpr aws::ErrorSpec kValidationError{"ValidationError"};
constexpr std::array<std::string_view, 1> kRoleRequired = {"AssumeRolePolicyDocument"};

std::string text(const object& properties, std::string_view key) {
  const auto* value = properties.if_contains(key);
  if (!value) return {};
  return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

std::map<std::string, std::string> pairs(const object& properties, std::string_view list, std::string_view key, std::string_view value) {
  std::map<std::string, std::string> out;
  if (const auto* found = properties.if_contains(list); found && found->is_array()) {
    for (const auto& entry : found->as_array()) {
      if (entry.is_object()) out[text(entry.as_object(), key)] = text(entry.as_object(), value);
    }
  }
  return out;
}

std::set<std::string> managed(const object& properties) {
  std::set<std::string> out;
  const auto* found = properties.if_contains("ManagedPolicyArns");
  if (!found) return out;
  if (!found->is_array()) throw aws::ApiError(kValidationError, "ManagedPolicyArns must be a list.");
  for (const auto& arn : found->as_array()) {
    if (!arn.is_string()) throw aws::ApiError(kValidationError, "ManagedPolicyArns must be a list of texts.");
    out.emplace(arn.as_string());
  }
  return out;
}

boost::json::array tags(const object& properties) {
  boost::json::array out;
  for (const auto& [key, value] : pairs(properties, "Tags", "Key", "Value")) out.push_back(object{{"Key", key}, {"Value", value}});
  return out;
}

class RoleType final : public aws::ResourceType {
 public:
  explicit RoleType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::IAM::Role"; }
  std::span<const Rule> rules() const override { return kRoleRules; }
  std::span<const std::string_view> required() const override { return kRoleRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    std::string name = text(request.properties, "RoleName");
    const bool named = !name.empty();
    if (!named) name = request.generated_name(64);
    object input{{"RoleName", name}, {"AssumeRolePolicyDocument", text(request.properties, "AssumeRolePolicyDocument")}};
    for (const char* key : {"Path", "Description"}) {
      if (request.properties.contains(key)) input[key] = text(request.properties, key);
    }
    if (const auto seconds = session_seconds(request.properties)) input["MaxSessionDuration"] = *seconds;
    boost::json::array all = tags(request.properties);
    all.push_back(object{{"Key", "aws:cloudformation:stack-id"}, {"Value", request.stack_id}});
    all.push_back(object{{"Key", "aws:cloudformation:logical-id"}, {"Value", request.logical_id}});
    input["Tags"] = std::move(all);
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "iam", "CreateRole", input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    // A generated name comes from the step's token: the role of that name is an earlier try's. A given name is ours by its tags.
    if (failed && failed->code() != kEntityAlreadyExists.code) throw *failed;
    if (failed && named && !co_await is_ours(request, name)) throw *failed;
    co_await apply_policies(request.call, name, request.properties, {});
    co_return co_await result(request.call, name);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const std::string name = request.physical_id;
    co_await api_.call_json(request.call, "iam", "UpdateAssumeRolePolicy",
        object{{"RoleName", name}, {"PolicyDocument", text(request.properties, "AssumeRolePolicyDocument")}});
    co_await api_.call_json(request.call, "iam", "UpdateRole", object{{"RoleName", name},
        {"Description", text(request.properties, "Description")}, {"MaxSessionDuration", session_seconds(request.properties).value_or(3600)}});
    co_await apply_policies(request.call, name, request.properties, request.old_properties);
    boost::json::array gone;
    const auto now = pairs(request.properties, "Tags", "Key", "Value");
    for (const auto& [key, value] : pairs(request.old_properties, "Tags", "Key", "Value")) {
      if (!now.contains(key)) gone.emplace_back(key);
    }
    if (!gone.empty()) co_await api_.call_json(request.call, "iam", "UntagRole", object{{"RoleName", name}, {"TagKeys", gone}});
    if (!now.empty()) co_await api_.call_json(request.call, "iam", "TagRole", object{{"RoleName", name}, {"Tags", tags(request.properties)}});
    co_return co_await result(request.call, name);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    std::optional<aws::ApiError> failed;
    try {
      const object named{{"RoleName", request.physical_id}};
      const auto inline_policies = co_await api_.call_json(request.call, "iam", "ListRolePolicies", named);
      if (const auto* names = inline_policies.as_object().if_contains("PolicyNames"); names && names->is_array()) {
        for (const auto& policy : names->as_array()) {
          co_await api_.call_json(request.call, "iam", "DeleteRolePolicy", object{{"RoleName", request.physical_id}, {"PolicyName", policy}});
        }
      }
      const auto attached = co_await api_.call_json(request.call, "iam", "ListAttachedRolePolicies", named);
      if (const auto* list = attached.as_object().if_contains("AttachedPolicies"); list && list->is_array()) {
        for (const auto& policy : list->as_array()) {
          co_await api_.call_json(request.call, "iam", "DetachRolePolicy",
              object{{"RoleName", request.physical_id}, {"PolicyArn", policy.as_object().at("PolicyArn")}});
        }
      }
      co_await api_.call_json(request.call, "iam", "DeleteRole", named);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed && failed->code() != kNoSuchEntity.code) throw *failed;
  }

 private:
  static std::optional<int> session_seconds(const object& properties) {
    const std::string digits = text(properties, "MaxSessionDuration");
    int seconds = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), seconds).ec != std::errc{}) return std::nullopt;
    return seconds;
  }

  awaitable<bool> is_ours(aws::ResourceRequest request, std::string name) {
    const auto answer = co_await api_.call_json(request.call, "iam", "ListRoleTags", object{{"RoleName", name}});
    const auto found = pairs(answer.as_object(), "Tags", "Key", "Value");
    const auto stack = found.find("aws:cloudformation:stack-id"), logical = found.find("aws:cloudformation:logical-id");
    co_return stack != found.end() && stack->second == request.stack_id && logical != found.end() && logical->second == request.logical_id;
  }

  awaitable<> apply_policies(aws::CallContext call, std::string name, object now, object before) {
    const auto policies = pairs(now, "Policies", "PolicyName", "PolicyDocument");
    for (const auto& [policy, document] : policies) {
      co_await api_.call_json(call, "iam", "PutRolePolicy", object{{"RoleName", name}, {"PolicyName", policy}, {"PolicyDocument", document}});
    }
    for (const std::string& arn : managed(now)) {
      co_await api_.call_json(call, "iam", "AttachRolePolicy", object{{"RoleName", name}, {"PolicyArn", arn}});
    }
    for (const auto& [policy, document] : pairs(before, "Policies", "PolicyName", "PolicyDocument")) {
      if (!policies.contains(policy)) {
        co_await forgiving(call, "DeleteRolePolicy", object{{"RoleName", name}, {"PolicyName", policy}});
      }
    }
    for (const std::string& arn : managed(before)) {
      if (!managed(now).contains(arn)) co_await forgiving(call, "DetachRolePolicy", object{{"RoleName", name}, {"PolicyArn", arn}});
    }
  }

  // Gone already is as good: the step may have been tried before.
  awaitable<> forgiving(aws::CallContext call, std::string operation, object input) {
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(call, "iam", operation, input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed && failed->code() != kNoSuchEntity.code) throw *failed;
  }

  awaitable<aws::ResourceResult> result(aws::CallContext call, std::string name) {
    const auto answer = co_await api_.call_json(call, "iam", "GetRole", object{{"RoleName", name}});
    const object& role = answer.as_object().at("Role").as_object();
    co_return aws::ResourceResult{name, {{"Arn", role.at("Arn")}, {"RoleId", role.at("RoleId")}}};
  }

  aws::ApiClient& api_;
};

}  // namespace

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api) { 
  types.add(std::make_unique<RoleType>(api));
  add_policy_types(types, api);
}

}  // namespace parvis::iam
