// AWS::Lambda::Version and AWS::Lambda::Alias. Source: CloudFormation Template Reference.
#include <array>

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "services/lambda/errors.h"
#include "services/lambda/resource_support.h"

namespace parvis::lambda {
namespace {

using boost::json::object;
using Rule = aws::PropertyRule;
using enum aws::PropertyRule::Handling;
using enum aws::PropertyRule::Change;

constexpr std::chrono::milliseconds kReadyLook{20}, kReadyLookMax{500};
constexpr std::chrono::minutes kReadyWait{5};

constexpr std::array kVersionRules = {
    Rule{"CodeSha256", kApplied, kReplaces},
    Rule{"Description", kApplied, kReplaces},
    Rule{"FunctionName", kApplied, kReplaces},
    Rule{"FunctionScalingConfig", kRefused, kReplaces, "managed instances are not available"},
    Rule{"ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions", kApplied, kReplaces},
    Rule{"RuntimePolicy", kRefused, kReplaces, "the platform's own runtime version is used"},
};
constexpr std::array<std::string_view, 1> kVersionRequired = {"FunctionName"};

constexpr std::array kAliasRules = {
    Rule{"Description"},
    Rule{"FunctionName", kApplied, kReplaces},
    Rule{"FunctionVersion"},
    Rule{"Name", kApplied, kReplaces},
    Rule{"ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions"},
    Rule{"RoutingConfig.AdditionalVersionWeights[].FunctionVersion"},
    Rule{"RoutingConfig.AdditionalVersionWeights[].FunctionWeight"},
};
constexpr std::array<std::string_view, 3> kAliasRequired = {"FunctionName", "FunctionVersion", "Name"};

std::optional<boost::json::value> provisioned_of(const object& properties) {
  const auto* config = properties.if_contains("ProvisionedConcurrencyConfig");
  if (config == nullptr) return std::nullopt;
  const auto* count = config->is_object() ? config->as_object().if_contains("ProvisionedConcurrentExecutions") : nullptr;
  if (count == nullptr) throw error(kInvalidParameterValue, "ProvisionedConcurrencyConfig needs ProvisionedConcurrentExecutions.");
  return number_of(*count, "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions");
}

// Types whose resource may have provisioned concurrency. A deployment waits until it is there, and fails when it cannot be had, as on AWS.
class ProvisionedType : public LambdaType {
 protected:
  using LambdaType::LambdaType;

  // `arn`: arn:…:function:name:qualifier.
  awaitable<> provision(aws::CallContext call, std::string arn, boost::json::value count) {
    const object target = target_of(arn);
    object input = target;
    input["ProvisionedConcurrentExecutions"] = std::move(count);
    co_await ask(call, "PutProvisionedConcurrencyConfig", std::move(input));
    co_await await_ready(std::move(call), target);
  }

  awaitable<> await_ready(aws::CallContext call, object target) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const auto deadline = std::chrono::steady_clock::now() + kReadyWait;
    for (auto pause = kReadyLook;; pause = std::min(kReadyLookMax, pause * 2)) {
      const object now = co_await ask(call, "GetProvisionedConcurrencyConfig", target);
      const std::string status = text_of(now, "Status");
      if (status == "READY") co_return;
      const bool late = std::chrono::steady_clock::now() > deadline;
      if (status == "FAILED" || late) {
        throw error(kInvalidParameterValue, "Provisioned Concurrency configuration failed to be applied. Reason: " + (late ? "it is not ready after five minutes" : text_of(now, "StatusReason")));
      }
      timer.expires_after(pause);
      co_await timer.async_wait(use_awaitable);
    }
  }

  static object target_of(const std::string& arn) { return split_arn(arn, "FunctionName", "Qualifier"); }
};

class VersionType final : public ProvisionedType {
 public:
  explicit VersionType(aws::ApiClient& api) : ProvisionedType(api) {}
  std::string_view name() const override { return "AWS::Lambda::Version"; }
  std::span<const Rule> rules() const override { return kVersionRules; }
  std::span<const std::string_view> required() const override { return kVersionRequired; }

