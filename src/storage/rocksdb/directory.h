// storage/rocksdb/directory.h: the data directory around RocksDB's own files.
//
//   LOCK     held with flock while a process has the store open; names that process
//   FORMAT   "parvis-store 1": written last when a store is made; a newer number is refused
//   DURABLE  the highest stamp known to be synced, in two slots of {magic, stamp, crc32c} at 0 and 4096
//   db/      RocksDB
//
// The durable mark is written after each sync and never before, so it is never ahead of the data: a store that
// recovers less than its mark has lost acknowledged commits and is not opened.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "storage/store.h"

namespace parvis::storage {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

class DurableMark {
 public:
  // Opens or, with `create`, makes the file. An error names it.
  static std::expected<DurableMark, std::string> open(const std::filesystem::path& path, bool create);
  Stamp stamp() const { return stamp_; }
  // Written to the operating system at once (survives kill -9); sync() makes it survive a power loss.
  void advance(Stamp stamp);
  void sync();

 private:
  FileDescriptor file_;
  Stamp stamp_ = 0;
  unsigned slot_ = 0;
  bool dirty_ = false;
};

class DataDirectory {
 public:
  // Creates `dir`, takes its lock and checks its format.
  static std::expected<DataDirectory, std::string> open(const std::filesystem::path& dir);
  std::filesystem::path database() const { return dir_ / "db"; }
  std::filesystem::path format_path() const { return dir_ / "FORMAT"; }
  bool is_new() const { return is_new_; }
  DurableMark& mark() { return mark_; }
  // Writes FORMAT: the store is complete.
  std::expected<void, std::string> finish_creation();

 private:
  std::filesystem::path dir_;
  FileDescriptor lock_;
  DurableMark mark_;
  bool is_new_ = false;
};

}  // namespace parvis::storage
