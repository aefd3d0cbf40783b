// aws/aws_chunked.h: S3's chunked uploads (Content-Encoding: aws-chunked), with signed chunks and checksum trailers.
// Source: Amazon S3 API Reference, "Signature calculations for the Authorization header: transferring payload in multiple
// chunks", also "with trailing headers".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"

namespace parvis::aws {

struct ChunkSigning {  // absent parts: the chunks are unsigned
  std::string key;     // the derived signing key
  std::string date;    // "20261123T100000Z"
  std::string scope;   // "20261123/us-east-1/s3/aws4_request"
  std::string signature;  // the seed; replaced by each chunk's
};

class AwsChunkedDecoder {
 public:
  enum class Error { kNone, kMalformed, kSignature, kChecksum, kLength, kTooLarge };
  struct Options {
    std::optional<ChunkSigning> signing;
    bool has_trailer = false;
    std::vector<std::string> trailer_names;  // lower case, from X-Amz-Trailer
    std::optional<std::uint64_t> decoded_length;
  };
  explicit AwsChunkedDecoder(Options options);
  // Decodes `bytes`, appending to `out` only what has passed its signature.
  Error push(std::string_view bytes, std::string& out);
  Error finish() const;  // once no more bytes come

 private:
  enum class State { kHeader, kData, kDataEnd, kTrailer, kDone };
  Error read_header(std::string_view line);
  Error end_chunk(std::string& out);
  Error read_trailer(std::string_view line);
  Error end_trailer();
  bool check_signature(std::string_view kind, std::string_view hashes, std::string_view signature);
  void take_data(std::string_view bytes, std::string& out);

  Options options_;
  State state_ = State::kHeader;
  std::string line_, pending_, chunk_signature_, trailer_lines_, trailer_signature_;
  std::vector<std::pair<std::string, std::string>> trailers_;
  std::uint64_t left_ = 0, total_ = 0;
  bool last_ = false;
  Digest sha256_{Digest::Kind::kSha256}, sha1_{Digest::Kind::kSha1};
  std::uint32_t crc32_ = 0, crc32c_ = 0;
  std::uint64_t crc64nvme_ = 0;
};

}  // namespace parvis::aws
