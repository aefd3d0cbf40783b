#include "aws/protocol.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "aws/json_codec.h"
#include "aws/service_style.h"
#include "aws/xml.h"
#include "core/hash.h"

namespace parvis::aws {
namespace {

namespace json = boost::json;

std::string_view message_member(const ServiceModel* service, std::string_view code, std::string_view fallback) {
  if (service) {
    for (const ErrorShape& e : service->errors) if (e.code == code && !e.message_member.empty()) return e.message_member;
  }
  return fallback;
}

void add_members(const json::object& members, std::string_view message_key, std::string& body) {
  for (const auto& [key, value] : members) {
    if (key == message_key) continue;
    body += ',';
    write_json_string(key, body);
    (body += ':') += json::serialize(value);
  }
}

http::Response json_error(const ServiceModel* service, const ServiceStyle& style, const ApiError& error) {
  http::Response response;
  response.status = error.http_status();
  const std::string_view version = service && !service->json_version.empty() ? service->json_version : "1.0";
  response.headers.add("Content-Type", fmt::format("application/x-amz-json-{}", version));
  const std::string_view key = message_member(service, error.code(), error.code() == "SerializationException" ? "Message" : "message");
  std::string& body = response.body;
  body = "{\"__type\":";
  write_json_string(error_type(style, error.code()), body);
  if (!error.message().empty()) {
    body += ',';
    write_json_string(key, body);
    body += ':';
    write_json_string(error.message(), body);
  }
  add_members(error.members(), key, body);
  body += '}';
  return response;
}

http::Response rest_json_error(const ServiceModel* service, const ServiceStyle& style, const ApiError& error) {
  http::Response response;
  response.status = error.http_status();
  response.headers.add("Content-Type", "application/json");
  response.headers.add("x-amzn-ErrorType", error.code());
  const std::string_view key = message_member(service, error.code(), "message");
  std::string& body = response.body;
  body = '{';
  if (style.lambda_type && !error.members().contains("Type")) {
    body += error.fault() == Fault::kClient ? "\"Type\":\"User\"," : "\"Type\":\"Service\",";
  }
  write_json_string(key, body);
  body += ':';
  write_json_string(error.message(), body);
  add_members(error.members(), key, body);
  body += '}';
  return response;
}

// Some errors of S3's are told in headers too: such members have the headers' names, which no element has.
bool is_header_name(std::string_view name) { return name.find('-') != name.npos || name == "Allow"; }

void xml_members(const json::object& members, std::string& body) {
  for (const auto& [key, value] : members) {
    if (!value.is_primitive() || is_header_name(key)) continue;
    const std::string text = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    body += fmt::format("<{}>", std::string_view(key));
    write_xml_text(text, body);
    body += fmt::format("</{}>", std::string_view(key));
  }
}

http::Response xml_error(const ServiceModel* service, Protocol protocol, const ApiError& error, std::string_view request_id) {
  http::Response response;
  response.status = error.http_status();
  std::string code, message;
  write_xml_text(error.code(), code);
  write_xml_text(error.message(), message);
  std::string& body = response.body;
  if (protocol == Protocol::kQuery) {
    response.headers.add("Content-Type", "text/xml");
    body = fmt::format("<ErrorResponse xmlns=\"{}\">\n  <Error>\n    <Type>{}</Type>\n    <Code>{}</Code>\n    <Message>{}</Message>\n",
                       service ? service->xml_namespace : "", error.fault() == Fault::kClient ? "Sender" : "Receiver", code, message);
    xml_members(error.members(), body);
    body += fmt::format("  </Error>\n  <RequestId>{}</RequestId>\n</ErrorResponse>\n", request_id);
  } else {
    response.headers.add("Content-Type", "application/xml");
    body = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>", code, message);
    xml_members(error.members(), body);
    body += fmt::format("<RequestId>{}</RequestId>", request_id);
    for (const auto& [name, value] : error.members()) {
      if (is_header_name(name) && value.is_string()) response.headers.add(std::string(name), std::string(value.get_string()));
    }
    // S3 API Reference, "Error responses": the value that x-amz-id-2 has.
    if (service && service->service == "s3") body += fmt::format("<HostId>{}</HostId>", base64_encode(request_id));
    body += "</Error>";
  }
  return response;
}

void add_request_id(const ServiceModel* service, Protocol protocol, std::string_view request_id, http::Response& response) {
  if (protocol == Protocol::kRestXml) {
    response.headers.set("x-amz-request-id", request_id);
    response.headers.set("x-amz-id-2", base64_encode(request_id));
  } else {
    response.headers.set("x-amzn-RequestId", request_id);
  }
  if (service && style_of(service->service, protocol).crc32) {
    response.headers.set("X-Amz-Crc32", std::to_string(crc32(response.body)));
  }
}

}  // namespace

DecodedInput decode_request(const OperationModel& op, http::Request& request, const Route& route) {
  DecodedInput decoded{.input = op.make_input(), .ignored = {}};
  const Protocol protocol = op.service_model->protocol;
  try {
    switch (protocol) {
      case Protocol::kJson: {
        if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) break;  // no input is an empty one
        unsigned char buffer[8192];
        json::monotonic_resource memory(buffer);
        decode_json(*op.input, parse_json(request.body, &memory), decoded.input.get(), decoded.ignored);
        break;
      }
      case Protocol::kQuery: {
        const bool in_body = request.method == "POST" && !request.body.empty();
        detail::decode_query_form(op, in_body ? std::string_view(request.body) : request.query(), decoded.input.get(), decoded.ignored);
        break;
      }
      case Protocol::kRestJson: case Protocol::kRestXml:
        detail::decode_rest(op, request, route, decoded.input.get(), decoded.ignored);
        break;
    }
  } catch (const ValueError& error) {
    const ServiceStyle& style = style_of(op.service, protocol);
    throw ApiError(style.validation, value_message(style, op.name, error));
  } catch (const DecodeError& error) {
    static constexpr ErrorSpec kSerialization{"SerializationException"}, kMalformedXml{"MalformedXML"}, kMalformedInput{"MalformedInput"};
    throw ApiError(protocol == Protocol::kRestXml ? kMalformedXml : protocol == Protocol::kQuery ? kMalformedInput : kSerialization,
                   error.what());
  }
  return decoded;
}

