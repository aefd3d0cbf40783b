// s3/records.h: buckets, objects, uploads and parts as they are stored: JSON with a `format` number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parvis::s3 {

struct CorsRule {
  std::string id;  // may be empty
  std::vector<std::string> origins, methods, headers, exposed;
  std::optional<int> max_age_seconds;
};

struct Encryption {
  std::string algorithm = "AES256";
  std::string key_id;  // of aws:kms; may be empty
  bool bucket_key = false;
  std::vector<std::string> blocked;  // EncryptionType: "NONE", "SSE-C"
};

struct PublicAccessBlock {
  bool block_acls = true, ignore_acls = true, block_policy = true, restrict_buckets = true;
};

// What a new bucket has is what S3 gives new buckets (S3 User Guide: since April 2023 no ACLs and no public access).
struct BucketRecord {
  std::string id;  // of this bucket and no later one of the same name
  std::int64_t created_ms = 0;
  std::map<std::string, std::string> tags;
  std::optional<std::string> policy;
  std::string versioning;  // "Enabled", "Suspended"; empty: never was
  Encryption encryption;
  std::optional<PublicAccessBlock> public_access = PublicAccessBlock{};
  bool ownership = true;  // BucketOwnerEnforced is set; false: the setting was deleted
  std::vector<CorsRule> cors;
};

struct Piece {  // a blob: the object, or one part of a multipart upload
  std::string blob;
  std::uint64_t size_bytes = 0;
  int number = 1;        // of the part
  std::string checksum;  // of the part, base64; empty when the upload keeps none
};

struct Checksum {
  std::string algorithm;  // "CRC32"; empty: none
  std::string value;      // base64, of a composite with "-N"
  bool composite = false;
};

struct ObjectRecord {  // one version of an object, or a delete marker
  std::string version_id;   // empty: "null"
  std::uint64_t order = 0;  // of the versions of one key, rising; microseconds of the wall clock where those rise
  bool delete_marker = false;
  std::map<std::string, std::string> tags;
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
  ObjectRecord object;  // headers, metadata, tags and the checksum's algorithm; `modified_ms` is when it began
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
