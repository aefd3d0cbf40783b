// AWS::Lambda::LayerVersion and AWS::Lambda::LayerVersionPermission. Source: CloudFormation Template Reference.
#include <array>

#include <fmt/format.h>

#include "services/lambda/errors.h"
#include "services/lambda/resource_support.h"

namespace parvis::lambda {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::array kLayerRules = {
    Rule{"CompatibleArchitectures", kApplied, kReplaces}, Rule{"CompatibleRuntimes", kApplied, kReplaces},
    Rule{"Content.S3Bucket", kApplied, kReplaces},        Rule{"Content.S3Key", kApplied, kReplaces},
    Rule{"Content.S3ObjectStorageMode", kRefused, kReplaces, "the package is always copied"},
    Rule{"Content.S3ObjectVersion", kApplied, kReplaces}, Rule{"Description", kApplied, kReplaces},
    Rule{"LayerName", kApplied, kReplaces},               Rule{"LicenseInfo", kApplied, kReplaces},
};
constexpr std::array<std::string_view, 1> kLayerRequired = {"Content"};

constexpr std::array kPermissionRules = {
    Rule{"Action", kApplied, kReplaces}, Rule{"LayerVersionArn", kApplied, kReplaces}, Rule{"OrganizationId", kApplied, kReplaces},
    Rule{"Principal", kApplied, kReplaces},
};
constexpr std::array<std::string_view, 3> kPermissionRequired = {"Action", "LayerVersionArn", "Principal"};

// "arn:…:layer:name:3" as LayerName and VersionNumber.
object layer_version(const std::string& arn) {
  object out = split_arn(arn, "LayerName", "VersionNumber");
  out["VersionNumber"] = number_of(out["VersionNumber"], "LayerVersionArn");
  return out;
}

class LayerType final : public LambdaType {
 public:
  using LambdaType::LambdaType;
  std::string_view name() const override { return "AWS::Lambda::LayerVersion"; }
  std::span<const Rule> rules() const override { return kLayerRules; }
  std::span<const std::string_view> required() const override { return kLayerRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    object input;
    for (const char* key : {"CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LicenseInfo", "LayerName"}) {
      copy(request.properties, input, key);
    }
    if (!input.contains("LayerName")) input["LayerName"] = request.generated_name(140);
    request.call.request_id = request.token;  // a repeated step gets the version it made
    const object made = co_await ask(request.call, "PublishLayerVersion", std::move(input));
    co_return result(text_of(made, "LayerVersionArn"));
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override { co_return result(request.physical_id); }

  awaitable<> remove(aws::ResourceRequest request) override {
    co_await ask_to_go(request.call, "DeleteLayerVersion", layer_version(request.physical_id));
  }

 private:
  static aws::ResourceResult result(const std::string& arn) { return {arn, {{"LayerVersionArn", arn}}}; }
};

class LayerPermissionType final : public LambdaType {
 public:
  using LambdaType::LambdaType;
  std::string_view name() const override { return "AWS::Lambda::LayerVersionPermission"; }
  std::span<const Rule> rules() const override { return kPermissionRules; }
  std::span<const std::string_view> required() const override { return kPermissionRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    const std::string arn = text_of(request.properties, "LayerVersionArn"), id = request.generated_name(100);
    object input = layer_version(arn);
    copy(request.properties, input, "Action");
    copy(request.properties, input, "OrganizationId");
    input["Principal"] = scalar_text(request.properties.at("Principal"));
    input["StatementId"] = id;
    // The id comes from the step's token, so a conflict is an earlier try of this step.
    co_await ask_unless(request.call, "AddLayerVersionPermission", std::move(input), std::string(kResourceConflict.code));
    co_return result(arn + "#" + id);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override { co_return result(request.physical_id); }

  awaitable<> remove(aws::ResourceRequest request) override {
    const std::size_t mark = request.physical_id.find('#');
    object input = layer_version(request.physical_id.substr(0, mark));
    input["StatementId"] = request.physical_id.substr(mark + 1);
    co_await ask_to_go(request.call, "RemoveLayerVersionPermission", std::move(input));
  }

 private:
  static aws::ResourceResult result(const std::string& id) { return {id, {{"Id", id}}}; }
};

}  // namespace

void add_layer_types(aws::ResourceTypes& types, aws::ApiClient& api) {
  types.add(std::make_unique<LayerType>(api));
  types.add(std::make_unique<LayerPermissionType>(api));
}

}  // namespace parvis::lambda
