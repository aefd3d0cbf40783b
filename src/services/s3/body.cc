#include "services/s3/body.h"

#include <fmt/format.h>

#include "core/ascii.h"
#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

std::vector<std::string> ids_of(const std::vector<Piece>& pieces) {
  std::vector<std::string> ids;
  for (const Piece& piece : pieces) ids.push_back(piece.blob);
  return ids;
}

class PieceReader final : public http::ByteSource {
 public:
  PieceReader(storage::BlobStore blobs, std::shared_ptr<BlobUses> uses, std::vector<Piece> pieces, std::uint64_t offset, std::uint64_t length)
      : blobs_(std::move(blobs)), use_(std::move(uses), ids_of(pieces)), pieces_(std::move(pieces)), offset_(offset), left_(length) {}

  awaitable<std::optional<std::string>> read() override {
    while (left_ > 0) {
      if (!reader_) {
        while (at_ < pieces_.size() && offset_ >= pieces_[at_].size_bytes) offset_ -= pieces_[at_++].size_bytes;
        if (at_ == pieces_.size()) throw storage::StoreFault(storage::StoreErrc::kCorruption, "an object is shorter than its record says");
        reader_.emplace(blobs_.reader(pieces_[at_].blob, pieces_[at_].size_bytes, offset_));
      }
      auto bytes = co_await reader_->next();
      if (!bytes) {
        reader_.reset();
        offset_ = 0;
        ++at_;
        continue;
      }
      if (bytes->size() > left_) bytes->resize(left_);
      left_ -= bytes->size();
      co_return bytes;
    }
    co_return std::nullopt;
  }

 private:
  storage::BlobStore blobs_;
  const BlobUse use_;
  std::vector<Piece> pieces_;
  std::uint64_t offset_, left_;
  std::size_t at_ = 0;
  std::optional<storage::BlobReader> reader_;
};

awaitable<std::optional<std::string>> next_of(aws::Body& body) {
  if (!body.source) {
    if (body.bytes.empty()) co_return std::nullopt;
    co_return std::exchange(body.bytes, {});
  }
  try {
    co_return co_await body.source->read();
  } catch (const http::BodyError&) {
    throw aws::ApiError(kIncompleteBody, "You did not provide the number of bytes specified by the Content-Length HTTP header");
  }
}

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = bytes * 8 - 8; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
  return out;
}

}  // namespace

std::string header_word(std::string_view algorithm) { return to_lower(algorithm); }

void refuse_checksum(std::string_view algorithm) { refuse(fmt::format("The checksum algorithm {}", algorithm)); }

ChecksumMaker::ChecksumMaker(std::string algorithm) : algorithm_(std::move(algorithm)) {
  if (algorithm_ == "SHA1") digest_.emplace(Digest::Kind::kSha1);
  else if (algorithm_ == "SHA256") digest_.emplace(Digest::Kind::kSha256);
  else if (algorithm_ != "CRC32" && algorithm_ != "CRC32C" && algorithm_ != "CRC64NVME") refuse_checksum(algorithm_);
}

std::size_t ChecksumMaker::size_bytes() const {
  if (algorithm_ == "SHA1") return 20;
  if (algorithm_ == "SHA256") return 32;
  return algorithm_ == "CRC64NVME" ? 8 : 4;
}

void ChecksumMaker::update(std::string_view bytes) {
  if (digest_) digest_->update(bytes);
  else if (algorithm_ == "CRC32") crc_ = crc32(bytes, static_cast<std::uint32_t>(crc_));
  else if (algorithm_ == "CRC32C") crc_ = crc32c(bytes, static_cast<std::uint32_t>(crc_));
  else crc_ = crc64nvme(bytes, crc_);
}

std::string ChecksumMaker::finish() {
  if (digest_) return digest_->finish();
  return big_endian(crc_, algorithm_ == "CRC64NVME" ? 8 : 4);
}

awaitable<Received> receive(aws::Body body, BodyClaims claims, storage::BlobWriter& writer) {
  std::optional<std::string> wanted_md5;
  if (claims.content_md5) {
    wanted_md5 = base64_decode(*claims.content_md5);
    if (!wanted_md5 || wanted_md5->size() != 16) throw aws::ApiError(kInvalidDigest, "The Content-MD5 you specified was invalid.");
  }
  Received out;
  Digest md5(Digest::Kind::kMd5);
  ChecksumMaker checksum(claims.algorithm);
  if (claims.checksum && base64_decode(*claims.checksum).value_or("").size() != checksum.size_bytes())
    throw aws::ApiError(kInvalidRequest, fmt::format("Value for x-amz-checksum-{} header is invalid.", header_word(claims.algorithm)));
  while (auto bytes = co_await next_of(body)) {
    out.size_bytes += bytes->size();
    if (out.size_bytes > kUploadBytesMax) throw aws::ApiError(kEntityTooLarge, "Your proposed upload exceeds the maximum allowed size");
    md5.update(*bytes);
    checksum.update(*bytes);
    if (auto written = co_await writer.write(std::move(*bytes)); !written) throw to_api_error(written.error());
  }
  out.md5 = md5.finish();
  out.checksum = {claims.algorithm, base64_encode(checksum.finish()), false};
  if (wanted_md5 && *wanted_md5 != out.md5) throw aws::ApiError(kBadDigest, "The Content-MD5 you specified did not match what we received.");
  if (claims.checksum && *claims.checksum != out.checksum.value)
    throw aws::ApiError(kBadDigest, fmt::format("The {} you specified did not match the calculated checksum.", claims.algorithm));
  co_return out;
}

std::shared_ptr<http::ByteSource> read_pieces(storage::BlobStore blobs, std::shared_ptr<BlobUses> uses, std::vector<Piece> pieces,
                                              std::uint64_t offset, std::uint64_t length) {
  return std::make_shared<PieceReader>(std::move(blobs), std::move(uses), std::move(pieces), offset, length);
}

}  // namespace parvis::s3
