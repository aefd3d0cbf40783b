// platform/function_bridge.h: lets API Gateway call functions of the Lambda service; neither knows the other.
#pragma once

#include "services/apigateway/site.h"
#include "services/lambda/operations.h"

namespace parvis::platform {

class FunctionBridge final : public apigateway::FunctionInvoker {
 public:
  void bind(lambda::LambdaService& functions) { functions_ = &functions; }
  awaitable<apigateway::InvokeAnswer> invoke(aws::CallContext call, std::string function_arn, std::string payload,
                                             std::chrono::milliseconds deadline) override;

 private:
  lambda::LambdaService* functions_ = nullptr;
};

}  // namespace parvis::platform
