#include "services/cloudformation/custom_resource.h"

#include <array>
#include <charconv>

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "core/hash.h"

namespace parvis::cloudformation {
namespace {

using Rule = aws::PropertyRule;
using namespace std::chrono_literals;

constexpr std::array kRules = {Rule{"ServiceTimeout"}, Rule{"ServiceToken"}};
constexpr std::array<std::string_view, 1> kRequired = {"ServiceToken"};
constexpr aws::ErrorSpec kFailed{"GeneralServiceException"};
constexpr std::chrono::seconds kTimeoutMax{3600};
constexpr std::chrono::milliseconds kLookFirst{5}, kLookLast{200};

std::string text(const json::object& from, std::string_view name) {
  const json::value* found = from.if_contains(name);
  if (found == nullptr || found->is_null()) return {};
  return found->is_string() ? std::string(found->as_string()) : json::serialize(*found);
}

json::value stringified(const json::value& value) {
  if (value.is_object()) {
    json::object out;
    for (const auto& [key, item] : value.as_object()) out[key] = stringified(item);
    return out;
  }
  if (value.is_array()) {
    json::array out;
    for (const auto& item : value.as_array()) out.push_back(stringified(item));
    return out;
  }
  return value.is_string() || value.is_null() ? value : json::value(json::string(json::serialize(value)));
}

void flatten(const json::object& from, const std::string& prefix, json::object& out) {
  for (const auto& [key, value] : from) {
    const std::string name = prefix + std::string(key);
    out[name] = value.is_object() || value.is_array() ? value : stringified(value);
    if (value.is_object()) flatten(value.as_object(), name + ".", out);
  }
}

struct Timeout {
  std::chrono::seconds value = kTimeoutMax;
  bool given = false;
  std::string wrong = {};
};
Timeout timeout_of(const json::object& properties) {
  const std::string given = text(properties, "ServiceTimeout");
  if (given.empty()) return {};
  int seconds = 0;
  const auto [end, failed] = std::from_chars(given.data(), given.data() + given.size(), seconds);
  if (failed != std::errc{} || end != given.data() + given.size() || seconds < 1 || seconds > kTimeoutMax.count()) {
    return {.wrong = fmt::format("ServiceTimeout must be a number of seconds between 1 and {}, not '{}'.", kTimeoutMax.count(), given)};
  }
  return {.value = std::chrono::seconds(seconds), .given = true};
}

// What became of the invocation, written by the coroutine that makes it, which outlives an answer that comes early.
struct Invocation {
  bool ended = false;
  std::string failure;  // the function was not run, or ended in an error
  bool never_ran = false;
};

awaitable<> invoke(aws::ApiClient& api, aws::CallContext call, std::string function, json::object event, std::shared_ptr<Invocation> out) {
  try {
    const json::value answer = co_await api.call_json(std::move(call), "lambda", "Invoke",
        json::object{{"FunctionName", function}, {"InvocationType", "RequestResponse"}, {"Payload", base64_encode(json::serialize(event))}});
    if (const std::string error = text(answer.as_object(), "FunctionError"); !error.empty()) {
      const std::string payload = base64_decode(text(answer.as_object(), "Payload")).value_or("");
      json::error_code unreadable;
      const json::value told = json::parse(payload, unreadable);
      out->failure = !unreadable && told.is_object() ? fmt::format("{}: {}", text(told.as_object(), "errorType"), text(told.as_object(), "errorMessage")) : payload;
      if (out->failure == ": ") out->failure = payload;
    }
  } catch (const aws::ApiError& error) {
    out->failure = fmt::format("{} ({})", error.message(), error.code());
    out->never_ran = true;
  } catch (const std::exception& error) {
    out->failure = error.what();
    out->never_ran = true;
  }
  out->ended = true;
}

class CustomResourceType final : public aws::ResourceType {
 public:
  CustomResourceType(aws::ApiClient& api, CustomAnswers& answers, CustomResourceOptions options) : api_(api), answers_(answers), options_(options) {}
  std::string_view name() const override { return "AWS::CloudFormation::CustomResource"; }
  std::span<const Rule> rules() const override { return kRules; }
  std::span<const std::string_view> required() const override { return kRequired; }
  bool any_property() const override { return true; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    const CustomAnswers::Request before = co_await answers_.open(request.token);
    CustomAnswer answer;
    if (before.answer) answer = read_custom_answer(*before.answer, request);
    // It failed and is being rolled back. What the function made may be there, so the engine's next step is Delete; a function that broke
    // off or never ran would do so again, and leave the stack in ROLLBACK_FAILED.
    if (before.told == kToldBroken) throw aws::ApiError(kFailed, "the function did not answer Create");
    if (!before.told.empty()) co_return result(request, answer);
    if (!before.answer) answer = co_await ask(request, "Create");
    if (!answer.failure.empty()) {
      co_await answers_.tell_failure(request.token, std::string(answer.how));
      throw aws::ApiError(kFailed, answer.failure);
    }
    if (answer.physical_id.empty()) throw aws::ApiError(kFailed, "Invalid PhysicalResourceId: the response has none.");
    co_return result(request, answer);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    if (text(request.properties, "ServiceToken") != text(request.old_properties, "ServiceToken")) throw aws::ApiError(kFailed, "Modifying service token is not allowed.");
    const CustomAnswers::Request before = co_await answers_.open(request.token);
    CustomAnswer answer;
    if (before.answer) answer = read_custom_answer(*before.answer, request);
    else answer = co_await ask(request, "Update");
    if (!answer.failure.empty()) throw aws::ApiError(kFailed, answer.failure);
    if (answer.physical_id.empty()) answer.physical_id = request.physical_id;
    co_return result(request, answer);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    const CustomAnswer answer = co_await ask(request, "Delete");
    if (!answer.failure.empty()) throw aws::ApiError(kFailed, answer.failure);
  }

