#include "services/lambda/resources.h"

#include <array>

#include <fmt/format.h>

#include "core/hash.h"
#include "services/lambda/archive.h"
#include "services/lambda/cfn_response.h"
#include "services/lambda/code.h"
#include "services/lambda/errors.h"
#include "services/lambda/resource_support.h"

namespace parvis::lambda {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::size_t kInlineBytesMax = 4u << 20;

// Source: CloudFormation Template Reference, AWS::Lambda::Function.
constexpr std::array kFunctionRules = {
    Rule{"Architectures", kWarned, kInPlace, "recorded; the function runs on this machine's own architecture"},
    Rule{"CapacityProviderConfig", kRefused, kInPlace, "managed instances are not available"},
    Rule{"Code.ImageUri", kRefused, kInPlace, "container images are not available; use a Zip package"},
    Rule{"Code.LocalDir"},
    Rule{"Code.S3Bucket"},
    Rule{"Code.S3Key"},
    Rule{"Code.S3ObjectStorageMode", kRefused, kInPlace, "the package is always copied"},
    Rule{"Code.S3ObjectVersion"},
    Rule{"Code.SourceKMSKeyArn", kRefused, kInPlace, "encrypted packages are not available yet"},
    Rule{"Code.ZipFile"},
    Rule{"CodeSigningConfigArn", kRefused, kInPlace, "code signing is not available"},
    Rule{"DeadLetterConfig.TargetArn", kRefused, kInPlace, "dead-letter queues are not available yet"},
    Rule{"Description"},
    Rule{"DurableConfig", kRefused, kReplaces, "durable functions are not available"},
    Rule{"Environment.Variables"},
    Rule{"EphemeralStorage.Size"},
    Rule{"FileSystemConfigs", kRefused, kInPlace, "EFS and S3 Files are not available"},
    Rule{"FunctionName", kApplied, kReplaces},
    Rule{"FunctionScalingConfig", kRefused, kInPlace, "managed instances are not available"},
    Rule{"Handler"},
    Rule{"ImageConfig", kRefused, kInPlace, "container images are not available"},
    Rule{"KmsKeyArn", kRefused, kInPlace, "customer keys are not available yet"},
    Rule{"Layers"},
    Rule{"LoggingConfig.ApplicationLogLevel"},
    Rule{"LoggingConfig.LogFormat"},
    Rule{"LoggingConfig.LogGroup"},
    Rule{"LoggingConfig.SystemLogLevel"},
    Rule{"MemorySize"},
    Rule{"PackageType", kApplied, kReplaces},
    Rule{"PublishToLatestPublished", kRefused, kInPlace, "use AWS::Lambda::Version"},
    Rule{"RecursiveLoop"},
    Rule{"ReservedConcurrentExecutions"},
    Rule{"Role"},
    Rule{"Runtime"},
    Rule{"RuntimeManagementConfig.RuntimeVersionArn", kRefused, kInPlace, "the platform's own runtime version is used"},
    Rule{"RuntimeManagementConfig.UpdateRuntimeOn", kWarned, kInPlace, "the platform's own runtime version is used"},
    Rule{"SnapStart.ApplyOn"},
    Rule{"Tags[].Key"},
    Rule{"Tags[].Value"},
    Rule{"TenancyConfig", kRefused, kReplaces, "tenant isolation is not available"},
    Rule{"Timeout"},
    Rule{"TracingConfig.Mode", kWarned, kInPlace, "recorded; traces go to the platform's event stream, not to X-Ray"},
    Rule{"VpcConfig.Ipv6AllowedForDualStack", kRefused, kInPlace, "functions run on the platform's own network"},
    Rule{"VpcConfig.SecurityGroupIds", kRefused, kInPlace, "functions run on the platform's own network"},
    Rule{"VpcConfig.SubnetIds", kRefused, kInPlace, "functions run on the platform's own network"},
};
constexpr std::array<std::string_view, 2> kFunctionRequired = {"Code", "Role"};

constexpr std::array kPermissionRules = {
    Rule{"Action", kApplied, kReplaces},          Rule{"EventSourceToken", kApplied, kReplaces},
    Rule{"FunctionName", kApplied, kReplaces},    Rule{"FunctionUrlAuthType", kApplied, kReplaces},
    Rule{"InvokedViaFunctionUrl", kApplied, kReplaces},
    Rule{"Principal", kApplied, kReplaces},       Rule{"PrincipalOrgID", kApplied, kReplaces},
    Rule{"SourceAccount", kApplied, kReplaces},   Rule{"SourceArn", kApplied, kReplaces},
};
constexpr std::array<std::string_view, 3> kPermissionRequired = {"Action", "FunctionName", "Principal"};

object tags_of(const aws::ResourceRequest& request, const object& properties) {
  object tags;
  if (const auto* list = properties.if_contains("Tags"); list && list->is_array()) {
    for (const auto& entry : list->as_array()) {
      if (!entry.is_object()) continue;
      const auto* value = entry.as_object().if_contains("Value");
      tags[text_of(entry.as_object(), "Key")] = value ? scalar_text(*value) : "";
    }
  }
  tags["aws:cloudformation:stack-id"] = request.stack_id;
  tags["aws:cloudformation:stack-name"] = request.stack_name;
  tags["aws:cloudformation:logical-id"] = request.logical_id;
  return tags;
}

object code_of(const object& properties) {
  const auto* given = properties.if_contains("Code");
  if (!given || !given->is_object()) throw error(kInvalidParameterValue, "Code must name S3Bucket and S3Key, or ZipFile.");
  const object& code = given->as_object();
  if (const std::string folder = text_of(code, "LocalDir"); !folder.empty()) {
    return {{"S3Bucket", kLocalBucket}, {"S3Key", folder}};
  }
  if (const auto* source = code.if_contains("ZipFile"); source && source->is_string()) {
    // In a template ZipFile is the text of the one file, not a zip.
    if (source->as_string().size() > kInlineBytesMax) throw error(kInvalidParameterValue, "Code.ZipFile has at most 4 MB.");
    return {{"ZipFile", base64_encode(make_zip({{"index.js", std::string_view(source->as_string())}, {std::string(kCfnResponsePath), kCfnResponse}}))}};
  }
  object out;
  for (const char* key : {"S3Bucket", "S3Key", "S3ObjectVersion"}) copy(code, out, key);
  return out;
}

object configuration_of(const object& properties, bool update) {
  object out;
  for (const char* key : {"Description", "Handler", "Layers", "Role", "Runtime", "LoggingConfig", "SnapStart", "TracingConfig"}) {
    copy(properties, out, key);
  }
  for (const char* key : {"MemorySize", "Timeout"}) {
    if (const auto* value = properties.if_contains(key)) out[key] = number_of(*value, key);
  }
  if (const auto* storage = properties.if_contains("EphemeralStorage"); storage && storage->is_object()) {
    if (const auto* size = storage->as_object().if_contains("Size")) {
      out["EphemeralStorage"] = object{{"Size", number_of(*size, "EphemeralStorage.Size")}};
    }
  }
  object variables;
  if (const auto* environment = properties.if_contains("Environment"); environment && environment->is_object()) {
    const auto* given = environment->as_object().if_contains("Variables");
    if (given && !given->is_object()) throw error(kInvalidParameterValue, "Environment.Variables is not a mapping.");
    if (given) {
      for (const auto& entry : given->as_object()) {
        if (entry.value().is_structured()) throw error(kInvalidParameterValue, fmt::format("Environment.Variables.{} is not text.", std::string_view(entry.key())));
        variables[entry.key()] = scalar_text(entry.value());
      }
    }
  }
  if (update) {  // what the template no longer says goes back to the service's default
    if (!out.contains("Description")) out["Description"] = "";
    if (!out.contains("LoggingConfig")) out["LoggingConfig"] = object{{"LogFormat", "Text"}};
    if (!out.contains("MemorySize")) out["MemorySize"] = 128;
    if (!out.contains("Timeout")) out["Timeout"] = 3;
    if (!out.contains("EphemeralStorage")) out["EphemeralStorage"] = object{{"Size", 512}};
    if (!out.contains("Layers")) out["Layers"] = boost::json::array{};
    if (!out.contains("SnapStart")) out["SnapStart"] = object{{"ApplyOn", "None"}};
    if (!out.contains("TracingConfig")) out["TracingConfig"] = object{{"Mode", "PassThrough"}};
  }
  if (update || !variables.empty()) out["Environment"] = object{{"Variables", std::move(variables)}};
  return out;
}

class FunctionType final : public aws::ResourceType {
 public:
  explicit FunctionType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::Lambda::Function"; }
  std::span<const Rule> rules() const override { return kFunctionRules; }
  std::span<const std::string_view> required() const override { return kFunctionRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    std::string name = text_of(request.properties, "FunctionName");
    if (name.empty()) name = request.generated_name(64);
    object input = configuration_of(request.properties, false);
    input["FunctionName"] = name;
    input["Code"] = code_of(request.properties);
    input["Tags"] = tags_of(request, request.properties);
    copy(request.properties, input, "PackageType");
    copy(request.properties, input, "Architectures");
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "lambda", "CreateFunction", input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed) {
      const bool exists = failed->code() == kResourceConflict.code;
      if (!exists || !co_await is_ours(request, name)) throw *failed;
      // An earlier try of this step made it. Its inputs were the same, but it may have stopped before the next call.
    }
    co_await set_concurrency(request.call, name, request.properties);
    co_await set_recursion(request, name);
    co_return result(request, name);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const std::string name = request.physical_id;
    object configuration = configuration_of(request.properties, true);
    if (configuration != configuration_of(request.old_properties, true)) {
      configuration["FunctionName"] = name;
      co_await api_.call_json(request.call, "lambda", "UpdateFunctionConfiguration", configuration);
    }
    const auto* architectures = request.properties.if_contains("Architectures");
    const auto* old_architectures = request.old_properties.if_contains("Architectures");
    const bool other_architecture = architectures && (!old_architectures || *architectures != *old_architectures);
    if (object code = code_of(request.properties); other_architecture || code != code_of(request.old_properties)) {
      code["FunctionName"] = name;
      copy(request.properties, code, "Architectures");
      co_await api_.call_json(request.call, "lambda", "UpdateFunctionCode", code);
    }
    co_await set_concurrency(request.call, name, request.properties);
    co_await set_recursion(request, name);
    co_await update_tags(request, name);
    co_return result(request, name);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "lambda", "DeleteFunction", object{{"FunctionName", request.physical_id}});
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed && failed->code() != kResourceNotFound.code) throw *failed;
  }

 private:
  static aws::ResourceResult result(const aws::ResourceRequest& request, const std::string& name) {
    return {name, {{"Arn", function_arn(request.call.scope, name)}, {"SnapStartResponse.ApplyOn", "None"},
                   {"SnapStartResponse.OptimizationStatus", "Off"}}};
  }

  awaitable<bool> is_ours(aws::ResourceRequest request, std::string name) {
    const boost::json::value answer = co_await api_.call_json(request.call, "lambda", "ListTags",
        object{{"Resource", function_arn(request.call.scope, name)}});
    const auto* tags = answer.is_object() ? answer.as_object().if_contains("Tags") : nullptr;
    co_return tags && tags->is_object() && text_of(tags->as_object(), "aws:cloudformation:stack-id") == request.stack_id &&
        text_of(tags->as_object(), "aws:cloudformation:logical-id") == request.logical_id;
  }

  awaitable<> set_concurrency(aws::CallContext call, std::string name, object properties) {
    if (const auto* limit = properties.if_contains("ReservedConcurrentExecutions")) {
      co_await api_.call_json(call, "lambda", "PutFunctionConcurrency", object{{"FunctionName", name},
          {"ReservedConcurrentExecutions", number_of(*limit, "ReservedConcurrentExecutions")}});
      co_return;
    }
    const boost::json::value now = co_await api_.call_json(call, "lambda", "GetFunctionConcurrency", object{{"FunctionName", name}});
    if (now.is_object() && now.as_object().contains("ReservedConcurrentExecutions")) {
      co_await api_.call_json(call, "lambda", "DeleteFunctionConcurrency", object{{"FunctionName", name}});
    }
  }

  awaitable<> set_recursion(aws::ResourceRequest request, std::string name) {
    const std::string wanted = text_of(request.properties, "RecursiveLoop"), before = text_of(request.old_properties, "RecursiveLoop");
    if (wanted == before) co_return;
    co_await api_.call_json(request.call, "lambda", "PutFunctionRecursionConfig",
                            object{{"FunctionName", name}, {"RecursiveLoop", wanted.empty() ? "Terminate" : wanted}});
  }

  awaitable<> update_tags(aws::ResourceRequest request, std::string name) {
    const object tags = tags_of(request, request.properties);
    const object before = tags_of(request, request.old_properties);
    if (tags == before) co_return;
    const std::string arn = function_arn(request.call.scope, name);
    boost::json::array gone;
    for (const auto& entry : before) {
      if (!tags.contains(entry.key())) gone.emplace_back(entry.key());
    }
    if (!gone.empty()) co_await api_.call_json(request.call, "lambda", "UntagResource", object{{"Resource", arn}, {"TagKeys", gone}});
    co_await api_.call_json(request.call, "lambda", "TagResource", object{{"Resource", arn}, {"Tags", tags}});
  }

  aws::ApiClient& api_;
};

