// Makes a RocksDB store from a backup. FORMAT is written last, so a restore that was cut off leaves no store.
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include "storage/backup.h"
#include "storage/backup_file.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/recovery.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = 4u << 20;

// Every batch carries the backup's stamp: data without FORMAT beside it is then refused as what it is, half of a store.
std::expected<void, std::string> write(rocksdb::DB& db, rocksdb::WriteBatch& batch, Stamp stamp, bool last) {
  batch.Put(rocksdb::Slice(kStampKey.data(), kStampKey.size()), encode_stamps(stamp, 0));
  rocksdb::WriteOptions options;
  options.sync = last;
  const rocksdb::Status status = db.Write(options, &batch);
  batch.Clear();
  if (!status.ok()) return std::unexpected("the restore could not be written: " + status.ToString());
  return {};
}

bool sync_folder(const fs::path& dir) {
  const FileDescriptor folder(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.get() >= 0 && ::fsync(folder.get()) == 0;
}

std::expected<BackupInfo, std::string> copy(BackupReader& reader, rocksdb::DB& db) {
  rocksdb::WriteBatch batch;
  for (;;) {
    const auto record = reader.next();
    if (!record) return std::unexpected(record.error());
    if (!*record) break;
    std::string version;
    append_u64(version, (*record)->version);
    const rocksdb::Slice key((*record)->key), value[] = {version, (*record)->value};
    batch.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(value, 2));
    if (batch.GetDataSize() < kBatchBytes) continue;
    if (auto done = write(db, batch, reader.info().stamp, false); !done) return std::unexpected(done.error());
  }
  if (auto done = write(db, batch, reader.info().stamp, true); !done) return std::unexpected(done.error());
  return reader.info();
}

}  // namespace

std::expected<BackupInfo, std::string> restore_rocksdb_store(const fs::path& file, const fs::path& dir) {
  std::error_code failed;
  if (fs::exists(dir, failed) && !fs::is_empty(dir, failed))
    return std::unexpected(fmt::format("{}: is not empty; restore into a new data directory", dir.string()));
  const auto checked = check_backup(file);
  if (!checked) return std::unexpected(checked.error());
  auto directory = DataDirectory::open(dir);
  if (!directory) return std::unexpected(directory.error());
  auto opened = open_database(*directory, SyncMode::kAlways, {});
  if (!opened) return std::unexpected(opened.error());
  // Opening made an empty store. Without FORMAT it is none until the last record is in.
  fs::remove(directory->format_path(), failed);
  if (failed || !sync_folder(dir)) return std::unexpected(fmt::format("{}: cannot be written", dir.string()));
  auto reader = BackupReader::open(file);
  if (!reader) return std::unexpected(reader.error());
  auto copied = copy(*reader, *opened->db);
  if (!copied) return copied;
  directory->mark().advance(copied->stamp);
  directory->mark().sync();
  if (auto done = directory->finish_creation(); !done) return std::unexpected(done.error());
  return copied;
}

}  // namespace parvis::storage
