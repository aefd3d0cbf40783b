// aws/proxy_answer.h: what a function answered, payload format 1.0 or 2.0, as an HTTP answer: of APIs and of function URLs. Pure.
// Source: API Gateway Developer Guide, "Output format of a Lambda function for proxy integration", "Lambda function response for
// format 2.0"; Lambda Developer Guide, "Invoking Lambda function URLs" (response payload format).
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include <boost/json.hpp>

#include "http/message.h"

namespace parvis::aws {

enum class MapErrc {
  kMalformed,  // not the form that is asked for
  kBadBase64,  // isBase64Encoded, and the body is not base64
};

std::expected<http::Response, MapErrc> map_http_v1(std::string_view payload);
std::expected<http::Response, MapErrc> map_http_v2(std::string_view payload);

// The steps of both, for gateways with rules of their own.
struct ProxyAnswer {
  http::Response response;
  bool base64 = false;
};
// The members that both payload formats share.
std::expected<ProxyAnswer, MapErrc> read_proxy_answer(const boost::json::object& object, bool multi_values);
std::expected<void, MapErrc> add_cookies(const boost::json::object& object, http::Response& response);  // of format 2.0
bool decode_base64_body(http::Response& response);
void drop_per_hop_headers(http::Response& response);
std::optional<boost::json::value> parse_answer(std::string_view payload, boost::json::storage_ptr memory = {});

}  // namespace parvis::aws