class PermissionType final : public aws::ResourceType {
 public:
  explicit PermissionType(aws::ApiClient& api) : api_(api) {}
  std::string_view name() const override { return "AWS::Lambda::Permission"; }
  std::span<const Rule> rules() const override { return kPermissionRules; }
  std::span<const std::string_view> required() const override { return kPermissionRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    const std::string id = request.generated_name(100);
    object input = request.properties;
    for (auto& entry : input) {
      if (entry.value().is_number()) entry.value() = boost::json::serialize(entry.value());  // an account without quotes
    }
    if (const std::string flag = text_of(input, "InvokedViaFunctionUrl"); !flag.empty()) input["InvokedViaFunctionUrl"] = flag == "true";
    input["StatementId"] = id;
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "lambda", "AddPermission", input);
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    // The id comes from the step's token, so a conflict is an earlier try of this step.
    if (failed && failed->code() != kResourceConflict.code) throw *failed;
    co_return aws::ResourceResult{id, {{"Id", id}}};
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {  // every property replaces
    co_return aws::ResourceResult{request.physical_id, {{"Id", request.physical_id}}};
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    std::string function = text_of(request.properties, "FunctionName");
    if (function.empty()) function = text_of(request.old_properties, "FunctionName");
    std::optional<aws::ApiError> failed;
    try {
      co_await api_.call_json(request.call, "lambda", "RemovePermission",
                              object{{"FunctionName", function}, {"StatementId", request.physical_id}});
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed && failed->code() != kResourceNotFound.code) throw *failed;
  }

 private:
  aws::ApiClient& api_;
};

}  // namespace

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api) {
  types.add(std::make_unique<FunctionType>(api));
  types.add(std::make_unique<PermissionType>(api));
  add_version_types(types, api);
  add_layer_types(types, api);
  add_url_types(types, api);
}

}  // namespace parvis::lambda
