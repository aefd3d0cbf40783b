// aws/s3_host.h: which bucket an S3 request is about: by its host ("bucket.s3.localhost") or by its path. Pure.
// Source: S3 User Guide, "Virtual hosting of general purpose buckets".
#pragma once

#include <string>
#include <string_view>

namespace parvis::aws {

// The bucket that a Host header (lower case, perhaps with a port) names; empty: the path has it. Hosts are
// "{bucket}.s3.localhost", "{bucket}.s3.{region}.localhost", "{bucket}.localhost", and the first two under amazonaws.com.
std::string_view bucket_of_host(std::string_view host);

struct S3Address {
  std::string bucket;  // empty: none
  bool has_key = false;
};
S3Address s3_address(std::string_view host, std::string_view path);

}  // namespace parvis::aws
