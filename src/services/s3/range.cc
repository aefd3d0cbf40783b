#include "services/s3/range.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

std::optional<std::uint64_t> number_in(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failed != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

bool is_multipart(const ObjectRecord& record) { return record.etag.find('-') != record.etag.npos; }

Span span_of(const std::optional<std::string>& range, std::uint64_t size) {
  const Span whole{0, size, false};
  if (!range || !range->starts_with("bytes=")) return whole;
  const std::string_view text = std::string_view(*range).substr(6);
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return whole;
  const auto first = number_in(text.substr(0, dash)), last = number_in(text.substr(dash + 1));
  if ((dash > 0 && !first) || (dash + 1 < text.size() && !last) || (!first && !last) || (first && last && *last < *first)) return whole;
  const bool unsatisfiable = first ? *first >= size : *last == 0 || size == 0;
  if (unsatisfiable) {
    throw aws::ApiError(kInvalidRange, "The requested range is not satisfiable",
                        {{"RangeRequested", *range}, {"ActualObjectSize", size}, {"Content-Range", fmt::format("bytes */{}", size)}});
  }
  if (!first) return {size - std::min(*last, size), std::min(*last, size), true};
  return {*first, std::min(last.value_or(size - 1), size - 1) - *first + 1, true};
}

Span copy_span_of(const std::optional<std::string>& range, std::uint64_t size) {
  if (!range) return {0, size, false};
  const std::string_view text = *range;
  const std::size_t dash = text.find('-');
  const auto first = text.starts_with("bytes=") && dash != text.npos ? number_in(text.substr(6, dash - 6)) : std::nullopt;
  const auto last = first ? number_in(text.substr(dash + 1)) : std::nullopt;
  if (!last || *last < *first) {
    throw aws::ApiError(kInvalidArgument, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
                        {{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", *range}});
  }
  if (*last >= size) {
    throw aws::ApiError(kInvalidArgument, fmt::format("Range specified is not valid for source object of size: {}", size),
                        {{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", *range}});
  }
  return {*first, *last - *first + 1, true};
}

Span part_span_of(int number, const ObjectRecord& record) {
  const std::size_t parts = is_multipart(record) ? record.pieces.size() : 1;
  if (number < 1 || static_cast<std::size_t>(number) > parts) {
    throw aws::ApiError(kInvalidPartNumber, "The requested partnumber is not satisfiable", {{"PartNumberRequested", number}, {"ActualPartCount", parts}});
  }
  if (parts == 1 && !is_multipart(record)) return {0, record.size_bytes, record.size_bytes > 0};
  Span span{0, 0, true};
  for (int before = 0; before < number - 1; ++before) span.offset += record.pieces[static_cast<std::size_t>(before)].size_bytes;
  span.length = record.pieces[static_cast<std::size_t>(number - 1)].size_bytes;
  return span;
}

}  // namespace parvis::s3
