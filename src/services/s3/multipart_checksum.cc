#include "services/s3/multipart_checksum.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "services/s3/errors.h"
#include "storage/tuple.h"

namespace parvis::s3 {
namespace {

// A linear map over the bits of a CRC's state: the image of each bit.
using Map = std::array<std::uint64_t, 64>;

std::uint64_t image(const Map& map, std::uint64_t bits) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; bits; bits >>= 1, ++i) if (bits & 1) out ^= map[i];
  return out;
}

Map squared(const Map& map) {
  Map out{};
  for (std::size_t i = 0; i < map.size(); ++i) out[i] = image(map, map[i]);
  return out;
}

struct Polynomial {
  std::string_view algorithm;
  std::uint64_t reversed;
  std::size_t bits;
};
constexpr std::array kPolynomials = {Polynomial{"CRC32", 0xEDB88320u, 32}, Polynomial{"CRC32C", 0x82F63B78u, 32},
                                     Polynomial{"CRC64NVME", 0x9A6C9329AC4BC9B5u, 64}};

const Polynomial* polynomial_of(std::string_view algorithm) {
  const auto found = std::ranges::find(kPolynomials, algorithm, &Polynomial::algorithm);
  return found == kPolynomials.end() ? nullptr : &*found;
}

}  // namespace

Checksum upload_checksum(const std::optional<std::string>& algorithm, const std::optional<std::string>& type) {
  if (!algorithm) {
    if (type) throw aws::ApiError(kInvalidRequest, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
    return {};
  }
  const ChecksumMaker known(*algorithm);  // throws for one that is not kept
  const std::string wanted = type.value_or(*algorithm == "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
  const bool composite = wanted == "COMPOSITE";
  if (composite ? *algorithm == "CRC64NVME" : !polynomial_of(*algorithm))
    throw aws::ApiError(kInvalidRequest, fmt::format("The {} checksum type cannot be used with the {} checksum algorithm.", wanted, header_word(*algorithm)));
  return {*algorithm, {}, composite};
}

std::uint64_t join_crcs(std::string_view algorithm, std::uint64_t a, std::uint64_t b, std::uint64_t size_of_b) {
  const Polynomial& polynomial = *polynomial_of(algorithm);
  // What one zero bit behind `a` does to its CRC; squaring doubles the number of bits.
  Map zeros{};
  zeros[0] = polynomial.reversed;
  for (std::size_t i = 1; i < polynomial.bits; ++i) zeros[i] = std::uint64_t{1} << (i - 1);
  for (int bits = 1; bits < 8; bits *= 2) zeros = squared(zeros);
  for (; size_of_b; size_of_b >>= 1, zeros = squared(zeros)) if (size_of_b & 1) a = image(zeros, a);
  return a ^ b;
}

PartsChecksum::PartsChecksum(const Checksum& of_upload) : algorithm_(of_upload.algorithm) {
  if (of_upload.composite) composite_.emplace(algorithm_);
}

void PartsChecksum::add(const std::string& part_base64, std::uint64_t size_bytes) {
  const std::string raw = base64_decode(part_base64).value_or("");
  ++parts_;
  if (composite_) return composite_->update(raw);
  std::uint64_t crc = 0;
  for (char c : raw) crc = crc << 8 | static_cast<unsigned char>(c);
  crc_ = join_crcs(algorithm_, crc_, crc, size_bytes);
}

std::string PartsChecksum::finish() {
  if (composite_) return fmt::format("{}-{}", base64_encode(composite_->finish()), parts_);
  std::string raw;
  storage::append_u64(raw, crc_);
  return base64_encode(raw.substr(raw.size() - (algorithm_ == "CRC64NVME" ? 8 : 4)));
}

}  // namespace parvis::s3
