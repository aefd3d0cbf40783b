// s3/versions.h: the versions of one object, and what a write does to them.
//
// What GetObject gives stands under the key "object"; older versions and all delete markers stand under "version", newest
// first. A key whose newest version is a delete marker has no "object", so a listing never walks over deleted objects.
// Source: S3 User Guide, "Using versioning in S3 buckets".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/s3/keyspace.h"
#include "services/s3/records.h"
#include "storage/blob_store.h"

namespace parvis::s3 {

// A version id is 32 characters: where the version stands among those of its key, and 128 random bits.
std::string make_version_id(std::uint64_t order, Entropy& entropy);
// nullopt: no id that was ever made here.
std::optional<std::uint64_t> order_of_version_id(std::string_view id);
// As the wire has it: "null" for the version without an id.
inline std::string shown_version(const ObjectRecord& record) { return record.version_id.empty() ? "null" : record.version_id; }

struct StoredVersion {
  ObjectRecord record;
  std::string key;
  storage::Version version = 0;
};

// One key of a bucket as one snapshot has it. The plans add to a commit that fails when anything here has changed since;
// the caller adds the check of the bucket, and what `blobs` removes is marked in the same commit.
class Versions {
 public:
  Versions(const aws::Scope& scope, const BucketRecord& bucket, std::string_view key);
  // `for_write`: also what only the plans need.
  awaitable<> load(std::shared_ptr<storage::Snapshot> snapshot, bool for_write);

  const ObjectRecord* current() const { return current_ ? &*current_ : nullptr; }  // what GetObject gives
  // A delete marker that hides the object; nullptr: none.
  const ObjectRecord* marker() const { return !current_ && !others_.empty() ? &others_[0].record : nullptr; }
  // "null" or an id. nullopt: there is none. Throws InvalidArgument for what is no id.
  awaitable<std::optional<StoredVersion>> find(std::string version_id) const;

  struct Now {
    std::int64_t ms;
    Entropy& entropy;
    storage::BlobStore& blobs;
  };
  // The new newest version; sets its order and id.
  void put(ObjectRecord& record, Now now, storage::Commit& commit) const;
  // DeleteObject without a version: the delete marker that was made, if the bucket has versions.
  std::optional<ObjectRecord> remove(Now now, storage::Commit& commit) const;
  void remove_version(const StoredVersion& version, Now now, storage::Commit& commit) const;
  // The same version with another record (tags).
  void replace(const StoredVersion& version, const ObjectRecord& record, storage::Commit& commit) const;

 private:
  bool versioned() const { return !versioning_.empty(); }
  std::string key_at(std::uint64_t order) const;
  void begin(storage::Commit& commit) const;
  void stamp(ObjectRecord& record, Now now) const;
  void retire(Now now, bool keeps_null_key, storage::Commit& commit) const;
  void promote(const StoredVersion* next, storage::Commit& commit) const;

  const std::string versioning_, object_key_, null_key_, versions_;
  std::shared_ptr<storage::Snapshot> snapshot_;
  std::optional<storage::Version> object_version_;
  std::optional<ObjectRecord> current_;
  std::vector<StoredVersion> others_;        // the newest two of those under "version"
  std::optional<StoredVersion> null_other_;  // the version "null", when it is among them
};

}  // namespace parvis::s3
