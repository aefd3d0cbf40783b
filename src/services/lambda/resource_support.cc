#include "services/lambda/resource_support.h"

#include <charconv>

#include <fmt/format.h>

#include "services/lambda/errors.h"

namespace parvis::lambda {
using boost::json::object;

std::string text_of(const object& properties, std::string_view key) {
  const auto* value = properties.if_contains(key);
  if (!value || value->is_null()) return {};
  if (value->is_structured()) throw error(kInvalidParameterValue, fmt::format("{} is not text.", key));
  return scalar_text(*value);
}

boost::json::value number_of(const boost::json::value& value, std::string_view property) {
  if (!value.is_string()) return value;
  const std::string_view digits = value.as_string();
  int out = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (failed != std::errc{} || end != digits.data() + digits.size()) {
    throw error(kInvalidParameterValue, fmt::format("{} must be a whole number, not '{}'", property, digits));
  }
  return out;
}

boost::json::value flag_of(const boost::json::value& value) {
  if (value.is_string() && (value.as_string() == "true" || value.as_string() == "false")) return value.as_string() == "true";
  return value;
}

void copy(const object& from, object& to, std::string_view key) {
  if (const auto* value = from.if_contains(key)) to[key] = *value;
}

std::string scalar_text(const boost::json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : boost::json::serialize(value);
}

const object& properties_of(const aws::ResourceRequest& request) { return request.properties.empty() ? request.old_properties : request.properties; }

object split_arn(const std::string& arn, std::string_view first, std::string_view second) {
  const std::size_t colon = arn.rfind(':');
  return {{first, arn.substr(0, colon)}, {second, arn.substr(colon + 1)}};
}

awaitable<object> LambdaType::ask(aws::CallContext call, std::string operation, object input) {
  boost::json::value answer = co_await api_.call_json(std::move(call), "lambda", operation, std::move(input));
  co_return answer.is_object() ? std::move(answer.as_object()) : object{};
}

awaitable<std::optional<object>> LambdaType::ask_unless(aws::CallContext call, std::string operation, object input, std::string code) {
  std::optional<aws::ApiError> failed;
  std::optional<object> out;
  try {
    out = co_await ask(std::move(call), std::move(operation), std::move(input));
  } catch (const aws::ApiError& thrown) {
    failed = thrown;
  }
  if (failed && failed->code() != code) throw *failed;
  co_return out;
}

awaitable<> LambdaType::ask_to_go(aws::CallContext call, std::string operation, object input) {
  co_await ask_unless(std::move(call), std::move(operation), std::move(input), std::string(kResourceNotFound.code));
}

}  // namespace parvis::lambda
