// storage/backup.h: a whole store as one file, read through a snapshot, so that it is consistent while the store serves.
//
//   parvis-backup 1\n                     the format
//   {"stamp":…,"created":…,"by":…}\n      the snapshot's stamp, when and by which version it was made; at most 4 KiB
//   records   'E', key length u32, value length u32, version u64, key, value       (big endian, ascending keys)
//   trailer   'T', records u64, SHA-256 of every byte before the digest itself
//
// Nothing of a file is trusted before its digest has been checked. Versions and stamps come back as they were: what refers to
// them (streams, sequence numbers) goes on where it stopped.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/async.h"
#include "core/clock.h"
#include "storage/store.h"

namespace parvis::storage {

struct BackupInfo {
  Stamp stamp = 0;
  std::string created, by;
  std::uint64_t records = 0, bytes = 0;  // bytes: of the file
};

// Gives the file piece by piece, about 1 MiB each, to `write`. Throws what `write` and the snapshot throw.
awaitable<BackupInfo> write_backup(std::shared_ptr<Snapshot> snapshot, Millis now, std::string by, std::function<awaitable<>(std::string)> write);

// Reads the whole file and checks format, order and digest. The error is a sentence that names the file. Blocking.
std::expected<BackupInfo, std::string> check_backup(const std::filesystem::path& file);

// Makes a RocksDB store in `dir`, which must not exist or be empty, from a file. Checks it first. An error leaves `dir` without a
// store that could be opened. Blocking.
std::expected<BackupInfo, std::string> restore_rocksdb_store(const std::filesystem::path& file, const std::filesystem::path& dir);

}  // namespace parvis::storage
