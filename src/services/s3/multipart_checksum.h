// s3/multipart_checksum.h: the checksum of an object made of parts, from the checksums of its parts. Pure.
// Source: S3 User Guide, "Checking object integrity", full object and composite checksums.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/s3/body.h"

namespace parvis::s3 {

// Throws InvalidRequest for a type that the algorithm does not have, NotImplemented for an unknown algorithm.
Checksum upload_checksum(const std::optional<std::string>& algorithm, const std::optional<std::string>& type);

// The CRC of `a` and `b` one after the other, from theirs. `algorithm`: CRC32, CRC32C or CRC64NVME.
std::uint64_t join_crcs(std::string_view algorithm, std::uint64_t a, std::uint64_t b, std::uint64_t size_of_b);

class PartsChecksum {
 public:
  explicit PartsChecksum(const Checksum& of_upload);
  void add(const std::string& part_base64, std::uint64_t size_bytes);
  std::string finish();  // base64; of a composite with "-N"

 private:
  const std::string algorithm_;
  std::optional<ChecksumMaker> composite_;
  std::uint64_t crc_ = 0;
  std::size_t parts_ = 0;
};

}  // namespace parvis::s3
