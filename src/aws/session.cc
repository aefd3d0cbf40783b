#include "aws/session.h"

#include <boost/json.hpp>

#include "core/hash.h"

namespace parvis::aws {
namespace {

constexpr std::size_t kSealBytes = 32, kTokenBytesMax = 4096;

std::string seal(std::string_view key, std::string_view claims) {
  return std::string(as_bytes(hmac_sha256(key, "token\n" + std::string(claims))));
}

}  // namespace

std::string SessionKeys::secret_of(std::string_view access_key_id) const {
  return base64_encode(as_bytes(hmac_sha256(key_, "secret\n" + std::string(access_key_id)))).substr(0, 40);
}

SessionCredentials SessionKeys::issue(std::string account, std::string principal_arn, Millis expires, Entropy& entropy) const {
  SessionCredentials out;
  out.access_key_id = "ASIA" + entropy.token(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
  out.secret_access_key = secret_of(out.access_key_id);
  const boost::json::object object{{"key", out.access_key_id}, {"account", account}, {"arn", principal_arn},
                                   {"expires", expires.time_since_epoch().count()}};
  const std::string claims = boost::json::serialize(object);
  out.session_token = base64_encode(seal(key_, claims) + claims);
  return out;
}

std::optional<SessionClaims> SessionKeys::open(std::string_view token) const {
  if (token.size() > kTokenBytesMax) return std::nullopt;
  const auto bytes = base64_decode(token);
  if (!bytes || bytes->size() <= kSealBytes) return std::nullopt;
  const std::string_view claims = std::string_view(*bytes).substr(kSealBytes);
  if (!equal_constant_time(seal(key_, claims), std::string_view(*bytes).substr(0, kSealBytes))) return std::nullopt;
  // Sealed text is our own: it has the members that issue() wrote.
  const boost::json::value value = boost::json::parse(claims);
  const auto text = [&](const char* name) { return std::string(value.at(name).as_string()); };
  return SessionClaims{text("key"), text("account"), text("arn"), Millis(std::chrono::milliseconds(value.at("expires").as_int64()))};
}

}  // namespace parvis::aws
