// lambda/service_options.h: what the platform decides about this service.
#pragma once

#include <functional>
#include <string>

#include "aws/api_call.h"
#include "core/async.h"
#include "services/lambda/code.h"
#include "services/lambda/event_queue.h"
#include "services/lambda/invoke.h"

namespace parvis::lambda {

struct ServiceOptions {
  CodeOptions code;
  InvokeOptions invoke;
  EventQueueOptions events;
  std::string public_url;  // where callers outside reach the platform: "http://localhost:4566"
  // Reads a package from S3 by a call in the caller's name. Throws ApiError with S3's own code. Not set: refused.
  std::function<awaitable<std::string>(aws::CallContext, std::string bucket, std::string key, std::string version)> fetch_object;
};

}  // namespace parvis::lambda
