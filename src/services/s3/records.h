// s3/records.h: buckets, objects, uploads and parts as they are stored: JSON with a `format` number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parvis::s3 {

struct BucketRecord {
  std::string id;  // of this bucket and no later one of the same name
  std::int64_t created_ms = 0;
  std::map<std::string, std::string> tags;
  std::optional<std::string> policy;
};

struct Piece {  // a blob
  std::string blob;
  std::uint64_t size_bytes = 0;
};

struct Checksum {
  std::string algorithm;  // "CRC32"; empty: none
  std::string value;      // base64, of a composite with "-N"
  bool composite = false;
};

struct ObjectRecord {
  std::vector<Piece> pieces;
  std::uint64_t size_bytes = 0;
  std::string etag;  // without quotes
  std::int64_t modified_ms = 0;
  Checksum checksum;
  std::map<std::string, std::string> headers;   // "Content-Type", …: those that GetObject gives back
  std::map<std::string, std::string> metadata;  // without "x-amz-meta-"
};

struct UploadRecord {
  std::string key;
  ObjectRecord object;  // headers, metadata and the checksum's algorithm
};

struct PartRecord {
  Piece piece;
  std::string etag;
  std::int64_t modified_ms = 0;
  Checksum checksum;
};

std::string to_json(const BucketRecord& record);
std::string to_json(const ObjectRecord& record);
std::string to_json(const UploadRecord& record);
std::string to_json(const PartRecord& record);
// Throw InternalError, with a line in the log, when the bytes are no such record.
BucketRecord parse_bucket(std::string_view bytes);
ObjectRecord parse_object(std::string_view bytes);
UploadRecord parse_upload(std::string_view bytes);
PartRecord parse_part(std::string_view bytes);

// Source: S3 User Guide, "General purpose bucket naming rules".
bool valid_bucket_name(std::string_view name);

}  // namespace parvis::s3
