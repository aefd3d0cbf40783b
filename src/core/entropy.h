// core/entropy.h: ids and randomness, injected so that tests can replay them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace parvis {

class Entropy {  // thread-safe
 public:
  virtual ~Entropy() = default;
  virtual void fill(std::span<unsigned char> out);  // from the operating system's generator
  std::uint64_t next_u64();
  std::string uuid();  // version 4, lower case, with hyphens
  // `length` characters drawn evenly from `alphabet` (2 to 256 characters).
  std::string token(std::size_t length, std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789");
};

}  // namespace parvis
