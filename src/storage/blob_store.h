// storage/blob_store.h: large values (bundles, objects) over a Store.
//
// A blob is written as chunks in many commits and appears whole, in the commit that publishes it; a small one is a
// single commit. Until then, and after remove(), a marker names it as an orphan for collect_orphans(). Blobs never change.
//
// Keys, all under the prefix of the owner (tuple encoded, beginning with account and region):
//   "blob_meta"    id         -> 1, size u64, created ms u64, SHA-256 (32 bytes)
//   "blob_chunk"   id, index  -> at most kBlobChunkBytes
//   "blob_orphan"  id         -> since ms u64
#pragma once

#include <functional>

#include "core/clock.h"
#include "core/entropy.h"
#include "core/hash.h"
#include "storage/store.h"

namespace parvis::storage {

inline constexpr std::size_t kBlobChunkBytes = 256u << 10;
inline constexpr std::uint64_t kBlobBytesMax = std::uint64_t{5} << 30;

struct BlobInfo {
  std::string id;
  std::uint64_t size_bytes = 0;
  Millis created{};
  std::string sha256;  // raw, 32 bytes
};

class BlobStore;

// One caller at a time. Dropped before publish(), it leaves an orphan.
class BlobWriter {
 public:
  // kConflict: it took so long that its chunks were collected. kTooLarge: over kBlobBytesMax.
  awaitable<std::expected<void, StoreError>> write(std::string bytes);
  // Makes the blob visible in one commit with the caller's own `with` (whose checks decide as well). Ends the writer,
  // except that after a kConflict it may be called again with checks that fit what is stored by then.
  awaitable<std::expected<BlobInfo, StoreError>> publish(Commit with = {});
  const std::string& id() const { return info_.id; }

 private:
  friend class BlobStore;
  BlobWriter(BlobStore& store, std::string id) : store_(store), digest_(Digest::Kind::kSha256) { info_.id = std::move(id); }
  awaitable<std::expected<void, StoreError>> flush();
  void take_chunks(Commit& commit, std::uint64_t first);

  BlobStore& store_;
  BlobInfo info_;
  Digest digest_;
  std::string buffer_;
  std::uint64_t chunks_ = 0;             // in the store
  std::optional<Version> marker_;        // of the orphan marker, once there is one
};

// One caller at a time.
class BlobReader {
 public:
  const BlobInfo& info() const { return info_; }
  // The next bytes, at most kBlobChunkBytes; nullopt at the end. Throws StoreFault when the blob was removed and
  // collected meanwhile (kConflict) or a chunk is damaged (kCorruption).
  awaitable<std::optional<std::string>> next();

 private:
  friend class BlobStore;
  BlobReader(BlobStore& store, BlobInfo info, std::uint64_t offset) : store_(store), info_(std::move(info)), at_(offset) {}

  BlobStore& store_;
  BlobInfo info_;
  std::uint64_t at_;
};

class BlobStore {  // thread-safe; what it is given outlives it, and it its writers and readers
 public:
  BlobStore(Store& store, Entropy& entropy, const Clock& clock, std::string prefix)
      : store_(store), entropy_(entropy), clock_(clock), prefix_(std::move(prefix)) {}

  BlobWriter create();
  // A whole blob at once.
  awaitable<std::expected<BlobInfo, StoreError>> put(std::string bytes, Commit with = {});
  awaitable<std::optional<BlobInfo>> find(std::string id);
  // nullopt: no such blob. Reading begins at `offset`.
  awaitable<std::optional<BlobReader>> open(std::string id, std::uint64_t offset = 0);
  // A reader of a blob that the caller knows to have been there: it ends also when the blob is removed meanwhile, as long
  // as its chunks are not collected.
  BlobReader reader(std::string id, std::uint64_t size_bytes, std::uint64_t offset = 0);
  // The whole blob; nullopt: no such blob. For those the caller knows to be small: over `bytes_max` is kTooLarge, thrown.
  awaitable<std::optional<std::string>> read(std::string id, std::uint64_t bytes_max);
  // The blob is gone at once; its chunks go with collect_orphans(), so that readers can end. False: no such blob.
  awaitable<std::expected<bool, StoreError>> remove(std::string id, Commit with = {});
  // Puts the removal of a blob into a commit that is the caller's, so that a record and its blob change together. The
  // checks of `commit` must make sure that the blob is there: removing one twice would make its marker younger.
  void remove_in(Commit& commit, std::string_view id);
  // Deletes the chunks of blobs removed, or never published, since before `before`. The number of blobs. To be called
  // with a `before` further back than the longest upload, or to leave those `in_use` alone; a later publish() of a collected
  // one gets kConflict.
  awaitable<std::expected<std::size_t, StoreError>> collect_orphans(Millis before, std::function<bool(const std::string& id)> in_use = {});

 private:
  friend class BlobWriter;
  friend class BlobReader;
  std::string meta_key(std::string_view id) const;
  std::string chunk_key(std::string_view id, std::uint64_t index) const;
  std::string orphan_key(std::string_view id) const;
  awaitable<std::expected<void, StoreError>> collect(std::string id, std::string marker_key, Version marker);

  Store& store_;
  Entropy& entropy_;
  const Clock& clock_;
  const std::string prefix_;
};

}  // namespace parvis::storage
