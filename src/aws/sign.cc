#include "aws/sign.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "core/ascii.h"
#include "core/hash.h"
#include "core/time_format.h"

namespace parvis::aws {
namespace {

// "20261125T100000Z"
std::string amz_date(Millis now) {
  std::string out;
  for (const char letter : format_iso8601_seconds(now))
    if (letter != '-' && letter != ':') out += letter;
  return out;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : http::parse_query(query)) parts.push_back(http::percent_encode(name) + "=" + http::percent_encode(value));
  std::ranges::sort(parts);
  return fmt::format("{}", fmt::join(parts, "&"));
}

}  // namespace

void sign_request(http::Request& request, const SigningKeys& keys, std::string_view region, std::string_view service, Millis now) {
  const std::string time = amz_date(now), date = time.substr(0, 8);
  const std::string payload = hex_encode(sha256(request.body));
  request.headers.set("X-Amz-Date", time);
  request.headers.set("X-Amz-Content-Sha256", payload);
  if (!keys.session_token.empty()) request.headers.set("X-Amz-Security-Token", keys.session_token);
  std::map<std::string, std::string> headers{{"host", request.host}};
  for (const auto& [name, value] : request.headers) headers[to_lower(name)] = value;
  std::string canonical_headers, signed_headers;
  for (const auto& [name, value] : headers) {
    canonical_headers += name + ":" + value + "\n";
    signed_headers += (signed_headers.empty() ? "" : ";") + name;
  }
  const std::string path = service == "s3" ? std::string(request.path()) : http::percent_encode(request.path(), true);
  const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, path, canonical_query(request.query()), canonical_headers,
                                            signed_headers, payload);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, region, service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, hex_encode(sha256(canonical)));
  Sha256Digest key = hmac_sha256("AWS4" + keys.secret_access_key, date);
  for (const std::string_view part : {region, service, std::string_view("aws4_request")}) key = hmac_sha256(as_bytes(key), part);
  request.headers.set("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", keys.access_key_id, scope,
                                                   signed_headers, hex_encode(hmac_sha256(as_bytes(key), to_sign))));
}

}  // namespace parvis::aws
