#include "platform/function_bridge.h"

namespace parvis::platform {

awaitable<apigateway::InvokeAnswer> FunctionBridge::invoke(aws::CallContext call, std::string function_arn, std::string payload,
                                                           std::chrono::milliseconds) {
  using Kind = apigateway::InvokeAnswer::Kind;
  try {
    functions::InvocationResult result = co_await functions_->invoke_arn(std::move(call), std::move(function_arn), std::move(payload));
    switch (result.outcome) {
      case functions::Outcome::kOk: co_return apigateway::InvokeAnswer{Kind::kOk, std::move(result.payload)};
      case functions::Outcome::kThrottled: co_return apigateway::InvokeAnswer{Kind::kThrottled, {}};
      case functions::Outcome::kFunctionError:
      case functions::Outcome::kTimedOut:
      case functions::Outcome::kCrashed:
      case functions::Outcome::kInitError: co_return apigateway::InvokeAnswer{Kind::kFunctionError, std::move(result.payload)};
    }
    std::abort();
  } catch (const aws::ApiError& error) {
    if (error.code() == "TooManyRequestsException") co_return apigateway::InvokeAnswer{Kind::kThrottled, {}};
    if (error.code() == "ResourceNotFoundException") co_return apigateway::InvokeAnswer{Kind::kNotFound, {}};
    if (error.code() == "RequestTooLargeException") co_return apigateway::InvokeAnswer{Kind::kTooLarge, {}};
    spdlog::error("a function could not be called: {}: {}", error.code(), error.message());
    co_return apigateway::InvokeAnswer{Kind::kFailed, {}};
  }
}

}  // namespace parvis::platform
