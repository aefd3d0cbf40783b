// lambda/recursion.h: finds functions that call themselves in a circle, by the Lineage field of the trace header that SDKs hand on.
// Source: Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops" (stopped after 16 calls in a chain).
#pragma once

#include <string>
#include <string_view>

namespace parvis::lambda {

inline constexpr int kLoopCallsMax = 16;

struct Lineage {
  std::string text;  // "a87bd80c:1|68fd508a:5": of each function in the chain, how often it was called
  int calls = 1;     // of the function that was added
};
// `text` with one call of the function more. What is malformed is dropped; the eight latest functions stay.
Lineage extend_lineage(std::string_view text, std::string_view function_arn);

}  // namespace parvis::lambda
