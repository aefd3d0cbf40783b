// storage/rocksdb/sequencer.h: validates commits one after the other and gathers them into a write batch.
//
// A commit is compared with everything ordered before it, written or not. An update whose keys have moved since it was
// decided is decided again here, on the newest values: it builds on its predecessor and cannot conflict with it.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "storage/rocksdb/commit_queue.h"
#include "storage/rocksdb/recent_keys.h"

namespace parvis::storage {

inline constexpr std::size_t kVersionBytes = 8;  // big endian, before each stored value

class Sequencer {  // one thread at a time; `db` outlives it
 public:
  Sequencer(rocksdb::DB& db, Stamp last, std::size_t recent_keys_max) : db_(db), last_(last), written_(last), recent_(last, recent_keys_max) {}

  // Fills in the results. The requests stay where they are until written().
  void order(std::vector<PendingCommit>& batch);
  bool has_writes() const { return last_ != written_; }
  // The gathered writes, complete with the batch's stamps.
  rocksdb::WriteBatch& finish();
  // They are in the database.
  void written();
  Stamp last() const { return last_; }

 private:
  CommitResult order_one(PendingCommit& pending);
  std::optional<StoreError> settle_update(PendingCommit& pending);
  std::optional<StoreError> validate(const Commit& commit);
  void append(const Commit& commit, Stamp stamp);
  void append_put(const std::string& key, const std::string& value, Stamp stamp, std::string_view version);
  // False: there is no such key in the database.
  std::expected<bool, StoreError> read(const std::string& key, rocksdb::PinnableSlice& found);
  std::expected<std::optional<Version>, StoreError> current_version(const std::string& key);
  std::expected<std::optional<Value>, StoreError> newest(const std::string& key);

  rocksdb::DB& db_;
  Stamp last_, written_;
  RecentKeys recent_;
  rocksdb::WriteBatch writes_;
};

}  // namespace parvis::storage
