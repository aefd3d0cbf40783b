#include "services/s3/versions.h"

#include <algorithm>

#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

constexpr std::size_t kIdRandomBytes = 16;

void drop_bytes(const ObjectRecord& record, storage::BlobStore& blobs, storage::Commit& commit) {
  for (const Piece& piece : record.pieces) blobs.remove_in(commit, piece.blob);
}

}  // namespace

std::string make_version_id(std::uint64_t order, Entropy& entropy) {
  std::string bytes;
  storage::append_u64(bytes, order);
  unsigned char random[kIdRandomBytes];
  entropy.fill(random);
  bytes.append(reinterpret_cast<const char*>(random), kIdRandomBytes);
  std::string id = base64url_encode(bytes);
  std::ranges::replace(id, '-', '.');  // the characters that S3's ids have
  return id;
}

std::optional<std::uint64_t> order_of_version_id(std::string_view id) {
  std::string text(id);
  if (text.find('-') != text.npos) return std::nullopt;
  std::ranges::replace(text, '.', '-');
  const auto bytes = base64url_decode(text);
  if (!bytes || bytes->size() != 8 + kIdRandomBytes) return std::nullopt;
  return storage::load_u64(*bytes);
}

Versions::Versions(const aws::Scope& scope, const BucketRecord& bucket, std::string_view key)
    : versioning_(bucket.versioning), object_key_(s3::object_key(scope, bucket.id, key)), null_key_(s3::null_key(scope, bucket.id, key)),
      versions_(versions_of_key(scope, bucket.id, key)) {}

std::string Versions::key_at(std::uint64_t order) const { return storage::TupleWriter(versions_).u64(~order).take(); }

awaitable<> Versions::load(std::shared_ptr<storage::Snapshot> snapshot, bool for_write) {
  snapshot_ = std::move(snapshot);
  if (const auto value = co_await snapshot_->get(object_key_)) {
    current_ = parse_object(value->bytes);
    object_version_ = value->version;
  }
  if (!versioned() || (current_ && !for_write)) co_return;
  const storage::ScanPage page = co_await snapshot_->scan({.begin = versions_, .end = storage::prefix_end(versions_), .limit = 2});
  for (const storage::Entry& entry : page.entries) others_.push_back({parse_object(entry.value), entry.key, entry.version});
  const auto order = for_write ? co_await snapshot_->get(null_key_) : std::nullopt;
  if (!order) co_return;
  const std::string key = key_at(storage::load_u64(order->bytes));
  if (const auto value = co_await snapshot_->get(key)) null_other_ = StoredVersion{parse_object(value->bytes), key, value->version};
}

awaitable<std::optional<StoredVersion>> Versions::find(std::string version_id) const {
  const bool null = version_id == "null";
  const auto order = order_of_version_id(version_id);
  if (!null && !order) {
    throw aws::ApiError(kInvalidArgument, version_id.empty() ? "Version id cannot be the empty string" : "Invalid version id specified",
                        {{"ArgumentName", "versionId"}, {"ArgumentValue", version_id}});
  }
  const std::string id = null ? std::string() : version_id;
  if (current_ && current_->version_id == id) co_return StoredVersion{*current_, object_key_, *object_version_};
  std::string key;
  if (!null) key = key_at(*order);
  else if (const auto at = co_await snapshot_->get(null_key_)) key = key_at(storage::load_u64(at->bytes));
  if (key.empty()) co_return std::nullopt;
  const auto value = co_await snapshot_->get(key);
  if (!value) co_return std::nullopt;
  StoredVersion found{parse_object(value->bytes), key, value->version};
  if (found.record.version_id != id) co_return std::nullopt;
  co_return found;
}

// Whatever a plan does, the key must still be as it was read.
void Versions::begin(storage::Commit& commit) const {
  commit.check(object_key_, object_version_);
  if (versioned()) commit.guards.push_back({versions_, storage::prefix_end(versions_), snapshot_->stamp()});
}

void Versions::stamp(ObjectRecord& record, Now now) const {
  // The clock may stand still or go back: the order never does.
  record.order = static_cast<std::uint64_t>(now.ms) * 1000;
  if (current_) record.order = std::max(record.order, current_->order + 1);
  if (!others_.empty()) record.order = std::max(record.order, others_[0].record.order + 1);
  record.version_id = versioning_ == "Enabled" ? make_version_id(record.order, now.entropy) : std::string();
  record.modified_ms = now.ms;
}

// Makes room for a new newest version: the one before is kept, unless the new one takes the place of the version "null".
void Versions::retire(Now now, bool keeps_null_key, storage::Commit& commit) const {
  const bool replaces_null = versioning_ != "Enabled";
  if (current_ && replaces_null && current_->version_id.empty()) {
    drop_bytes(*current_, now.blobs, commit);
  } else if (current_) {
    commit.put(key_at(current_->order), to_json(*current_));
    if (current_->version_id.empty()) {
      std::string order;
      storage::append_u64(order, current_->order);
      commit.put(null_key_, std::move(order));
    }
  }
  if (!replaces_null || !null_other_) return;
  commit.erase(null_other_->key);
  drop_bytes(null_other_->record, now.blobs, commit);
  if (!keeps_null_key) commit.erase(null_key_);
}

void Versions::put(ObjectRecord& record, Now now, storage::Commit& commit) const {
  begin(commit);
  stamp(record, now);
  retire(now, false, commit);
  commit.put(object_key_, to_json(record));
}

std::optional<ObjectRecord> Versions::remove(Now now, storage::Commit& commit) const {
  begin(commit);
  if (current_) commit.erase(object_key_);
  if (!versioned()) {
    if (current_) drop_bytes(*current_, now.blobs, commit);
    return std::nullopt;
  }
  ObjectRecord made;
  made.delete_marker = true;
  stamp(made, now);
  const bool null = made.version_id.empty();
  retire(now, null, commit);
  commit.put(key_at(made.order), to_json(made));
  if (null) {
    std::string order;
    storage::append_u64(order, made.order);
    commit.put(null_key_, std::move(order));
  }
  return made;
}

// `next` becomes what GetObject gives, if it is an object.
void Versions::promote(const StoredVersion* next, storage::Commit& commit) const {
  if (!next || next->record.delete_marker) return;
  commit.put(object_key_, to_json(next->record)).erase(next->key);
  if (next->record.version_id.empty()) commit.erase(null_key_);
}

void Versions::remove_version(const StoredVersion& version, Now now, storage::Commit& commit) const {
  begin(commit);
  drop_bytes(version.record, now.blobs, commit);
  if (version.key == object_key_) {
    const bool has_next = !others_.empty() && !others_[0].record.delete_marker;
    if (has_next) promote(&others_[0], commit);
    else commit.erase(object_key_);
    return;
  }
  commit.check(version.key, version.version).erase(version.key);
  if (version.record.version_id.empty()) commit.erase(null_key_);
  const bool was_newest = !current_ && !others_.empty() && others_[0].key == version.key;
  if (was_newest && others_.size() > 1) promote(&others_[1], commit);
}

void Versions::replace(const StoredVersion& version, const ObjectRecord& record, storage::Commit& commit) const {
  commit.check(version.key, version.version).put(version.key, to_json(record));
}

}  // namespace parvis::s3