 private:
  static aws::ResourceResult result(const aws::ResourceRequest& request, const CustomAnswer& answer) {
    return {answer.physical_id.empty() ? request.generated_name(200) : answer.physical_id, answer.data};
  }

  awaitable<CustomAnswer> ask(aws::ResourceRequest request, std::string kind) {
    const std::string function = text(request.properties, "ServiceToken");
    if (function.find(":lambda:") == std::string::npos) {  // known before the function could make anything
      co_return CustomAnswer{.failure = fmt::format("Invalid service token: {} is not the ARN of a Lambda function (topics are not available on this platform).", function), .how = kToldBroken};
    }
    const Timeout timeout = timeout_of(request.properties);
    if (!timeout.wrong.empty()) co_return CustomAnswer{.failure = timeout.wrong, .how = kToldBroken};
    const CustomAnswers::Request opened = co_await answers_.open(request.token);
    auto invocation = std::make_shared<Invocation>();
    const auto executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, invoke(api_, request.call, function, custom_request(request, kind, opened.url), invocation), asio::detached);
    const auto start = std::chrono::steady_clock::now();
    std::optional<std::chrono::steady_clock::time_point> ended;
    asio::steady_timer timer(executor);
    for (auto pause = kLookFirst;; pause = std::min(pause * 3 / 2, kLookLast)) {
      timer.expires_after(pause);
      co_await timer.async_wait(use_awaitable);
      const bool over = invocation->ended;  // before the look: an answer sent while it ran is there
      if (const auto body = co_await answers_.answer(request.token)) co_return read_custom_answer(*body, request);
      if (over && !invocation->failure.empty()) {
        co_return CustomAnswer{.failure = fmt::format("the function {} {} (RequestId: {})", function,
            (invocation->never_ran ? "could not be invoked: " : "ended without an answer, in an error: ") + invocation->failure, request.token), .how = kToldBroken};
      }
      const auto now = std::chrono::steady_clock::now();
      if (over && !ended) ended = now;
      if (ended && options_.grace && !timeout.given && now - *ended > *options_.grace) {
        co_return CustomAnswer{.failure = fmt::format("the function {} ended and sent no answer to its ResponseURL within {} s (RequestId: {}); where something else "
            "answers for it, give the resource a ServiceTimeout", function, std::chrono::duration_cast<std::chrono::seconds>(*options_.grace).count(), request.token), .how = kToldSilent};
      }
      if (now - start > timeout.value) {
        co_return CustomAnswer{.failure = fmt::format("CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [{}]. If you "
            "are using the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version.", request.token), .how = kToldSilent};
      }
    }
  }

  aws::ApiClient& api_;
  CustomAnswers& answers_;
  const CustomResourceOptions options_;
};

}  // namespace

json::object custom_request(const aws::ResourceRequest& request, std::string_view kind, const std::string& url) {
  json::object out{{"RequestType", kind}, {"ServiceToken", text(request.properties, "ServiceToken")}, {"ResponseURL", url}, {"StackId", request.stack_id},
                   {"RequestId", request.token}, {"LogicalResourceId", request.logical_id}, {"ResourceType", request.type.empty() ? "AWS::CloudFormation::CustomResource" : request.type},
                   {"ResourceProperties", stringified(request.properties)}};
  if (kind != "Create") out["PhysicalResourceId"] = request.physical_id;
  if (kind == "Update") out["OldResourceProperties"] = stringified(request.old_properties);
  return out;
}

CustomAnswer read_custom_answer(const std::string& body, const aws::ResourceRequest& request) {
  if (body.size() > kAnswerBytesMax) return {.failure = "Response object is too long."};
  json::error_code unreadable;
  const json::value parsed = json::parse(body, unreadable);
  if (unreadable || !parsed.is_object()) return {.failure = "Invalid Response object: it is not a JSON object."};
  const json::object& answer = parsed.as_object();
  const std::string status = text(answer, "Status");
  CustomAnswer out{.failure = {}, .physical_id = text(answer, "PhysicalResourceId"), .data = {}};
  for (const auto& [name, wanted] : {std::pair<std::string_view, const std::string&>{"StackId", request.stack_id}, {"RequestId", request.token}, {"LogicalResourceId", request.logical_id}}) {
    if (text(answer, name) != wanted) return {.failure = fmt::format("Invalid Response object: Value of property {} must be copied from the request.", name), .physical_id = out.physical_id};
  }
  if (status != "SUCCESS" && status != "FAILED") return {.failure = "Invalid Response object: Value of property Status must be SUCCESS or FAILED.", .physical_id = out.physical_id};
  if (status == "FAILED") {
    out.failure = fmt::format("Received response status [FAILED] from custom resource. Message returned: {} (RequestId: {})", text(answer, "Reason"), request.token);
    return out;
  }
  if (out.physical_id.size() > 1024) return {.failure = "Invalid PhysicalResourceId: it is longer than 1024 bytes."};
  if (const json::value* data = answer.if_contains("Data"); data != nullptr && data->is_object()) flatten(data->as_object(), "", out.data);
  return out;
}

void add_custom_resource_type(aws::ResourceTypes& types, aws::ApiClient& api, CustomAnswers& answers, CustomResourceOptions options) {
  types.add(std::make_unique<CustomResourceType>(api, answers, options));
}

}  // namespace parvis::cloudformation
