// storage/rocksdb/rocksdb_store.h: the embedded adapter of Store.
//
// Two threads take turns: one orders all commits that wait and writes them as one batch while the other syncs the batch
// before. Callers are resumed on their own executors once everything that they depend on is durable, those of one executor
// together. Reads run inline on the caller's thread; only what needs the disk goes to a pool. Snapshots show only what was
// synced (kAlways) or handed to the operating system (kRelaxed).
// The store must outlive the commits in flight; a Snapshot may outlive the store, but keeps its files and lock held.
#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "storage/store.h"

namespace rocksdb {
class Env;
}

namespace parvis::storage {

enum class SyncMode {
  kAlways,   // an acknowledged commit survives kill -9 and power loss
  kRelaxed,  // survives kill -9; a power loss may take the last second, never a part of a commit
};

struct RocksDbStoreOptions {
  // Blocks of tables, their indexes and filters. With the memory of new data (three write buffers at most) it bounds the store.
  std::size_t cache_bytes = 128u << 20;
  // Waiting commits; more are refused with kBusy.
  std::size_t queue_commits_max = 8192;
  std::size_t queue_bytes_max = 128u << 20;
  // Keys of recent commits that are remembered for range guards; a guard from before them is a conflict.
  std::size_t recent_keys_max = 32768;
  // Of new data in memory and in the log before it becomes a table: what a restart after kill -9 has to replay.
  std::size_t write_buffer_bytes = 24u << 20;
  std::size_t read_threads = 2;  // for reads that need the disk
  std::size_t reads_waiting_max = 10'000;
  rocksdb::Env* env = nullptr;  // nullptr: the operating system; tests give one that fails. Outlives the store.
};

// Opens or creates the store in `dir`. The error is a sentence for the person who started the platform: it names the
// process that holds the directory, or the file that is damaged, missing or of a newer format.
std::expected<std::unique_ptr<Store>, std::string> open_rocksdb_store(const std::filesystem::path& dir, SyncMode mode,
                                                                      RocksDbStoreOptions options = {});

}  // namespace parvis::storage
