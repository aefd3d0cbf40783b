// s3/keyspace.h: what this service stores, and under which keys (tuples, storage/tuple.h).
//
//   (account, region, "s3", "bucket", name)                 a bucket, JSON (records.h)
//   (account, region, "s3", "object", bucket id, key)       the object that GetObject gives: its parts are blobs; JSON
//   (account, region, "s3", "version", bucket id, key, ~order u64)
//                                                           its other versions, newest first, and all delete markers; JSON
//   (account, region, "s3", "null", bucket id, key)         order u64 of the version "null", when it is among those
//   (account, region, "s3", "upload", bucket id, upload id) a multipart upload in progress, JSON
//   (account, region, "s3", "part", upload id, number u64)  one part of it, JSON
//   (account, region, "s3", "data") and on                  bytes, as storage/blob_store.h lays blobs out
#pragma once

#include <string>
#include <string_view>

#include "aws/api_call.h"
#include "storage/tuple.h"

namespace parvis::s3 {

inline storage::TupleWriter space(const aws::Scope& scope, std::string_view kind) {
  storage::TupleWriter out;
  out.string(scope.account).string(scope.region).string("s3").string(kind);
  return out;
}

inline std::string bucket_prefix(const aws::Scope& scope) { return space(scope, "bucket").take(); }
inline std::string bucket_key(const aws::Scope& scope, std::string_view name) { return space(scope, "bucket").string(name).take(); }
inline std::string object_prefix(const aws::Scope& scope, std::string_view bucket_id) {
  return space(scope, "object").string(bucket_id).take();
}
inline std::string object_key(const aws::Scope& scope, std::string_view bucket_id, std::string_view key) {
  return space(scope, "object").string(bucket_id).string(key).take();
}
// What the keys of all objects whose names begin with `start` begin with: an element without its two bytes of end.
inline std::string object_start(const aws::Scope& scope, std::string_view bucket_id, std::string_view start) {
  std::string key = object_key(scope, bucket_id, start);
  key.resize(key.size() - 2);
  return key;
}
inline std::string version_prefix(const aws::Scope& scope, std::string_view bucket_id) {
  return space(scope, "version").string(bucket_id).take();
}
inline std::string versions_of_key(const aws::Scope& scope, std::string_view bucket_id, std::string_view key) {
  return space(scope, "version").string(bucket_id).string(key).take();
}
inline std::string version_start(const aws::Scope& scope, std::string_view bucket_id, std::string_view start) {
  std::string key = versions_of_key(scope, bucket_id, start);
  key.resize(key.size() - 2);
  return key;
}
inline std::string version_key(const aws::Scope& scope, std::string_view bucket_id, std::string_view key, std::uint64_t order) {
  return space(scope, "version").string(bucket_id).string(key).u64(~order).take();
}
inline std::string null_key(const aws::Scope& scope, std::string_view bucket_id, std::string_view key) {
  return space(scope, "null").string(bucket_id).string(key).take();
}
inline std::string upload_prefix(const aws::Scope& scope, std::string_view bucket_id) {
  return space(scope, "upload").string(bucket_id).take();
}
inline std::string upload_key(const aws::Scope& scope, std::string_view bucket_id, std::string_view id) {
  return space(scope, "upload").string(bucket_id).string(id).take();
}
inline std::string part_prefix(const aws::Scope& scope, std::string_view upload_id) {
  return space(scope, "part").string(upload_id).take();
}
inline std::string part_key(const aws::Scope& scope, std::string_view upload_id, std::uint64_t number) {
  return space(scope, "part").string(upload_id).u64(number).take();
}
inline std::uint64_t part_number_of(std::string_view key) { return storage::load_u64(key.substr(key.size() - 8)); }
inline std::string data_prefix(const aws::Scope& scope) { return space(scope, "data").take(); }

}  // namespace parvis::s3
