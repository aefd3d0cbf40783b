// core/json_text.h: how much of a text stands in JSON as it is.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace parvis {

// Whether nothing in `text` needs an escape: no control character, quote or backslash. Eight bytes at a time.
inline bool is_plain_json(std::string_view text) {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0} / 255, kHigh = kOnes * 128;
  const auto has_zero = [](std::uint64_t word) { return (word - kOnes) & ~word & kHigh; };
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHigh;
    if (control | has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\')) return false;
  }
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\') return false;
  }
  return true;
}

}  // namespace parvis
