// storage/rocksdb/resident_reads.h: reads of table files that take only what the system holds in memory.
//
// A block that is not in RocksDB's cache is mostly still in the system's page cache, and copying it from there is cheaper than
// handing the read to another thread. While a ResidentOnly lives on a thread, a read of a table on it never waits for the
// disk: what is not resident fails the read and is noted. Source: preadv2(2), RWF_NOWAIT.
#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace parvis::storage {

class ResidentOnly {  // one at a time on a thread; no coroutine is suspended while it lives
 public:
  ResidentOnly();
  ~ResidentOnly();
  ResidentOnly(const ResidentOnly&) = delete;
  ResidentOnly& operator=(const ResidentOnly&) = delete;
  // A read was refused: what came of it is worthless, whatever status it has, and is to be read again without this.
  bool missed() const;
};

// `under`, whose table files know ResidentOnly. With `is_system` they are the operating system's own; other files hold nothing
// resident. So it is on a file system that cannot say what is (RWF_NOWAIT).
std::shared_ptr<rocksdb::FileSystem> with_resident_reads(const std::shared_ptr<rocksdb::FileSystem>& under, bool is_system);

}  // namespace parvis::storage
