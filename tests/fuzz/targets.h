// tests/fuzz/targets.h: the readers of hostile bytes, each as a function that takes any input. A target crashes, hangs or
// aborts when it finds a bug; errors that the reader documents are swallowed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parvis::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  std::vector<std::string> seeds;  // inputs that reach the inside of the reader, and every input that once found a bug
};

std::span<const Target> targets();
const Target& target(std::string_view name);  // std::out_of_range: no such target

}  // namespace parvis::fuzz
