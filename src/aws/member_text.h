// aws/member_text.h: scalar members as text, for headers, query strings, forms and XML.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aws/model.h"

namespace parvis::aws {

// The text of a scalar; `fallback` is the format of a timestamp that names none. Blobs are base64.
std::string scalar_to_text(const Shape& shape, const void* value, TimestampFormat format, TimestampFormat fallback);
// Fills a scalar; returns the text of the error, if any.
std::optional<std::string> scalar_from_text(const Shape& shape, std::string_view text, void* out);
inline TimestampFormat format_of(const Member& member) {
  return member.timestamp != TimestampFormat::kDefault ? member.timestamp : member.shape->timestamp;
}
std::string number_to_text(double value);  // shortest that reads back; "NaN", "Infinity", "-Infinity"
std::string timestamp_to_text(Timestamp time, TimestampFormat format);
std::optional<Timestamp> timestamp_from_text(std::string_view text);  // any of the three formats

// Length as Java counts: UTF-16 units.
std::size_t utf16_length(std::string_view utf8);

}  // namespace parvis::aws
