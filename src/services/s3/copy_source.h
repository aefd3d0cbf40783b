// s3/copy_source.h: x-amz-copy-source. Pure. Source: S3 API Reference, CopyObject.
#pragma once

#include <optional>
#include <string>

namespace parvis::s3 {

struct CopySource {
  std::string bucket, key;
  std::optional<std::string> version_id;
};

// "bucket/key", also with a slash before it, URL-encoded, perhaps with "?versionId=…". Throws InvalidArgument; ARNs of
// access points are refused.
CopySource copy_source_of(const std::string& header);

}  // namespace parvis::s3
