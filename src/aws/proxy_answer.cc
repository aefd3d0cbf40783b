#include "aws/proxy_answer.h"

#include <algorithm>
#include <charconv>

#include "core/hash.h"

namespace parvis::aws {
namespace json = boost::json;
namespace {

bool valid_header(std::string_view name, std::string_view value) {
  // No line ends: a function must not be able to write a second answer.
  const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  return !name.empty() && name.find_first_of(" \t:") == std::string_view::npos && std::none_of(name.begin(), name.end(), control) &&
         std::none_of(value.begin(), value.end(), control);
}

// A header's value: text, number or boolean; nullopt for anything else.
std::optional<std::string> scalar(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_object() || value.is_array() || value.is_null()) return std::nullopt;
  return json::serialize(value);
}

std::optional<unsigned> status_of(const json::value& value) {
  const auto text = scalar(value);
  if (!text || value.is_bool()) return std::nullopt;
  unsigned status = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), status);
  if (error != std::errc{} || end != text->data() + text->size() || status < 200 || status > 599) return std::nullopt;
  return status;
}

bool add_headers(const json::value* headers, const json::value* multi, http::Headers& out) {
  if (multi && !multi->is_null()) {
    if (!multi->is_object()) return false;
    for (const auto& [name, values] : multi->as_object()) {
      if (!values.is_array()) return false;
      for (const json::value& value : values.as_array()) {
        const auto text = scalar(value);
        if (!text || !valid_header(name, *text)) return false;
        out.add(name, *text);
      }
    }
  }
  if (headers && !headers->is_null()) {
    if (!headers->is_object()) return false;
    for (const auto& [name, value] : headers->as_object()) {
      if (value.is_null()) continue;
      const auto text = scalar(value);
      if (!text || !valid_header(name, *text)) return false;
      // A name in both maps counts with the values of multiValueHeaders.
      if (multi && multi->is_object() && out.find(std::string_view(name))) continue;
      out.add(name, *text);
    }
  }
  return true;
}

constexpr std::string_view kPerHop[] = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te"};

}  // namespace

std::expected<ProxyAnswer, MapErrc> read_proxy_answer(const json::object& object, bool multi_values) {
  ProxyAnswer out;
  if (const auto* status = object.if_contains("statusCode"); status && !status->is_null()) {
    const auto code = status_of(*status);
    if (!code) return std::unexpected(MapErrc::kMalformed);
    out.response.status = *code;
  }
  if (!add_headers(object.if_contains("headers"), multi_values ? object.if_contains("multiValueHeaders") : nullptr, out.response.headers)) {
    return std::unexpected(MapErrc::kMalformed);
  }
  if (const auto* body = object.if_contains("body"); body && !body->is_null()) {
    auto text = scalar(*body);
    if (!text) return std::unexpected(MapErrc::kMalformed);
    out.response.body = std::move(*text);
  }
  if (const auto* base64 = object.if_contains("isBase64Encoded"); base64 && !base64->is_null()) {
    if (base64->is_bool()) out.base64 = base64->as_bool();
    else if (base64->is_string()) out.base64 = base64->as_string() == "true";
    else return std::unexpected(MapErrc::kMalformed);
  }
  return out;
}

bool decode_base64_body(http::Response& response) {
  auto bytes = base64_decode(response.body);
  if (!bytes) return false;
  response.body = std::move(*bytes);
  return true;
}

void drop_per_hop_headers(http::Response& response) {
  for (const std::string_view name : kPerHop) response.headers.erase(name);
}

std::optional<json::value> parse_answer(std::string_view payload, json::storage_ptr memory) {
  boost::system::error_code error;
  json::value value = json::parse(payload, error, std::move(memory));
  if (error) return std::nullopt;
  return value;
}

std::expected<void, MapErrc> add_cookies(const json::object& object, http::Response& response) {
  if (const auto* cookies = object.if_contains("cookies"); cookies && !cookies->is_null()) {
    if (!cookies->is_array()) return std::unexpected(MapErrc::kMalformed);
    for (const json::value& cookie : cookies->as_array()) {
      if (!cookie.is_string() || !valid_header("set-cookie", cookie.as_string())) return std::unexpected(MapErrc::kMalformed);
      response.headers.add("set-cookie", std::string(cookie.as_string()));
    }
  }
  return {};
}

std::expected<http::Response, MapErrc> map_http_v1(std::string_view payload) {
  unsigned char first[4096];
  json::monotonic_resource memory(first);
  const auto value = parse_answer(payload, &memory);
  if (!value || !value->is_object() || !value->as_object().contains("statusCode")) return std::unexpected(MapErrc::kMalformed);
  auto answer = read_proxy_answer(value->as_object(), true);
  if (!answer) return std::unexpected(answer.error());
  if (answer->base64 && !decode_base64_body(answer->response)) return std::unexpected(MapErrc::kBadBase64);
  drop_per_hop_headers(answer->response);
  if (!answer->response.headers.find("content-type")) answer->response.headers.add("content-type", "text/plain;charset=UTF-8");
  return std::move(answer->response);
}

std::expected<http::Response, MapErrc> map_http_v2(std::string_view payload) {
  unsigned char first[4096];
  json::monotonic_resource memory(first);
  const auto value = parse_answer(payload, &memory);
  if (!value) return std::unexpected(MapErrc::kMalformed);
  if (!value->is_object() || !value->as_object().contains("statusCode")) {
    http::Response response;
    response.headers.add("content-type", "application/json");
    response.body = value->is_string() ? std::string(value->as_string()) : std::string(payload);
    return response;
  }
  auto answer = read_proxy_answer(value->as_object(), false);
  if (!answer) return std::unexpected(answer.error());
  http::Response& response = answer->response;
  if (answer->base64 && !decode_base64_body(response)) return std::unexpected(MapErrc::kBadBase64);
  if (const auto cookies = add_cookies(value->as_object(), response); !cookies) return std::unexpected(cookies.error());
  drop_per_hop_headers(response);
  if (!response.headers.find("content-type")) response.headers.add("content-type", "text/plain;charset=UTF-8");
  return std::move(response);
}

}  // namespace parvis::aws
