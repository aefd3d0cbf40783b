// apigateway/changes.h: what the operations that change an API share.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <boost/json.hpp>

namespace parvis::apigateway {

// An API definition that was sent as text. Throws BadRequestException; YAML is refused by name.
// Differs from AWS: definitions are JSON only.
boost::json::value parse_definition(const std::string& text);

}  // namespace parvis::apigateway
