#include "services/lambda/event_config.h"

namespace parvis::lambda {

std::string to_json(const EventConfig& c) {
  boost::json::object out{{"format", 1}, {"on_success", c.on_success}, {"on_failure", c.on_failure},
                          {"modified", c.modified.time_since_epoch().count()}};
  if (c.retries) out["retries"] = *c.retries;
  if (c.age_seconds) out["age"] = *c.age_seconds;
  return boost::json::serialize(out);
}

std::optional<EventConfig> parse_event_config(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  if (o.at("format").as_int64() != 1) return std::nullopt;
  EventConfig c;
  if (const auto* retries = o.if_contains("retries")) c.retries = retries->to_number<int>();
  if (const auto* age = o.if_contains("age")) c.age_seconds = age->to_number<int>();
  c.on_success = std::string(o.at("on_success").as_string());
  c.on_failure = std::string(o.at("on_failure").as_string());
  c.modified = Millis{std::chrono::milliseconds{o.at("modified").as_int64()}};
  return c;
} catch (const std::exception&) {
  return std::nullopt;
}

EventRules rules_of(const EventConfig& config) {
  EventRules rules;
  if (config.retries) rules.attempts_max = *config.retries + 1;
  if (config.age_seconds) rules.age_max = std::chrono::seconds(*config.age_seconds);
  rules.on_success = config.on_success;
  rules.on_failure = config.on_failure;
  return rules;
}

aws::model::lambda::FunctionEventInvokeConfig describe_event_config(const EventConfig& config, std::string function_arn) {
  aws::model::lambda::FunctionEventInvokeConfig out;
  out.function_arn = std::move(function_arn);
  out.last_modified = aws::Timestamp{static_cast<double>(config.modified.time_since_epoch().count()) / 1000};
  out.maximum_retry_attempts = config.retries;
  out.maximum_event_age_in_seconds = config.age_seconds;
  out.destination_config.emplace();
  out.destination_config->on_success.emplace();
  out.destination_config->on_failure.emplace();
  if (!config.on_success.empty()) out.destination_config->on_success->destination = config.on_success;
  if (!config.on_failure.empty()) out.destination_config->on_failure->destination = config.on_failure;
  return out;
}

}  // namespace parvis::lambda