  // Publishing twice what has not changed gives the same version, so a step can be repeated.
  // Differs from AWS: a version of the same code and configuration that is there already is taken, where AWS fails.
  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    object input{{"FunctionName", text_of(request.properties, "FunctionName")}};
    copy(request.properties, input, "CodeSha256");
    copy(request.properties, input, "Description");
    const object made = co_await ask(request.call, "PublishVersion", std::move(input));
    const std::string arn = text_of(made, "FunctionArn");
    if (const auto count = provisioned_of(request.properties)) co_await provision(request.call, arn, *count);
    co_return aws::ResourceResult{arn, {{"FunctionArn", arn}, {"Version", text_of(made, "Version")}}};
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {  // every property replaces
    const std::string& arn = request.physical_id;
    co_return aws::ResourceResult{arn, {{"FunctionArn", arn}, {"Version", arn.substr(arn.rfind(':') + 1)}}};
  }

  // One that an alias still names stays: it is the version that another resource took over.
  awaitable<> remove(aws::ResourceRequest request) override {
    std::optional<aws::ApiError> failed;
    try {
      co_await ask(request.call, "DeleteFunction", {{"FunctionName", request.physical_id}});
    } catch (const aws::ApiError& thrown) {
      failed = thrown;
    }
    if (failed && failed->code() != kResourceNotFound.code && failed->code() != kResourceConflict.code) throw *failed;
  }
};

object alias_input(const object& properties) {
  object input{{"FunctionName", text_of(properties, "FunctionName")}, {"Name", text_of(properties, "Name")},
               {"Description", text_of(properties, "Description")}};
  if (const auto* version = properties.if_contains("FunctionVersion")) input["FunctionVersion"] = scalar_text(*version);
  object weights;
  const auto* routing = properties.if_contains("RoutingConfig");
  const auto* list = routing && routing->is_object() ? routing->as_object().if_contains("AdditionalVersionWeights") : nullptr;
  if (list && list->is_array()) {
    for (const auto& entry : list->as_array()) {
      if (!entry.is_object() || !entry.as_object().contains("FunctionVersion") || !entry.as_object().contains("FunctionWeight")) {
        throw error(kInvalidParameterValue, "RoutingConfig.AdditionalVersionWeights needs FunctionVersion and FunctionWeight.");
      }
      const auto& weight = entry.as_object().at("FunctionWeight");
      weights[scalar_text(entry.as_object().at("FunctionVersion"))] = weight.is_string() ? boost::json::parse(weight.as_string()) : weight;
    }
  }
  input["RoutingConfig"] = object{{"AdditionalVersionWeights", std::move(weights)}};
  return input;
}

class AliasType final : public ProvisionedType {
 public:
  explicit AliasType(aws::ApiClient& api) : ProvisionedType(api) {}
  std::string_view name() const override { return "AWS::Lambda::Alias"; }
  std::span<const Rule> rules() const override { return kAliasRules; }
  std::span<const std::string_view> required() const override { return kAliasRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    const object input = alias_input(request.properties);
    std::optional<object> made = co_await ask_unless(request.call, "CreateAlias", input, std::string(kResourceConflict.code));
    if (!made) {  // made by an earlier try of this step, or by somebody else
      const object there = co_await ask(request.call, "GetAlias", {{"FunctionName", input.at("FunctionName")}, {"Name", input.at("Name")}});
      if (text_of(there, "FunctionVersion") != text_of(input, "FunctionVersion") || text_of(there, "Description") != text_of(input, "Description")) {
        throw error(kResourceConflict, "Alias already exists: " + text_of(there, "AliasArn"));
      }
      made = there;
    }
    if (const auto count = provisioned_of(request.properties)) co_await provision(request.call, text_of(*made, "AliasArn"), *count);
    co_return result(text_of(*made, "AliasArn"));
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const auto count = provisioned_of(request.properties), before = provisioned_of(request.old_properties);
    if (before && !count) co_await ask(request.call, "DeleteProvisionedConcurrencyConfig", target_of(request.physical_id));
    const object made = co_await ask(request.call, "UpdateAlias", alias_input(request.properties));
    if (count && count != before) co_await provision(request.call, text_of(made, "AliasArn"), *count);
    else if (count) co_await await_ready(request.call, target_of(text_of(made, "AliasArn")));
    co_return result(text_of(made, "AliasArn"));
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    co_await ask_to_go(request.call, "DeleteAlias", split_arn(request.physical_id, "FunctionName", "Name"));
  }

 private:
  static aws::ResourceResult result(const std::string& arn) { return {arn, {{"AliasArn", arn}}}; }
};

}  // namespace

void add_version_types(aws::ResourceTypes& types, aws::ApiClient& api) {
  types.add(std::make_unique<VersionType>(api));
  types.add(std::make_unique<AliasType>(api));
}

}  // namespace parvis::lambda
