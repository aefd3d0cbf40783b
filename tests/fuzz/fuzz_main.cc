// The entry of one libFuzzer program; PARVIS_FUZZ_TARGET names its target.
#include <cstddef>
#include <cstdint>

#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const parvis::fuzz::Target& target = parvis::fuzz::target(PARVIS_FUZZ_TARGET);
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
