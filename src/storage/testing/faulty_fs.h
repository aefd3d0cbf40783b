// storage/testing/faulty_fs.h: a file system for RocksDB that loses power.
//
// It dies by itself after a number of writes and syncs, or with die(): from then on every change fails. forget() then
// cuts each file somewhere between its last synced byte and its end, as a disk may.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <random>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace parvis::storage::testing {

class FaultyFs final : public rocksdb::FileSystemWrapper {  // thread-safe
 public:
  FaultyFs(std::uint64_t seed, std::uint64_t operations_left)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), rng_(seed), operations_left_(operations_left) {}
  const char* Name() const override { return "parvis.FaultyFs"; }

  void die() {
    const std::lock_guard lock(mutex_);
    operations_left_ = 0;
  }
  bool dead() const {
    const std::lock_guard lock(mutex_);
    return operations_left_ == 0;
  }
  // While held, a sync waits.
  void hold_syncs(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    released_.notify_all();
  }
  // After the store is closed. Returns how many bytes were lost.
  std::uint64_t forget() {
    const std::lock_guard lock(mutex_);
    std::uint64_t lost = 0;
    for (const auto& [path, synced] : synced_) {
      std::error_code error;
      const std::uint64_t size = std::filesystem::file_size(path, error);
      if (error || size <= synced) continue;
      const std::uint64_t kept = synced + (rng_() % 2 ? 0 : rng_() % (size - synced + 1));
      std::filesystem::resize_file(path, kept, error);
      lost += size - kept;
    }
    return lost;
  }

  using IOStatus = rocksdb::IOStatus;
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* debug) override {
    if (dead()) return failure();
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const IOStatus status = target()->NewWritableFile(path, options, &file, debug);
    if (!status.ok()) return status;
    const std::lock_guard lock(mutex_);
    synced_[path] = 0;
    *result = std::make_unique<File>(*this, path, std::move(file));
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* debug) override {
    if (dead()) return failure();
    const IOStatus status = target()->RenameFile(from, to, options, debug);
    const std::lock_guard lock(mutex_);
    if (auto node = synced_.extract(from)) synced_[to] = node.mapped();
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (dead()) return failure();
    const std::lock_guard lock(mutex_);
    synced_.erase(path);
    return target()->DeleteFile(path, options, debug);
  }

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(FaultyFs& fs, std::string path, std::unique_ptr<rocksdb::FSWritableFile> file)
        : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs), path_(std::move(path)) {}
    IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      if (fs_.spend()) return failure();
      return target()->Append(data, options, debug);
    }
    IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options, const rocksdb::DataVerificationInfo&,
                    rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }
    IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      const std::uint64_t size = target()->GetFileSize(options, debug);
      fs_.wait_while_held();
      if (fs_.spend()) return failure();
      // The real sync is spared: forget() decides what is lost.
      fs_.note_synced(path_, size);
      return IOStatus::OK();
    }
    IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override { return Sync(options, debug); }
    IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      return fs_.dead() ? failure() : target()->Truncate(size, options, debug);
    }

   private:
    FaultyFs& fs_;
    const std::string path_;
  };

  static IOStatus failure() { return IOStatus::IOError("the power is off"); }
  void wait_while_held() {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !held_; });
  }
  // True: dead.
  bool spend() {
    const std::lock_guard lock(mutex_);
    if (operations_left_ > 0) --operations_left_;
    return operations_left_ == 0;
  }
  void note_synced(const std::string& path, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    const auto it = synced_.find(path);
    if (it != synced_.end()) it->second = std::max(it->second, size);
  }

  mutable std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
  std::mt19937_64 rng_;
  std::uint64_t operations_left_;
  std::map<std::string, std::uint64_t> synced_;  // path -> bytes that survive
};

}  // namespace parvis::storage::testing
