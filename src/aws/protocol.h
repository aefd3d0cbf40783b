// aws/protocol.h: HTTP messages to and from generated structs, one interpreter per protocol behind one door.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "aws/model.h"
#include "aws/router.h"
#include "http/message.h"

namespace parvis::aws {

struct DecodedInput {
  std::shared_ptr<void> input;
  std::vector<std::string> ignored;
};

// Takes the body out of the request where a member holds it whole or as a stream. Throws ApiError
// (SerializationException, or what the protocol calls bytes that are not the modelled input).
DecodedInput decode_request(const OperationModel& op, http::Request& request, const Route& route);
http::Response encode_response(const OperationModel& op, std::shared_ptr<void> output, std::string_view request_id);
// `service` may be null when none was found; `protocol` says how to shape it then.
http::Response encode_error(const ServiceModel* service, Protocol protocol, const ApiError& error, std::string_view request_id);

// ---- the parts, for decode_request and encode_response alone
namespace detail {
void decode_query_form(const OperationModel& op, std::string_view form, void* input, std::vector<std::string>& ignored);
void decode_rest(const OperationModel& op, http::Request& request, const Route& route, void* input, std::vector<std::string>& ignored);
http::Response encode_query(const OperationModel& op, const void* output, std::string_view request_id);
http::Response encode_rest(const OperationModel& op, const std::shared_ptr<void>& output);
}  // namespace detail

}  // namespace parvis::aws
