// core/hash.h: digests, checksums and text codings of bytes. Pure functions, callable from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace parvis {

using Sha1Digest = std::array<unsigned char, 20>;
using Sha256Digest = std::array<unsigned char, 32>;
using Md5Digest = std::array<unsigned char, 16>;

Sha1Digest sha1(std::string_view bytes);
Sha256Digest sha256(std::string_view bytes);
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes);
Md5Digest md5(std::string_view bytes);  // ETags and Content-MD5 only; never for security

// A digest over pieces. Movable; finish() ends it.
class Digest {
 public:
  enum class Kind { kSha1, kSha256, kMd5 };
  explicit Digest(Kind kind);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  void update(std::string_view bytes);
  std::string finish();  // the raw digest

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `seed` is the value over the bytes before, so pieces may be chained: crc32(b, crc32(a)) == crc32(a + b).
std::uint32_t crc32(std::string_view bytes, std::uint32_t seed = 0);      // IEEE, as zip and x-amz-checksum-crc32
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);     // Castagnoli, x-amz-checksum-crc32c
std::uint64_t crc64nvme(std::string_view bytes, std::uint64_t seed = 0);  // x-amz-checksum-crc64nvme

std::string hex_encode(std::string_view bytes);  // lower case
std::optional<std::string> hex_decode(std::string_view text);
std::string base64_encode(std::string_view bytes);  // RFC 4648 section 4, with padding
// Strict: padding required, no other characters, no leftover bits. nullopt otherwise.
std::optional<std::string> base64_decode(std::string_view text);
std::string base64url_encode(std::string_view bytes);  // section 5, without padding (JWTs)
std::optional<std::string> base64url_decode(std::string_view text);  // without padding; nullopt for anything else

// Compares in a time that depends on the lengths alone: for signatures and tokens.
bool equal_constant_time(std::string_view a, std::string_view b);

// The bytes of a digest, as the functions above take and give them.
template <std::size_t N>
std::string_view as_bytes(const std::array<unsigned char, N>& digest) {
  return {reinterpret_cast<const char*>(digest.data()), N};
}
template <std::size_t N>
std::string hex_encode(const std::array<unsigned char, N>& digest) {
  return hex_encode(as_bytes(digest));
}

}  // namespace parvis
