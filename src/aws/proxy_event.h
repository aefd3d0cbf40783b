// aws/proxy_event.h: an HTTP request as the event that a Lambda function receives, payload format 2.0: of HTTP APIs and of
// function URLs; and the text rules that both payload formats share. Pure.
// Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs"; Lambda Developer Guide, "Invoking
// Lambda function URLs" (request payload format).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "core/clock.h"
#include "http/message.h"

namespace parvis::aws {

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpEvent {  // `http` outlives it
  const http::Request& http;
  std::string path;  // as the event shows it
  std::string account_id, api_id, domain_name, request_id, trace_id;
  std::string route_key = "$default", stage = "$default";
  Millis now{};
  HttpFields path_parameters = {};
  std::map<std::string, std::string> stage_variables = {};
  boost::json::object authorizer = {};  // of requestContext; empty: left out
};
// Repeated headers and query parameters joined with commas, cookies apart, empty members left out.
std::string make_http_event(const HttpEvent& event);

// What a function sees of the headers: what the platform adds stands in place of what a client claimed.
HttpFields function_headers(const http::Request& request, std::string_view trace_id, bool lower);
HttpFields query_fields(const http::Request& request);  // decoded, valid UTF-8
// Whether payload 2.0 carries the body in base64.
bool is_binary_body(const http::Request& request);

std::string_view media_type(std::string_view header);  // without parameters
bool is_text_type(std::string_view content_type);
std::string format_clf_time(Millis time);       // "09/Apr/2015:12:34:56 +0000"

}  // namespace parvis::aws
