// lambda/archive.h: deployment packages: reading untrusted zip files into a folder, making one from a single file.
// Blocking; call it from a pool.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parvis::lambda {

struct UnpackLimits {
  std::uint64_t bytes_max = 262'144'000;  // 250 MB unpacked, the service's quota
  std::size_t entries_max = 100'000;
  std::size_t path_bytes_max = 1024;
  std::size_t depth_max = 64;
};

enum class UnpackErrc {
  kNotAZip,   // not a zip file, damaged, or encrypted
  kEmpty,     // no file in it
  kTooLarge,  // over bytes_max or entries_max, found while reading: sizes that the zip claims are not believed
  kUnsafe,    // absolute or parent path, link, device, or a file where a folder is
  kIo,        // this machine's disk
};
struct UnpackError {
  UnpackErrc code;
  std::string detail;
};

// Writes every entry below `folder`, which must exist and be empty. Returns the unpacked bytes. Files get mode 0644, or
// 0755 when the archive marks them as executable. After an error the folder holds part of the package: remove it.
std::expected<std::uint64_t, UnpackError> unpack_zip(std::string_view zip, const std::string& folder, const UnpackLimits& limits = {});

// A zip file with these entries, name and contents, in their order; equal ones give equal bytes.
std::string make_zip(const std::vector<std::pair<std::string, std::string_view>>& entries);
std::string make_zip(std::string_view name, std::string_view contents);

}  // namespace parvis::lambda
