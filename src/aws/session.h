// aws/session.h: temporary credentials that need no record: the session token carries who its bearer is, sealed with a key.
//
// A token is base64(HMAC-SHA256(key, claims) || claims); the secret access key is derived from the key and the access key
// id. So verifying a request reads nothing, and a token cannot be changed or made by somebody without the key.
// Access key ids begin with ASIA, as those of STS do.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/entropy.h"

namespace parvis::aws {

struct SessionClaims {
  std::string access_key_id;
  std::string account;        // 12 digits
  std::string principal_arn;  // "arn:aws:sts::…:assumed-role/role/session"
  Millis expires;             // Millis::max(): as long as the key lives
};

struct SessionCredentials {
  std::string access_key_id, secret_access_key, session_token;
};

class SessionKeys {  // immutable after construction
 public:
  explicit SessionKeys(std::string key) : key_(std::move(key)) {}
  SessionCredentials issue(std::string account, std::string principal_arn, Millis expires, Entropy& entropy) const;
  // What a token says, or nullopt when this key has not made it. Says nothing about `expires`: that is for the caller.
  std::optional<SessionClaims> open(std::string_view token) const;
  std::string secret_of(std::string_view access_key_id) const;  // 40 characters

 private:
  std::string key_;
};

}  // namespace parvis::aws
