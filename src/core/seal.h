// core/seal.h: bytes that must not be readable where they are kept: AES-256-GCM under one key of the installation.
//
// A sealed value is a version byte (1), 12 random bytes, the ciphertext and its 16-byte tag. The context (a name, an ARN) is not
// kept; it must be the same to open, so that a sealed value cannot be moved to another place. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/entropy.h"

namespace parvis {

class SealKey {
 public:
  // 64 hexadecimal digits, white space around them allowed; nullopt for anything else.
  static std::optional<SealKey> from_text(std::string_view text);
  static std::string make_text(Entropy& entropy);

  std::string seal(std::string_view plain, std::string_view context, Entropy& entropy) const;
  // nullopt: not sealed with this key and context, or changed since.
  std::optional<std::string> open(std::string_view sealed, std::string_view context) const;

 private:
  explicit SealKey(std::string key) : key_(std::move(key)) {}
  std::string key_;  // 32 bytes
};

}  // namespace parvis
