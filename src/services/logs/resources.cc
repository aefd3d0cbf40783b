// AWS::Logs::LogGroup as API calls. Source: CloudFormation Template Reference, AWS::Logs::LogGroup.
#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "services/logs/operations.h"

namespace parvis::logs {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::array kRules = {
    Rule{"BearerTokenAuthenticationEnabled", kRefused, kInPlace, "not available"},
    Rule{"DataProtectionPolicy", kRefused, kInPlace, "data protection is not available"},
    Rule{"DeletionProtectionEnabled", kRefused, kInPlace, "deletion protection is not available; use DeletionPolicy: Retain"},
    Rule{"FieldIndexPolicies", kRefused, kInPlace, "field indexes are not available"},
    Rule{"KmsKeyId", kRefused, kInPlace, "customer keys are not available"},
    Rule{"LogGroupClass", kApplied, kReplaces, "STANDARD"}, Rule{"LogGroupName", kApplied, kReplaces},
    Rule{"ResourcePolicyDocument", kRefused, kInPlace, "resource policies are not available"},
    Rule{"RetentionInDays"}, Rule{"Tags[].Key"}, Rule{"Tags[].Value"},
};
constexpr std::string_view kStackTag = "aws:cloudformation:stack-id", kLogicalTag = "aws:cloudformation:logical-id";

std::string text(const object& properties, std::string_view key) {
  const auto* value = properties.if_contains(key);
  if (!value) return {};
  return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}
std::map<std::string, std::string> tags_of(const object& properties) {
  std::map<std::string, std::string> out;
  if (const auto* list = properties.if_contains("Tags"); list && list->is_array()) {
    for (const auto& tag : list->as_array()) if (tag.is_object()) out[text(tag.as_object(), "Key")] = text(tag.as_object(), "Value");
  }
  return out;
}
object to_object(const std::map<std::string, std::string>& map) {
  object out;
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

class LogGroupType final : public aws::ResourceType {
 public:
  explicit LogGroupType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::Logs::LogGroup"; }
  std::span<const Rule> rules() const override { return kRules; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    std::string name = text(request.properties, "LogGroupName");
    if (name.empty()) name = request.generated_name(512);
    auto tags = tags_of(request.properties);
    tags.emplace(kStackTag, request.stack_id);
    tags.emplace(kLogicalTag, request.logical_id);
    object input{{"logGroupName", name}, {"tags", to_object(tags)}};
    if (request.properties.contains("LogGroupClass")) input["logGroupClass"] = text(request.properties, "LogGroupClass");
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "logs", "CreateLogGroup", input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    // Already there: made by this very step before, or somebody else's.
    if (failed && (failed->code() != model::errors::kResourceAlreadyExistsException.code || !co_await is_ours(request, name))) throw *failed;
    co_await set_retention(request.call, name, request.properties, {});
    co_return result(request.call.scope, name);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const std::string name = request.physical_id, arn = group_arn(request.call.scope, name);
    co_await set_retention(request.call, name, request.properties, request.old_properties);
    const auto now = tags_of(request.properties);
    boost::json::array gone;
    for (const auto& [key, value] : tags_of(request.old_properties)) if (!now.contains(key)) gone.emplace_back(key);
    if (!gone.empty()) co_await api_.call_json(request.call, "logs", "UntagResource", object{{"resourceArn", arn}, {"tagKeys", gone}});
    if (!now.empty()) co_await api_.call_json(request.call, "logs", "TagResource", object{{"resourceArn", arn}, {"tags", to_object(now)}});
    co_return result(request.call.scope, name);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    try {
      co_await api_.call_json(request.call, "logs", "DeleteLogGroup", object{{"logGroupName", request.physical_id}});
    } catch (const aws::ApiError& thrown) {
      if (thrown.code() != model::errors::kResourceNotFoundException.code) throw;
    }
  }

 private:
  static aws::ResourceResult result(const aws::Scope& scope, const std::string& name) { return {name, {{"Arn", group_arn(scope, name) + ":*"}}}; }

  awaitable<> set_retention(aws::CallContext call, std::string name, object now, object before) {
    const std::string days = text(now, "RetentionInDays");
    if (days.empty()) {
      if (before.contains("RetentionInDays")) co_await api_.call_json(call, "logs", "DeleteRetentionPolicy", object{{"logGroupName", name}});
      co_return;
    }
    int number = 0;
    const auto [end, failed] = std::from_chars(days.data(), days.data() + days.size(), number);
    if (failed != std::errc{} || end != days.data() + days.size()) {
      throw aws::ApiError(model::errors::kInvalidParameterException, fmt::format("RetentionInDays must be a whole number, not '{}'", days));
    }
    co_await api_.call_json(call, "logs", "PutRetentionPolicy", object{{"logGroupName", name}, {"retentionInDays", number}});
  }

  awaitable<bool> is_ours(aws::ResourceRequest request, std::string name) {
    const auto answer = co_await api_.call_json(request.call, "logs", "ListTagsForResource", object{{"resourceArn", group_arn(request.call.scope, name)}});
    const auto* tags = answer.as_object().if_contains("tags");
    co_return tags && tags->is_object() && text(tags->as_object(), kStackTag) == request.stack_id && text(tags->as_object(), kLogicalTag) == request.logical_id;
  }

  aws::ApiClient& api_;
};

}  // namespace

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api) { types.add(std::make_unique<LogGroupType>(api)); }

}  // namespace parvis::logs
