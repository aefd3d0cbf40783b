// storage/rocksdb/rocksdb_snapshot.h: reads of the embedded adapter.
//
// A read runs inline while memtables, block cache and the system's page cache can answer it. Only one that needs the disk goes
// to the read pool and resumes its caller on the caller's executor.
#pragma once

#include <atomic>
#include <memory>

#include <boost/asio/thread_pool.hpp>
#include <rocksdb/db.h>

#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/log_guard.h"
#include "storage/store.h"

namespace parvis::storage {

// Threads for reads that miss the cache. Past `waiting_max` reads at once the next ones throw StoreFault (kBusy).
class ReadPool {  // thread-safe
 public:
  ReadPool(std::size_t threads, std::size_t waiting_max) : threads_(threads), waiting_max_(waiting_max) {}
  // Runs `work`, which the caller keeps until then, and throws what it throws.
  awaitable<> run(std::move_only_function<void()> work);
  std::uint64_t reads() const { return reads_; }  // that went to the pool
  void stop() { threads_.join(); }

 private:
  asio::thread_pool threads_;
  const std::size_t waiting_max_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::uint64_t> reads_{0};
};

// What is open of one store. Members close in reverse order: the database before the lock.
struct Database {
  DataDirectory directory;
  std::shared_ptr<LogGuard> log;
  std::unique_ptr<rocksdb::Env> env;  // outlives db
  std::unique_ptr<rocksdb::DB> db;
  std::unique_ptr<ReadPool> reads;
};

class RocksDbSnapshot final : public Snapshot {
 public:
  // What the database holds now, which is all commits up to `stamp`.
  RocksDbSnapshot(std::shared_ptr<Database> database, Stamp stamp);
  ~RocksDbSnapshot() override;
  RocksDbSnapshot(const RocksDbSnapshot&) = delete;
  RocksDbSnapshot& operator=(const RocksDbSnapshot&) = delete;

  enum class Reach { kMemory, kDisk };

  Stamp stamp() const override { return stamp_; }
  awaitable<std::optional<Value>> get(std::string_view key) override;
  awaitable<std::vector<std::optional<Value>>> multi_get(std::vector<std::string> keys) override;
  awaitable<ScanPage> scan(ScanOptions scan) override;

 private:
  using Values = std::vector<std::optional<Value>>;
  // False: more is needed than may be reached.
  bool read_one(std::string_view key, Reach reach, std::optional<Value>& value) const;
  bool read_many(const std::vector<std::string>& keys, Reach reach, Values& values) const;
  bool read_range(const ScanOptions& scan, Reach reach, ScanPage& page) const;
  rocksdb::DB& db() const { return *database_->db; }
  rocksdb::ReadOptions options() const;

  const std::shared_ptr<Database> database_;
  const rocksdb::Snapshot* const snapshot_;
  const Stamp stamp_;
};

}  // namespace parvis::storage
