// s3/limits.h: numbers that several operations share.
#pragma once

#include <chrono>

namespace parvis::s3 {

inline constexpr int kAttemptsMax = 10;  // of a commit that meets another one
// How long bytes that nothing names are kept: longer than any answer needs from reading a record to opening its bytes.
inline constexpr std::chrono::minutes kOrphanGrace{5};

}  // namespace parvis::s3
