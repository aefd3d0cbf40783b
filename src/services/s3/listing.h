// s3/listing.h: what all listings of keys share. Pure. Source: S3 API Reference, ListObjectsV2 and ListObjectVersions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/s3/records.h"

namespace parvis::s3 {

// The common prefix that this key is rolled up into; empty: it is listed itself.
std::string common_prefix_of(std::string_view key, std::string_view prefix, std::string_view delimiter);
// A marker of the caller's as a place: "p" and a common prefix, all of which it skips, or "k" and a key.
std::string place_after(const std::string& marker, std::string_view prefix, std::string_view delimiter);
// max-keys: 1,000 when absent or larger. Throws InvalidArgument below 0.
std::size_t page_limit(std::optional<int> asked, std::string_view name);
std::string quoted_etag(const ObjectRecord& record);

// Keys as encoding-type asks for them.
class ListedText {
 public:
  explicit ListedText(const std::optional<std::string>& encoding_type);  // throws InvalidArgument
  std::string operator()(const std::string& raw) const;

 private:
  bool encode_ = false;
};

}  // namespace parvis::s3
