#include "storage/rocksdb/recovery.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include "storage/tuple.h"

namespace parvis::storage {
namespace {

class StampReader : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(std::uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (key.ToStringView() == kStampKey) stamps = decode_stamps(value.ToStringView());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t, const rocksdb::Slice&) override { return rocksdb::Status::OK(); }

  std::optional<BatchStamps> stamps;
};

// Sees every batch of the logs before RocksDB replays it.
class ChainFilter : public rocksdb::WalFilter {
 public:
  // `tables`: the stamp that the tables hold without any log.
  explicit ChainFilter(Stamp tables) : seen_(tables) {}
  const char* Name() const override { return "parvis.chain"; }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string& file, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    last_file_ = file;
    StampReader reader;
    if (!batch.Iterate(&reader).ok() || !reader.stamps) {
      if (batch.Count() == 0) return WalProcessingOption::kContinueProcessing;
      problem_ = fmt::format("{}: a record without a stamp", file);
      return WalProcessingOption::kCorruptedRecord;
    }
    if (reader.stamps->previous > seen_) {
      problem_ = fmt::format("{}: a record that follows stamp {}, but the data before it ends at {}", file,
                             reader.stamps->previous, seen_);
      return WalProcessingOption::kCorruptedRecord;
    }
    seen_ = std::max(seen_, reader.stamps->last);
    return WalProcessingOption::kContinueProcessing;
  }
  const std::string& problem() const { return problem_; }
  const std::string& last_file() const { return last_file_; }

 private:
  Stamp seen_;
  std::string problem_, last_file_;
};

// Shows the tables alone.
class NoLogsFilter : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "parvis.no_logs"; }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch&,
                                     rocksdb::WriteBatch*, bool*) override {
    return WalProcessingOption::kStopReplay;
  }
};

rocksdb::Options database_options(const RocksDbStoreOptions& options, rocksdb::Env& env) {
  rocksdb::Options out;
  out.env = &env;
  out.paranoid_checks = true;
  out.verify_sst_unique_id_in_manifest = true;
  // The store begins a new memtable by itself, when the log is synced. This is only the bound that it stays below.
  out.write_buffer_size = options.write_buffer_bytes * 4;
  out.max_write_buffer_number = 3;
  out.max_background_jobs = 2;
  out.keep_log_file_num = 3;
  out.max_log_file_size = 4u << 20;
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  out.wal_bytes_per_sync = 1u << 20;
  out.bytes_per_sync = 1u << 20;
  // Also where the oldest data lies: a point read that misses the cache would spend a third of its time on ZSTD.
  out.compression = rocksdb::kLZ4Compression;
  out.level_compaction_dynamic_level_bytes = true;
  rocksdb::BlockBasedTableOptions table;
  // Indexes and filters are blocks of the cache too, or a large store would grow past its bound; those of the newest tables
  // stay. Blocks of 8 KiB halve the indexes.
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes, /*num_shard_bits=*/4);
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = 8u << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

std::expected<std::optional<BatchStamps>, std::string> read_stamps(rocksdb::DB& db, const std::string& path) {
  std::string value;
  const rocksdb::Status status = db.Get({}, kStampKey, &value);
  if (status.IsNotFound()) return std::optional<BatchStamps>();
  if (!status.ok()) return std::unexpected(fmt::format("{}: {}", path, status.ToString()));
  const auto stamps = decode_stamps(value);
  if (!stamps) return std::unexpected(fmt::format("{}: the stored stamp is damaged", path));
  return stamps;
}

// The stamp of the tables alone; 0 when they are empty.
std::expected<Stamp, std::string> stamp_of_tables(rocksdb::Options options, const std::string& path) {
  NoLogsFilter filter;
  options.wal_filter = &filter;
  options.max_open_files = 64;
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, &raw);
  const std::unique_ptr<rocksdb::DB> db(raw);
  if (!status.ok()) return std::unexpected(fmt::format("the store in {} cannot be opened: {}", path, status.ToString()));
  const auto stamps = read_stamps(*db, path);
  if (!stamps) return std::unexpected(stamps.error());
  return *stamps ? (*stamps)->last : 0;
}

std::string newest_log(const std::string& path) {
  std::string newest;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().extension() == ".log") newest = std::max(newest, entry.path().string());
  }
  return newest.empty() ? path : newest;
}

std::expected<std::unique_ptr<rocksdb::DB>, std::string> open_verified(rocksdb::Options options, const std::string& path,
                                                                       Stamp tables, std::string& last_log) {
  ChainFilter filter(tables);
  options.wal_filter = &filter;
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &raw);
  std::unique_ptr<rocksdb::DB> db(raw);
  if (!filter.last_file().empty()) last_log = (std::filesystem::path(path) / filter.last_file()).string();
  if (!filter.problem().empty()) {
    return std::unexpected(fmt::format("the store in {} is damaged: {}", path, filter.problem()));
  }
  if (!status.ok()) {
    return std::unexpected(fmt::format("the store in {} cannot be opened: {} (last log read: {})", path, status.ToString(), last_log));
  }
  return db;
}

std::unexpected<std::string> missing_format(const DataDirectory& directory) {
  return std::unexpected(fmt::format("{}: is missing beside a store with data", directory.format_path().string()));
}

}  // namespace

std::string encode_stamps(Stamp last, Stamp previous) {
  std::string out;
  append_u64(out, last);
  append_u64(out, previous);
  return out;
}

std::optional<BatchStamps> decode_stamps(std::string_view value) {
  if (value.size() != 16) return std::nullopt;
  return BatchStamps{load_u64(value), load_u64(value.substr(8))};
}

std::expected<OpenedDatabase, std::string> open_database(DataDirectory& directory, SyncMode mode,
                                                         const RocksDbStoreOptions& store_options) {
  const std::string path = directory.database().string();
  auto log = std::make_shared<LogGuard>();
  auto env = guarded_env(store_options.env, log);
  rocksdb::Options options = database_options(store_options, *env);
  // A damaged record with good ones after it stops the opening. Without syncs a power loss may leave just that, so
  // relaxed stores are cut there; the durable mark still guards what was synced.
  options.wal_recovery_mode = mode == SyncMode::kAlways ? rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords
                                                        : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // An existing store without its CURRENT file is damaged, not new.
  options.create_if_missing = directory.is_new();
  // FORMAT is written last: without it there is no store yet, or half of an empty one.
  if (directory.is_new() && directory.mark().stamp() != 0) return missing_format(directory);
  Stamp tables = 0;
  if (!directory.is_new() || std::filesystem::exists(directory.database() / "CURRENT")) {
    const auto stamp = stamp_of_tables(options, path);
    if (!stamp) return std::unexpected(stamp.error());
    tables = *stamp;
  }
  const std::string newest = newest_log(path);
  std::string last_log = newest;
  auto db = open_verified(options, path, tables, last_log);
  if (!db) return std::unexpected(db.error());
  const auto stamps = read_stamps(**db, path);
  if (!stamps) return std::unexpected(stamps.error());
  const Stamp last = *stamps ? (*stamps)->last : 0;
  if (last < directory.mark().stamp()) {
    return std::unexpected(fmt::format("{}: the data ends at stamp {}, but stamp {} was acknowledged; the file lost records",
                                       std::max(newest, last_log), last, directory.mark().stamp()));
  }
  if (directory.is_new()) {
    if (last != 0) return missing_format(directory);
    if (auto done = directory.finish_creation(); !done) return std::unexpected(done.error());
  }
  return OpenedDatabase{std::move(log), std::move(env), std::move(*db), last};
}

}  // namespace parvis::storage
