// apigateway/events.h: the event that a Lambda function receives from an API.
//
// Payload 1.0 of REST APIs: header names as sent, path and path parameters still percent-encoded, query decoded; null where
// there is nothing. Payload 1.0 of HTTP APIs: the same shape with "version", header names in lower case and decoded paths.
// Payload 2.0: repeated headers and query parameters joined with commas, cookies apart, empty members left out.
// Source: API Gateway Developer Guide, "Lambda proxy integrations in API Gateway" (input format) and "Create AWS Lambda
// proxy integrations for HTTP APIs" (payload format structure). Percent-decoding: observed on AWS, see README.
#pragma once

#include <string>
#include <string_view>

#include "aws/proxy_event.h"
#include "core/ascii.h"
#include "http/message.h"
#include "services/apigateway/router.h"

namespace parvis::apigateway {

// One request on its way. References outlive it.
struct ProxyRequest {
  const Api& api;
  const Stage& stage;
  const Definition& definition;
  const RouteMatch& match;
  const http::Request& http;
  std::string path;  // behind the stage, as routed
  std::string deployment_id;
  std::string request_id, extended_request_id;
  std::string trace_id;
  Millis now{};
};

std::string make_event_v1(const ProxyRequest& request);
std::string make_event_v2(const ProxyRequest& request);
// Fills ${stageVariables.NAME} in a function ARN; a variable that is not set leaves nothing.
std::string with_stage_variables(std::string text, const Stage& stage);

// True when an entry of `types` (or "*/*") names the media type in `header`, parameters aside, without case.
bool is_binary_type(const std::vector<std::string>& types, std::string_view header);
using aws::format_clf_time, aws::is_text_type;

}  // namespace parvis::apigateway
