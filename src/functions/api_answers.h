// functions/api_answers.h: answers of the APIs that a worker's processes call: Runtime, Extensions, Telemetry.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/serialize.hpp>

#include "http/message.h"

namespace parvis::functions {

inline http::Response answer(unsigned status, std::string body) {  // JSON
  http::Response response{.status = status, .headers = {}, .body = std::move(body), .stream = {}};
  response.headers.add("Content-Type", "application/json");
  return response;
}

inline http::Response refused(unsigned status, std::string_view type, std::string_view message) {
  return answer(status, boost::json::serialize(boost::json::object{{"errorMessage", message}, {"errorType", type}}));
}

}  // namespace parvis::functions
