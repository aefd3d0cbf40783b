#include "aws/s3_host.h"

#include "http/message.h"

namespace parvis::aws {
namespace {

// "bucket" of "bucket.s3" and "bucket.s3.eu-west-1"; empty: no such form.
std::string_view before_s3(std::string_view name) {
  if (name.ends_with(".s3")) return name.substr(0, name.size() - 3);
  const std::size_t at = name.rfind(".s3.");
  if (at == name.npos) return {};
  const std::string_view region = name.substr(at + 4);
  return region.find('.') == region.npos ? name.substr(0, at) : std::string_view{};
}

}  // namespace

std::string_view bucket_of_host(std::string_view host) {
  if (host.starts_with('[')) return {};  // an IPv6 address
  host = host.substr(0, host.rfind(':'));
  constexpr std::string_view kLocal = ".localhost", kAmazon = ".amazonaws.com";
  if (host.ends_with(kAmazon)) return before_s3(host.substr(0, host.size() - kAmazon.size()));
  if (!host.ends_with(kLocal)) return {};
  const std::string_view name = host.substr(0, host.size() - kLocal.size());
  if (name == "s3" || name.starts_with("s3.")) return {};  // path-style: s3.localhost, s3.eu-west-1.localhost
  // Teams' own APIs and functions have hosts of their own.
  if (name.find(".execute-api") != name.npos || name.find(".lambda-url") != name.npos) return {};
  const std::string_view bucket = before_s3(name);
  return bucket.empty() ? name : bucket;
}

S3Address s3_address(std::string_view host, std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (const std::string_view bucket = bucket_of_host(host); !bucket.empty()) return {std::string(bucket), !path.empty()};
  const std::string_view first = path.substr(0, path.find('/'));
  return {http::percent_decode(first).value_or(std::string(first)), path.size() > first.size() + 1};
}

}  // namespace parvis::aws
