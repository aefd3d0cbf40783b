// storage/rocksdb/log_guard.h: keeps a failed write to RocksDB's log and a sync of that log apart.
//
// RocksDB allows a sync beside a write, but asserts (and Debian builds it with assertions) that nobody syncs a log after an
// append to it has failed: a full disk would end the process whenever a sync on another thread came at that moment. So a
// failure is told to RocksDB only when no sync runs, and after it there is none. Source: RocksDB 7.8.3,
// WritableFileWriter::SyncWithoutFlush.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/env.h>

namespace parvis::storage {

class LogGuard {  // thread-safe
 public:
  // Runs `sync`, or gives the failure of the log when there has been one.
  rocksdb::Status sync(const std::function<rocksdb::Status()>& sync);
  // Waits for the sync that runs.
  void failed(const rocksdb::Status& status);

 private:
  std::mutex mutex_;
  rocksdb::Status failure_;  // under mutex_
};

// `under` (nullptr: the operating system), with `guard` told of each failed write to a log. `under` must outlive it.
std::unique_ptr<rocksdb::Env> guarded_env(rocksdb::Env* under, std::shared_ptr<LogGuard> guard);

}  // namespace parvis::storage
