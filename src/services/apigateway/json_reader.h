// apigateway/json_reader.h: reads JSON that a user wrote and names the place of each mistake ("Body.paths./a.get: …").
#pragma once

#include <charconv>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "services/apigateway/errors.h"

namespace parvis::apigateway {

[[noreturn]] inline void refuse(std::string_view where, std::string_view what) {
  throw aws::ApiError(kBadRequest, fmt::format("{}: {}", where, what));
}

inline const boost::json::object& object_at(const boost::json::value& value, std::string_view where) {
  if (!value.is_object()) refuse(where, "must be an object");
  return value.as_object();
}

// Text; numbers and booleans as templates spell them ("200", "true") are text as well.
inline std::string text_at(const boost::json::value& value, std::string_view where) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_int64() || value.is_uint64() || value.is_double()) return boost::json::serialize(value);
  refuse(where, "must be a string");
}

inline bool bool_at(const boost::json::value& value, std::string_view where) {
  const std::string text = text_at(value, where);
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  refuse(where, "must be true or false");
}

inline std::int64_t integer_at(const boost::json::value& value, std::string_view where, std::int64_t low, std::int64_t high) {
  const std::string text = text_at(value, where);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < low || number > high) {
    refuse(where, fmt::format("must be a whole number from {} to {}, not {}", low, high, text));
  }
  return number;
}

inline std::vector<std::string> texts_at(const boost::json::value& value, std::string_view where) {
  if (!value.is_array()) refuse(where, "must be a list");
  std::vector<std::string> out;
  for (const auto& entry : value.as_array()) out.push_back(text_at(entry, where));
  return out;
}

inline std::map<std::string, std::string> text_map_at(const boost::json::value& value, std::string_view where) {
  std::map<std::string, std::string> out;
  for (const auto& [name, member] : object_at(value, where)) out[name] = text_at(member, fmt::format("{}.{}", where, std::string_view(name)));
  return out;
}

inline bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view each : names) {
    if (each == name) return true;
  }
  return false;
}

}  // namespace parvis::apigateway
