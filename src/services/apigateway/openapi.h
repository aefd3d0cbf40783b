// apigateway/openapi.h: reads the OpenAPI 3 or Swagger 2 `Body` of a template into a Definition.
//
// Understood is what the SAM transform writes and what reads the same by hand: Lambda proxy integrations, mock answers with
// fixed text (CORS of REST APIs), $default, x-amazon-apigateway-any-method, -cors, -binary-media-types and
// -gateway-responses. Parts that only describe (summary, schemas, responses, …) are accepted. Everything else is refused by
// its path in the Body ("Body.paths./a.get.security: …"): nothing is dropped in silence.
// Limits: kRoutesMax routes, path <= 1,024 characters, 6 MB of Body (checked by the caller's transport).
// Source: API Gateway Developer Guide, "OpenAPI extensions for API Gateway"; aws-sam-translator's output.
#pragma once

#include <boost/json.hpp>

#include "services/apigateway/api.h"

namespace parvis::apigateway {

// Throws BadRequestException. `api_id` seeds the ids of REST resources.
Definition import_openapi(Protocol protocol, std::string_view api_id, const boost::json::value& body);

// Checks what no import may bring in: credentials with "*", unknown methods. Throws BadRequestException; `where` leads the message.
void check_cors(const Cors& cors, std::string_view where);

// The names of gateway response types that exist. Source: Developer Guide, "Gateway response types".
bool is_gateway_response_type(std::string_view type);

}  // namespace parvis::apigateway
