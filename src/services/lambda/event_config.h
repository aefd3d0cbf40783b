// lambda/event_config.h: what happens to asynchronous events of a function, a version or an alias.
// Source: Lambda API Reference, PutFunctionEventInvokeConfig.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/lambda.h"
#include "services/lambda/event_queue.h"

namespace parvis::lambda {

struct EventConfig {
  std::optional<int> retries, age_seconds;
  std::string on_success, on_failure;  // ARNs of functions
  Millis modified{};
};

std::string to_json(const EventConfig& config);
std::optional<EventConfig> parse_event_config(std::string_view json);
EventRules rules_of(const EventConfig& config);
aws::model::lambda::FunctionEventInvokeConfig describe_event_config(const EventConfig& config, std::string function_arn);

}  // namespace parvis::lambda
