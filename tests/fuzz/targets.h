// tests/fuzz/targets.h: the readers of hostile bytes, each as a function that takes any input. A target crashes, hangs or
// aborts when it finds a bug; errors that the reader documents are swallowed. corpus/<name>/ holds inputs that reach the inside of the reader, and each input that
// once found a bug.
#pragma once

#include <span>
#include <string_view>

namespace parvis::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
};

std::span<const Target> targets();
const Target& target(std::string_view name);  // std::out_of_range: no such target

}  // namespace parvis::fuzz
