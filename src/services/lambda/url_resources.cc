// AWS::Lambda::Url and AWS::Lambda::EventInvokeConfig. Source: CloudFormation Template Reference.
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

constexpr std::array kUrlRules = {
    Rule{"AuthType"}, Rule{"Cors.AllowCredentials"}, Rule{"Cors.AllowHeaders"}, Rule{"Cors.AllowMethods"}, Rule{"Cors.AllowOrigins"},
    Rule{"Cors.ExposeHeaders"}, Rule{"Cors.MaxAge"}, Rule{"InvokeMode"}, Rule{"Qualifier", kApplied, kReplaces},
    Rule{"TargetFunctionArn", kApplied, kReplaces},
};
constexpr std::array<std::string_view, 2> kUrlRequired = {"AuthType", "TargetFunctionArn"};

constexpr std::array kEventRules = {
    Rule{"DestinationConfig.OnFailure.Destination"}, Rule{"DestinationConfig.OnSuccess.Destination"},
    Rule{"FunctionName", kApplied, kReplaces},       Rule{"MaximumEventAgeInSeconds"},
    Rule{"MaximumRetryAttempts"},                    Rule{"Qualifier", kApplied, kReplaces},
};
constexpr std::array<std::string_view, 2> kEventRequired = {"FunctionName", "Qualifier"};

object named(const object& properties, std::string_view function) {
  object input{{"FunctionName", text_of(properties, function)}};
  copy(properties, input, "Qualifier");
  return input;
}

object url_input(const object& properties) {
  object input = named(properties, "TargetFunctionArn");
  for (const char* key : {"AuthType", "InvokeMode"}) copy(properties, input, key);
  if (const auto* cors = properties.if_contains("Cors"); cors && cors->is_object()) {
    object rules = cors->as_object();
    if (auto* flag = rules.if_contains("AllowCredentials")) *flag = flag_of(*flag);
    if (auto* age = rules.if_contains("MaxAge")) *age = number_of(*age, "Cors.MaxAge");
    input["Cors"] = std::move(rules);
  }
  return input;
}

class UrlType final : public LambdaType {
 public:
  using LambdaType::LambdaType;
  std::string_view name() const override { return "AWS::Lambda::Url"; }
  std::span<const Rule> rules() const override { return kUrlRules; }
  std::span<const std::string_view> required() const override { return kUrlRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    const object input = url_input(request.properties);
    std::optional<object> made = co_await ask_unless(request.call, "CreateFunctionUrlConfig", input, std::string(kResourceConflict.code));
    if (!made) made = co_await ask(request.call, "UpdateFunctionUrlConfig", input);  // of an earlier try of this step: there is one per function
    co_return result(*made);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    object input = url_input(request.properties);
    if (!input.contains("InvokeMode")) input["InvokeMode"] = "BUFFERED";
    if (!input.contains("Cors")) input["Cors"] = object{};
    co_return result(co_await ask(request.call, "UpdateFunctionUrlConfig", std::move(input)));
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    co_await ask_to_go(request.call, "DeleteFunctionUrlConfig", named(properties_of(request), "TargetFunctionArn"));
  }

 private:
  static aws::ResourceResult result(const object& made) {
    const std::string arn = text_of(made, "FunctionArn");
    return {arn, {{"FunctionArn", arn}, {"FunctionUrl", text_of(made, "FunctionUrl")}}};
  }
};

class EventInvokeConfigType final : public LambdaType {
 public:
  using LambdaType::LambdaType;
  std::string_view name() const override { return "AWS::Lambda::EventInvokeConfig"; }
  std::span<const Rule> rules() const override { return kEventRules; }
  std::span<const std::string_view> required() const override { return kEventRequired; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override { co_return co_await put(std::move(request)); }
  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override { co_return co_await put(std::move(request)); }

  awaitable<> remove(aws::ResourceRequest request) override {
    co_await ask_to_go(request.call, "DeleteFunctionEventInvokeConfig", named(properties_of(request), "FunctionName"));
  }

 private:
  awaitable<aws::ResourceResult> put(aws::ResourceRequest request) {
    object input = named(request.properties, "FunctionName");
    for (const char* key : {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}) {
      if (const auto* value = request.properties.if_contains(key)) input[key] = number_of(*value, key);
    }
    copy(request.properties, input, "DestinationConfig");
    co_await ask(request.call, "PutFunctionEventInvokeConfig", std::move(input));
    const std::string id = fmt::format("{}|{}", text_of(request.properties, "FunctionName"), text_of(request.properties, "Qualifier"));
    co_return aws::ResourceResult{id, {}};
  }
};

}  // namespace

void add_url_types(aws::ResourceTypes& types, aws::ApiClient& api) {
  types.add(std::make_unique<UrlType>(api));
  types.add(std::make_unique<EventInvokeConfigType>(api));
}

}  // namespace parvis::lambda
