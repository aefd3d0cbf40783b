#include "core/entropy.h"

#include <array>
#include <stdexcept>
#include <vector>

#include <openssl/rand.h>

namespace parvis {

void Entropy::fill(std::span<unsigned char> out) {
  while (!out.empty()) {
    const std::size_t n = std::min<std::size_t>(out.size(), 1u << 20);
    if (RAND_bytes(out.data(), static_cast<int>(n)) != 1) throw std::runtime_error("the random generator has no entropy");
    out = out.subspan(n);
  }
}

std::uint64_t Entropy::next_u64() {
  std::array<unsigned char, 8> bytes;
  fill(bytes);
  std::uint64_t value = 0;
  for (unsigned char b : bytes) value = (value << 8) | b;
  return value;
}

std::string Entropy::uuid() {
  std::array<unsigned char, 16> b;
  fill(b);
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[b[i] >> 4];
    out += kHex[b[i] & 15];
  }
  return out;
}

std::string Entropy::token(std::size_t length, std::string_view alphabet) {
  if (alphabet.size() < 2 || alphabet.size() > 256) throw std::invalid_argument("token alphabet: 2 to 256 characters");
  // Bytes at or past the largest multiple of the alphabet's size are thrown away, so that every character is equally likely.
  const unsigned limit = 256u - 256u % static_cast<unsigned>(alphabet.size());
  std::string out;
  out.reserve(length);
  std::vector<unsigned char> bytes(length + 8);
  while (out.size() < length) {
    fill(bytes);
    for (unsigned char b : bytes) {
      if (out.size() == length) break;
      if (b < limit) out += alphabet[b % alphabet.size()];
    }
  }
  return out;
}

}  // namespace parvis
