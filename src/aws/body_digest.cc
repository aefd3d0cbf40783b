#include "aws/body_digest.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/ascii.h"
#include "core/hash.h"

namespace parvis::aws {
namespace {

constexpr ErrorSpec kBadDigest{"BadDigest", 400, Fault::kClient};
constexpr ErrorSpec kInvalidDigest{"InvalidDigest", 400, Fault::kClient};
constexpr ErrorSpec kInvalidRequest{"InvalidRequest", 400, Fault::kClient};
constexpr ErrorSpec kNotImplemented{"NotImplemented", 501, Fault::kServer};
constexpr std::string_view kChecksumPrefix = "x-amz-checksum-";

template <class Word>
std::string big_endian(Word value) {
  std::string out;
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
  return out;
}

// The raw checksum; nullopt: an algorithm that is not made here.
std::optional<std::string> checksum_of(std::string_view algorithm, std::string_view bytes) {
  if (algorithm == "CRC32") return big_endian(crc32(bytes));
  if (algorithm == "CRC32C") return big_endian(crc32c(bytes));
  if (algorithm == "CRC64NVME") return big_endian(crc64nvme(bytes));
  if (algorithm == "SHA1") return std::string(as_bytes(sha1(bytes)));
  if (algorithm == "SHA256") return std::string(as_bytes(sha256(bytes)));
  return std::nullopt;
}

void check_checksum(const std::string& header, std::string_view claimed, std::string_view body) {
  std::string algorithm = header.substr(kChecksumPrefix.size());
  for (char& c : algorithm) if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const std::optional<std::string> made = checksum_of(algorithm, body);
  if (!made) throw ApiError(kNotImplemented, fmt::format("The checksum algorithm {} is not available on this platform yet.", algorithm.substr(0, 32)));
  const std::optional<std::string> raw = base64_decode(claimed);
  if (!raw || raw->size() != made->size()) throw ApiError(kInvalidRequest, fmt::format("Value for {} header is invalid.", header));
  if (*raw != *made) throw ApiError(kBadDigest, fmt::format("The {} you specified did not match the calculated checksum.", algorithm));
}

}  // namespace

void check_body_digest(const OperationModel& op, const http::Request& request) {
  if (std::ranges::any_of(op.input->members, [](const Member& m) { return m.shape->kind == Kind::kStream; })) return;
  if (const auto claimed = request.headers.find("Content-MD5")) {
    const std::optional<std::string> raw = base64_decode(*claimed);
    if (!raw || raw->size() != sizeof(Md5Digest)) throw ApiError(kInvalidDigest, "The Content-MD5 you specified was invalid.");
    if (*raw != as_bytes(md5(request.body))) throw ApiError(kBadDigest, "The Content-MD5 you specified did not match what we received.");
  }
  for (const auto& [name, value] : request.headers) {
    const std::string header = to_lower(name);
    if (!header.starts_with(kChecksumPrefix) || header == "x-amz-checksum-mode" || header == "x-amz-checksum-type" || header == "x-amz-checksum-algorithm") continue;
    const bool bound = std::ranges::any_of(op.input->members, [&](const Member& m) { return m.location == Location::kHeader && m.wire == header; });
    if (!bound) check_checksum(header, value, request.body);
  }
}

}  // namespace parvis::aws
