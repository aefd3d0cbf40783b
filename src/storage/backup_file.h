// storage/backup_file.h: reads a backup file record by record. Internal to storage/.
#pragma once

#include <fstream>

#include "core/hash.h"
#include "storage/backup.h"

namespace parvis::storage {

inline constexpr std::string_view kBackupFormat = "parvis-backup 1\n";
inline constexpr std::size_t kBackupHeaderBytesMax = 4096;

class BackupReader {
 public:
  static std::expected<BackupReader, std::string> open(const std::filesystem::path& file);
  // The next record; nullopt: the trailer, and everything before it, is good. An error names the file.
  std::expected<std::optional<Entry>, std::string> next();
  const BackupInfo& info() const { return info_; }

 private:
  explicit BackupReader(const std::filesystem::path& file) : name_(file.string()), in_(file, std::ios::binary) {}
  std::expected<std::string, std::string> take(std::size_t count, bool digested = true);
  std::unexpected<std::string> damaged(std::string_view what) const;
  std::expected<std::optional<Entry>, std::string> trailer();

  std::string name_, last_key_;
  std::ifstream in_;
  Digest digest_{Digest::Kind::kSha256};
  BackupInfo info_;
};

}  // namespace parvis::storage
