// AWS::SSM::Parameter as API calls. Source: CloudFormation Template Reference, AWS::SSM::Parameter.
#include <array>

#include <fmt/format.h>

#include "services/ssm/errors.h"
#include "services/ssm/operations.h"

namespace parvis::ssm {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::array kRules = {
    Rule{"AllowedPattern"}, Rule{"DataType"}, Rule{"Description"}, Rule{"Name", kApplied, kReplaces},
    Rule{"Policies", kRefused, kInPlace, "parameter policies are not available"},
    Rule{"Tags"}, Rule{"Tier"}, Rule{"Type"}, Rule{"Value"},
};
constexpr std::array<std::string_view, 2> kRequired = {"Type", "Value"};
constexpr std::string_view kStackTag = "aws:cloudformation:stack-id", kLogicalTag = "aws:cloudformation:logical-id";

std::string text(const object& properties, std::string_view key) {
  const auto* value = properties.if_contains(key);
  if (!value) return {};
  if (value->is_structured()) throw aws::ApiError(kValidation, fmt::format("{} is not text.", key));
  return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

// Tags are a map here, unlike those of other types.
std::map<std::string, std::string> tags_of(const object& properties) {
  std::map<std::string, std::string> out;
  const auto* tags = properties.if_contains("Tags");
  if (!tags) return out;
  if (!tags->is_object()) throw aws::ApiError(kValidation, "Tags of a parameter are a map of keys to values.");
  for (const auto& entry : tags->as_object()) out.emplace(entry.key(), text(tags->as_object(), entry.key()));
  return out;
}
boost::json::array tag_list(const std::map<std::string, std::string>& tags) {
  boost::json::array out;
  for (const auto& [key, value] : tags) out.push_back(object{{"Key", key}, {"Value", value}});
  return out;
}

class ParameterType final : public aws::ResourceType {
 public:
  explicit ParameterType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::SSM::Parameter"; }
  std::span<const Rule> rules() const override { return kRules; }
  std::span<const std::string_view> required() const override { return kRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    std::string name = text(request.properties, "Name");
    if (name.empty()) name = "CFN-" + request.generated_name(200);
    object input = values(request.properties);
    input["Name"] = name;
    auto tags = tags_of(request.properties);
    tags.emplace(kStackTag, request.stack_id);
    tags.emplace(kLogicalTag, request.logical_id);
    input["Tags"] = tag_list(tags);
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "ssm", "PutParameter", input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    // Already there: made by this very step before, or somebody else's.
    if (failed && (failed->code() != errors::kParameterAlreadyExists.code || !co_await is_ours(request, name))) throw *failed;
    co_return result(request.properties, name);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const std::string name = request.physical_id;
    object input = values(request.properties);
    for (const char* key : {"Description", "AllowedPattern"}) if (!input.contains(key)) input[key] = "";  // left out now: none any more
    input["Name"] = name;
    input["Overwrite"] = true;
    if (values(request.properties) != values(request.old_properties)) co_await api_.call_json(request.call, "ssm", "PutParameter", input);
    const auto now = tags_of(request.properties);
    boost::json::array gone;
    for (const auto& [key, value] : tags_of(request.old_properties)) if (!now.contains(key)) gone.emplace_back(key);
    const object resource{{"ResourceType", "Parameter"}, {"ResourceId", name}};
    if (!gone.empty()) {
      object untag = resource;
      untag["TagKeys"] = std::move(gone);
      co_await api_.call_json(request.call, "ssm", "RemoveTagsFromResource", untag);
    }
    if (!now.empty()) {
      object tag = resource;
      tag["Tags"] = tag_list(now);
      co_await api_.call_json(request.call, "ssm", "AddTagsToResource", tag);
    }
    co_return result(request.properties, name);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    try {
      co_await api_.call_json(request.call, "ssm", "DeleteParameter", object{{"Name", request.physical_id}});
    } catch (const aws::ApiError& thrown) {
      if (thrown.code() != errors::kParameterNotFound.code) throw;
    }
  }

 private:
  static object values(const object& properties) {
    if (text(properties, "Type") == "SecureString") {
      throw aws::ApiError(kValidation, "CloudFormation does not create parameters of the type SecureString; make it with PutParameter.");
    }
    object out;
    for (const char* key : {"AllowedPattern", "DataType", "Description", "Tier", "Type", "Value"}) {
      if (properties.contains(key)) out[key] = text(properties, key);
    }
    return out;
  }

  static aws::ResourceResult result(const object& properties, const std::string& name) {
    return {name, {{"Type", text(properties, "Type")}, {"Value", text(properties, "Value")}}};
  }

  awaitable<bool> is_ours(aws::ResourceRequest request, std::string name) {
    const auto answer = co_await api_.call_json(request.call, "ssm", "ListTagsForResource", object{{"ResourceType", "Parameter"}, {"ResourceId", name}});
    std::size_t matches = 0;
    for (const auto& tag : answer.at("TagList").as_array()) {
      matches += tag.at("Key").as_string() == kStackTag && tag.at("Value").as_string() == request.stack_id;
      matches += tag.at("Key").as_string() == kLogicalTag && tag.at("Value").as_string() == request.logical_id;
    }
    co_return matches == 2;
  }

  aws::ApiClient& api_;
};

}  // namespace

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api) { types.add(std::make_unique<ParameterType>(api)); }

}  // namespace parvis::ssm
