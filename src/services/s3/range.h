// s3/range.h: which bytes of an object a request asks for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "services/s3/records.h"

namespace parvis::s3 {

struct Span {
  std::uint64_t offset = 0, length = 0;
  bool partial = false;
};

// RFC 9110, section 14: a Range that is not understood, or names several, is as if it were not there. Throws InvalidRange.
Span span_of(const std::optional<std::string>& range, std::uint64_t size);
// x-amz-copy-source-range: "bytes=first-last", both there and inside of the source. Throws InvalidArgument.
Span copy_span_of(const std::optional<std::string>& range, std::uint64_t size);
// partNumber of GetObject and HeadObject. Throws InvalidPartNumber.
Span part_span_of(int number, const ObjectRecord& record);
// Whether the object came in parts: its entity tag says how many.
bool is_multipart(const ObjectRecord& record);

}  // namespace parvis::s3
