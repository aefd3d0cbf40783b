// core/utf8.h: whether bytes are UTF-8 (RFC 3629: shortest forms only, no surrogates, up to U+10FFFF).
#pragma once

#include <string>
#include <string_view>

namespace parvis {

bool is_utf8(std::string_view bytes);
// Each byte that begins no well-formed letter becomes U+FFFD.
std::string to_utf8(std::string_view bytes);

}  // namespace parvis
