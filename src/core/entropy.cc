#include "core/entropy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace parvis {
namespace {

void generate(std::span<unsigned char> out) {
  while (!out.empty()) {
    const std::size_t n = std::min<std::size_t>(out.size(), 1u << 20);
    if (RAND_bytes(out.data(), static_cast<int>(n)) != 1) throw std::runtime_error("the random generator has no entropy");
    out = out.subspan(n);
  }
}

// A call of the generator costs microseconds whatever its size, so small requests of a thread share one. Bytes are wiped as
// they are given away. A child process must exec before it draws any.
struct Block {
  std::array<unsigned char, 2048> bytes;
  std::size_t left = 0;  // at the end of `bytes`

  void take(std::span<unsigned char> out) {
    if (left < out.size()) {
      generate(bytes);
      left = bytes.size();
    }
    unsigned char* from = bytes.data() + (bytes.size() - left);
    std::memcpy(out.data(), from, out.size());
    std::memset(from, 0, out.size());
    left -= out.size();
  }
  ~Block() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};
constexpr std::size_t kSharedBytesMax = 128;

}  // namespace

void Entropy::fill(std::span<unsigned char> out) {
  if (out.empty()) return;
  if (out.size() > kSharedBytesMax) return generate(out);
  thread_local Block block;
  block.take(out);
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
  const auto letters = static_cast<unsigned>(alphabet.size());
  const unsigned limit = 256u - 256u % letters;
  const unsigned inverse = 65536u / letters + 1;  // b / letters is b * inverse / 65536 for each byte b
  std::string out(length, '\0');
  std::size_t size = 0;
  std::array<unsigned char, kSharedBytesMax> bytes;
  while (size < length) {
    const auto drawn = std::span(bytes).first(std::min(bytes.size(), length - size + 8));
    fill(drawn);
    for (const unsigned b : drawn) {
      if (size == length) break;
      if (b < limit) out[size++] = alphabet[b - (b * inverse >> 16) * letters];
    }
  }
  return out;
}

}  // namespace parvis
