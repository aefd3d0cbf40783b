// storage/rocksdb/recovery.h: opens RocksDB so that nothing acknowledged is missing, or not at all.
//
// Each write batch ends with a put of the empty key: {last stamp, stamp before the batch}, 8 bytes big endian each. It
// chains the batches of the logs to each other and to the tables, so a hole in the middle is seen; the durable mark
// (directory.h) shows a missing end. What is missing beyond both was never acknowledged: it is the torn, unsynced tail.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include <rocksdb/db.h>

#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/log_guard.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace parvis::storage {

inline constexpr std::string_view kStampKey = "";
std::string encode_stamps(Stamp last, Stamp previous);
struct BatchStamps {
  Stamp last, previous;
};
std::optional<BatchStamps> decode_stamps(std::string_view value);

struct OpenedDatabase {
  std::shared_ptr<LogGuard> log;
  std::unique_ptr<rocksdb::Env> env;  // outlives db
  std::unique_ptr<rocksdb::DB> db;
  Stamp last = 0;
};
// The error names the file that is damaged or short.
std::expected<OpenedDatabase, std::string> open_database(DataDirectory& directory, SyncMode mode,
                                                         const RocksDbStoreOptions& options);

}  // namespace parvis::storage
