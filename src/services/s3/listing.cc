#include <algorithm>

#include <fmt/format.h>

#include "http/message.h"
#include "services/s3/errors.h"
#include "services/s3/listing.h"

namespace parvis::s3 {

std::string common_prefix_of(std::string_view key, std::string_view prefix, std::string_view delimiter) {
  if (delimiter.empty() || key.size() < prefix.size()) return {};
  const std::size_t at = key.find(delimiter, prefix.size());
  return at == key.npos ? std::string() : std::string(key.substr(0, at + delimiter.size()));
}

std::string place_after(const std::string& marker, std::string_view prefix, std::string_view delimiter) {
  const bool is_common = marker.starts_with(prefix) && common_prefix_of(marker, prefix, delimiter) == marker;
  return (is_common ? "p" : "k") + marker;
}

std::size_t page_limit(std::optional<int> asked, std::string_view name) {
  if (asked.value_or(0) < 0) {
    throw aws::ApiError(kInvalidArgument, fmt::format("Argument {} must be an integer between 0 and 2147483647", name),
                        {{"ArgumentName", name}, {"ArgumentValue", std::to_string(*asked)}});
  }
  return static_cast<std::size_t>(std::min(asked.value_or(1000), 1000));
}

std::string quoted_etag(const ObjectRecord& record) { return "\"" + record.etag + "\""; }

ListedText::ListedText(const std::optional<std::string>& encoding_type) : encode_(encoding_type && *encoding_type == "url") {
  if (encoding_type && !encode_) {
    throw aws::ApiError(kInvalidArgument, "Invalid Encoding Method specified in Request",
                        {{"ArgumentName", "encoding-type"}, {"ArgumentValue", *encoding_type}});
  }
}

std::string ListedText::operator()(const std::string& raw) const { return encode_ ? http::percent_encode(raw, true) : raw; }

}  // namespace parvis::s3
