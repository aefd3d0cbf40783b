// core/time_format.h: the spellings of time on AWS's wires. Years 0001 to 9999, UTC. Parsers are strict: nullopt otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace parvis {

std::string format_iso8601(Millis time);         // "2026-11-23T10:00:00.000Z"
std::string format_iso8601_seconds(Millis time); // "2026-11-23T10:00:00Z"
std::string format_basic(Millis time);           // "20261123T100000Z", as SigV4's X-Amz-Date
std::string format_rfc1123(Millis time);         // "Mon, 23 Nov 2026 10:00:00 GMT"
double to_epoch_seconds(Millis time);            // 1795428000.123
Millis from_epoch_seconds(double seconds);       // rounded to milliseconds; clamped to the years above

// Date and time with 'T' (or 't', or a space), seconds with any number of decimals (cut after milliseconds), and 'Z' or
// an offset "+01:00"; a date alone is midnight UTC.
std::optional<Millis> parse_iso8601(std::string_view text);
std::optional<Millis> parse_basic(std::string_view text);
std::optional<Millis> parse_rfc1123(std::string_view text);

}  // namespace parvis