http::Response encode_response(const OperationModel& op, std::shared_ptr<void> output, std::string_view request_id) {
  http::Response response;
  const Protocol protocol = op.service_model->protocol;
  switch (protocol) {
    case Protocol::kJson:
      response.headers.add("Content-Type", std::string("application/x-amz-json-").append(op.service_model->json_version));
      response.body.reserve(1000);
      if (op.has_output) encode_json(*op.output, output.get(), response.body);
      else if (op.service_model->service == "dynamodb") response.body = "{}";
      break;
    case Protocol::kQuery: response = detail::encode_query(op, output.get(), request_id); break;
    case Protocol::kRestJson: case Protocol::kRestXml: response = detail::encode_rest(op, output); break;
  }
  add_request_id(op.service_model, protocol, request_id, response);
  return response;
}

http::Response encode_error(const ServiceModel* service, Protocol protocol, const ApiError& error, std::string_view request_id) {
  const ServiceStyle& style = style_of(service ? service->service : std::string_view{}, protocol);
  http::Response response;
  switch (protocol) {
    case Protocol::kJson: response = json_error(service, style, error); break;
    case Protocol::kRestJson: response = rest_json_error(service, style, error); break;
    case Protocol::kQuery: case Protocol::kRestXml: response = xml_error(service, protocol, error, request_id); break;
  }
  if (response.status == 304) {  // Not Modified is an error to a handler, and has no body (RFC 9110, section 15.4.5)
    response.body.clear();
    response.headers.erase("Content-Type");
  }
  add_request_id(service, protocol, request_id, response);
  return response;
}

}  // namespace parvis::aws
