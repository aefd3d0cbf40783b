// lambda/errors.h: the errors that this service throws, with the statuses of the service's model.
#pragma once

#include <string>

#include "aws/api_call.h"

namespace parvis::lambda {

inline constexpr aws::ErrorSpec kInvalidParameterValue{"InvalidParameterValueException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kValidation{"ValidationException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kInvalidRequestContent{"InvalidRequestContentException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kRequestTooLarge{"RequestTooLargeException", 413, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kRequestEntityTooLarge{"RequestEntityTooLargeException", 413, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kResourceConflict{"ResourceConflictException", 409, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kResourceNotFound{"ResourceNotFoundException", 404, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kProvisionedConfigNotFound{"ProvisionedConcurrencyConfigNotFoundException", 404, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kCodeSigningConfigNotFound{"CodeSigningConfigNotFoundException", 404, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kPreconditionFailed{"PreconditionFailedException", 412, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kTooManyRequests{"TooManyRequestsException", 429, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kPolicyLengthExceeded{"PolicyLengthExceededException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kRecursiveInvocation{"RecursiveInvocationException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kService{"ServiceException", 500, aws::Fault::kServer};

// Every error shape of Lambda carries Type: "User" for the caller's fault, "Service" for ours.
inline aws::ApiError error(const aws::ErrorSpec& spec, std::string message, boost::json::object members = {}) {
  members["Type"] = spec.fault == aws::Fault::kClient ? "User" : "Service";
  return aws::ApiError(spec, std::move(message), std::move(members));
}

}  // namespace parvis::lambda
