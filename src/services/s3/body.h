// s3/body.h: bytes on their way in (counted, hashed, compared with what the caller said) and out (blobs, one after another).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "aws/model.h"
#include "services/s3/records.h"
#include "services/s3/uses.h"
#include "storage/blob_store.h"

namespace parvis::s3 {

inline constexpr std::uint64_t kUploadBytesMax = std::uint64_t{5} << 30;

// One checksum of S3's over bytes: CRC32, CRC32C, CRC64NVME, SHA1 or SHA256.
class ChecksumMaker {
 public:
  explicit ChecksumMaker(std::string algorithm);  // throws NotImplemented for another name
  void update(std::string_view bytes);
  std::string finish();  // raw, big endian
  std::size_t size_bytes() const;  // of what finish() gives

 private:
  std::string algorithm_;
  std::uint64_t crc_ = 0;
  std::optional<Digest> digest_;
};

struct BodyClaims {
  std::optional<std::string> content_md5;  // base64
  std::string algorithm;                   // of the checksum to keep
  std::optional<std::string> checksum;     // base64, what it must be
};

// What PutObject and UploadPart say about their bodies. Throws for checksums that are not kept here.
template <class Input>
BodyClaims claims_of(const Input& in);

struct Received {
  std::uint64_t size_bytes = 0;
  std::string md5;  // raw
  Checksum checksum;
};

// Throws: EntityTooLarge, BadDigest, InvalidDigest, IncompleteBody.
awaitable<Received> receive(aws::Body body, BodyClaims claims, storage::BlobWriter& writer);

// `length` bytes of the pieces from `offset`, also when the object is replaced or deleted meanwhile: the pieces are in use
// until the source is gone. `blobs` is owned: the answer may outlive the handler.
std::shared_ptr<http::ByteSource> read_pieces(storage::BlobStore blobs, std::shared_ptr<BlobUses> uses, std::vector<Piece> pieces,
                                              std::uint64_t offset, std::uint64_t length);

[[noreturn]] void refuse_checksum(std::string_view algorithm);

// The checksum that a caller's structure names.
template <class Input>
std::optional<Checksum> claimed_checksum(const Input& in) {
  std::optional<Checksum> named;
  const auto take = [&](const std::optional<std::string>& value, const char* algorithm) {
    if (value) named = Checksum{algorithm, *value, false};
  };
  take(in.checksum_crc32, "CRC32");
  take(in.checksum_crc32_c, "CRC32C");
  take(in.checksum_crc64_nvme, "CRC64NVME");
  take(in.checksum_sha1, "SHA1");
  take(in.checksum_sha256, "SHA256");
  take(in.checksum_sha512, "SHA512");
  take(in.checksum_md5, "MD5");
  take(in.checksum_xxhash64, "XXHASH64");
  take(in.checksum_xxhash3, "XXHASH3");
  take(in.checksum_xxhash128, "XXHASH128");
  return named;
}

std::string header_word(std::string_view algorithm);  // "crc32": as headers and messages spell it

inline std::string checksum_type(const Checksum& checksum) { return checksum.composite ? "COMPOSITE" : "FULL_OBJECT"; }

template <class Input>
BodyClaims claims_of(const Input& in) {
  BodyClaims claims{.content_md5 = in.content_md5, .algorithm = in.checksum_algorithm.value_or("CRC64NVME"), .checksum = {}};
  if (auto named = claimed_checksum(in)) {
    claims.algorithm = named->algorithm;
    claims.checksum = named->value;
  }
  return claims;
}

// The member of an answer that this checksum belongs to.
template <class Output>
void set_checksum(const Checksum& checksum, Output& out) {
  if (checksum.algorithm == "CRC32") out.checksum_crc32 = checksum.value;
  if (checksum.algorithm == "CRC32C") out.checksum_crc32_c = checksum.value;
  if (checksum.algorithm == "CRC64NVME") out.checksum_crc64_nvme = checksum.value;
  if (checksum.algorithm == "SHA1") out.checksum_sha1 = checksum.value;
  if (checksum.algorithm == "SHA256") out.checksum_sha256 = checksum.value;
}

}  // namespace parvis::s3
