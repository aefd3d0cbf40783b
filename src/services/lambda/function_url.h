// lambda/function_url.h: an HTTP address of a function or an alias, and its CORS rules.
// Source: Lambda API Reference, CreateFunctionUrlConfig, Cors; Developer Guide, "Lambda function URLs".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"
#include "models/lambda.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

struct FunctionUrl {
  std::string id;  // 32 letters and digits: the first label of AWS's host name
  aws::Scope scope;
  std::string function, function_id, qualifier;  // qualifier: "" or an alias
  std::string auth_type, invoke_mode = "BUFFERED";
  std::optional<aws::model::lambda::Cors> cors;
  Millis created{}, modified{};

  FunctionRef ref() const { return {scope, function, qualifier}; }
};

std::string to_json(const FunctionUrl& url);
std::optional<FunctionUrl> parse_function_url(std::string_view json);

void check_cors(const aws::model::lambda::Cors& cors);  // throws InvalidParameterValueException
// The answer to a preflight request; nullopt when it is none.
std::optional<http::Response> preflight(const aws::model::lambda::Cors& cors, const http::Request& request);
// Puts the rules' headers in place of the function's own.
void apply_cors(const aws::model::lambda::Cors& cors, const http::Request& request, http::Headers& headers);

}  // namespace parvis::lambda
