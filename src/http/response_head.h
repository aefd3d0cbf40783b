// http/response_head.h: the head of an answer as bytes. Internal to http/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "http/message.h"

namespace parvis::http {

struct Framing {
  enum class Kind { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kLength;
  std::uint64_t length = 0;
  bool keep_alive = true;
};

// How `response` is framed for a request of this method and version.
Framing choose_framing(const Response& response, bool head_request, bool http11, bool keep_alive);
// Appends status line and headers with the blank line. False when a header name or value could break the framing (`out`
// is then as before).
bool append_head(std::string& out, const Response& response, const Framing& framing, bool http11);

}  // namespace parvis::http
