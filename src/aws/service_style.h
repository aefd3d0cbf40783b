// aws/service_style.h: where services of one protocol differ on the wire, and nothing more. Sources beside each row.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "aws/api_call.h"
#include "aws/model.h"

namespace parvis::aws {

struct ServiceStyle {
  std::string_view service;
  ErrorSpec validation;              // what a broken constraint of the model is called
  std::string_view type_prefix = {}; // of __type, for errors of the service itself
  bool crc32 = false;                // X-Amz-Crc32 over the answer's body
  bool json_posts_only = false;      // another method or content type: 404, before anything else is looked at
  // Operations that put "1 validation error detected: " before what is wrong with a value, and those that use the older words.
  std::span<const std::string_view> enveloped_values = {}, older_values = {};
  bool lambda_type = false;          // "Type":"User" in error bodies
  std::string_view blob_content_type = "application/octet-stream";
};

const ServiceStyle& style_of(std::string_view service, Protocol protocol);
std::string value_message(const ServiceStyle& style, std::string_view operation, const ValueError& error);
// "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
std::string error_type(const ServiceStyle& style, std::string_view code);

}  // namespace parvis::aws
