#include "services/apigateway/responses.h"

#include <algorithm>
#include <charconv>

#include "core/hash.h"

namespace parvis::apigateway {
namespace json = boost::json;
namespace {

bool only_known_members(const json::object& object) {
  return std::all_of(object.begin(), object.end(), [](const json::key_value_pair& member) {
    const std::string_view name = member.key();
    return name == "statusCode" || name == "headers" || name == "multiValueHeaders" || name == "body" || name == "isBase64Encoded";
  });
}

// REST renames what it will not pass on. Source: Developer Guide, "Important notes": header restrictions of REST APIs.
void remap_rest_headers(http::Response& response) {
  static constexpr std::string_view kRenamed[] = {"Authorization", "Connection", "Content-MD5", "Date", "Host", "Server",
                                                  "User-Agent", "WWW-Authenticate"};
  for (const std::string_view name : kRenamed) {
    std::vector<std::string> values;
    for (const std::string_view value : response.headers.all(name)) values.emplace_back(value);
    response.headers.erase(name);
    for (std::string& value : values) response.headers.add("x-amzn-Remapped-" + std::string(name), std::move(value));
  }
  aws::drop_per_hop_headers(response);
}

}  // namespace

std::expected<http::Response, MapErrc> map_rest(std::string_view payload, const Definition& definition, std::string_view accept) {
  unsigned char first[4096];
  json::monotonic_resource memory(first);
  const auto value = aws::parse_answer(payload, &memory);
  if (!value || !value->is_object() || !only_known_members(value->as_object())) return std::unexpected(MapErrc::kMalformed);
  auto answer = aws::read_proxy_answer(value->as_object(), true);
  if (!answer) return std::unexpected(answer.error());
  http::Response& response = answer->response;
  if (answer->base64 && is_binary_type(definition.binary_media_types, accept) && !aws::decode_base64_body(response)) {
    return std::unexpected(MapErrc::kBadBase64);
  }
  remap_rest_headers(response);
  if (!response.headers.find("content-type")) response.headers.add("Content-Type", "application/json");
  return std::move(response);
}

}  // namespace parvis::apigateway
