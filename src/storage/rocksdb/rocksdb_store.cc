#include "storage/rocksdb/rocksdb_store.h"

#include <thread>

#include <rocksdb/write_batch.h>

#include "storage/rocksdb/commit_queue.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/recent_keys.h"
#include "storage/rocksdb/recovery.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {

constexpr std::size_t kVersionBytes = 8;  // big endian, before each value
constexpr std::size_t kBatchKeysMax = 20'000;
constexpr std::chrono::milliseconds kTick{1000};

// Open files of one store. Members close in reverse order: the database before the lock.
struct Database {
  DataDirectory directory;
  std::unique_ptr<rocksdb::DB> db;
};

[[noreturn]] void throw_read_fault(const rocksdb::Status& status) {
  spdlog::error("store: a read failed: {}", status.ToString());
  throw StoreFault(StoreErrc::kCorruption, status.ToString());
}

Value decode_value(std::string_view stored) {
  if (stored.size() < kVersionBytes) throw_read_fault(rocksdb::Status::Corruption("a value without its version"));
  return {std::string(stored.substr(kVersionBytes)), load_u64(stored)};
}

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

class RocksDbSnapshot final : public Snapshot {
 public:
  RocksDbSnapshot(std::shared_ptr<Database> database, Stamp stamp)
      : database_(std::move(database)), snapshot_(database_->db->GetSnapshot()), stamp_(stamp) {}
  ~RocksDbSnapshot() override { database_->db->ReleaseSnapshot(snapshot_); }
  RocksDbSnapshot(const RocksDbSnapshot&) = delete;
  RocksDbSnapshot& operator=(const RocksDbSnapshot&) = delete;

  Stamp stamp() const override { return stamp_; }

  awaitable<std::optional<Value>> get(std::string_view key) override {
    if (key.empty()) co_return std::nullopt;
    rocksdb::PinnableSlice found;
    const rocksdb::Status status = db().Get(options(), db().DefaultColumnFamily(), slice(key), &found);
    if (status.IsNotFound()) co_return std::nullopt;
    if (!status.ok()) throw_read_fault(status);
    co_return decode_value(found.ToStringView());
  }

  awaitable<std::vector<std::optional<Value>>> multi_get(std::vector<std::string> keys) override {
    std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> found(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db().MultiGet(options(), db().DefaultColumnFamily(), keys.size(), slices.data(), found.data(), statuses.data());
    std::vector<std::optional<Value>> values(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i].empty() || statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) throw_read_fault(statuses[i]);
      values[i] = decode_value(found[i].ToStringView());
    }
    co_return values;
  }

  awaitable<ScanPage> scan(ScanOptions scan) override {
    // The empty key is the store's own.
    if (scan.begin.empty()) scan.begin = std::string(1, '\0');
    if (!scan.end.empty() && scan.end <= scan.begin) co_return ScanPage{};
    const rocksdb::Slice lower(scan.begin), upper(scan.end);
    rocksdb::ReadOptions read = options();
    read.iterate_lower_bound = &lower;
    if (!scan.end.empty()) read.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> it(db().NewIterator(read));
    if (scan.reverse) {
      it->SeekToLast();
    } else {
      it->Seek(lower);
    }
    ScanPage page;
    for (std::size_t bytes = 0; it->Valid(); scan.reverse ? it->Prev() : it->Next()) {
      if (page.entries.size() >= scan.limit || bytes > scan.bytes_max) {
        page.more = true;
        break;
      }
      Value value = decode_value(it->value().ToStringView());
      page.entries.push_back({it->key().ToString(), std::move(value.bytes), value.version});
      bytes += page.entries.back().key.size() + page.entries.back().value.size();
    }
    if (!it->status().ok()) throw_read_fault(it->status());
    co_return page;
  }

 private:
  rocksdb::DB& db() const { return *database_->db; }
  rocksdb::ReadOptions options() const {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot_;
    return read;
  }

  const std::shared_ptr<Database> database_;
  const rocksdb::Snapshot* const snapshot_;
  const Stamp stamp_;
};

class RocksDbStore final : public Store {
 public:
  RocksDbStore(DataDirectory directory, OpenedDatabase opened, SyncMode mode, const RocksDbStoreOptions& options)
      : database_(std::make_shared<Database>(std::move(directory), std::move(opened.db))),
        mode_(mode),
        queue_(options.queue_commits_max, options.queue_bytes_max),
        last_(opened.last),
        recent_(opened.last, std::max(options.recent_keys_max, std::size_t{1})),
        published_(std::make_shared<RocksDbSnapshot>(database_, opened.last)) {
    thread_ = std::thread([this] { run(); });
  }

  ~RocksDbStore() override {
    queue_.stop();
    thread_.join();
  }

  std::shared_ptr<Snapshot> snapshot() override {
    const std::lock_guard lock(published_mutex_);
    return published_;
  }

  awaitable<CommitResult> commit(Commit commit) override { return queue_.submit(std::move(commit)); }

  Stamp stable_stamp() const override {
    const std::lock_guard lock(published_mutex_);
    return published_->stamp();
  }

  std::uint64_t size_bytes() const override {
    std::uint64_t tables = 0, memory = 0;
    database_->db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &tables);
    database_->db->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memory);
    return tables + memory;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void run() {
    Clock::time_point synced_at = Clock::now();
    while (auto batch = queue_.take(kBatchKeysMax, kTick)) {
      if (!batch->empty()) serve(*batch);
      if (Clock::now() - synced_at >= kTick) {
        periodic_sync();
        synced_at = Clock::now();
      }
    }
    periodic_sync();
  }

  void serve(std::vector<PendingCommit>& batch) {
    rocksdb::WriteBatch writes;
    const Stamp previous = last_;
    std::vector<CommitResult> results;
    results.reserve(batch.size());
    for (const PendingCommit& pending : batch) results.push_back(order(pending.commit, writes));
    if (last_ != previous) write(writes, previous, results);
    recent_.trim();
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].resume(std::move(results[i]));
  }

  // Validates one commit against all before it and adds it to the batch.
  CommitResult order(const Commit& commit, rocksdb::WriteBatch& writes) {
    if (!broken_.empty()) return std::unexpected(StoreError{StoreErrc::kCorruption, broken_, {}});
    for (const Check& check : commit.checks) {
      const auto version = current_version(check.key);
      if (!version) return std::unexpected(version.error());
      if (*version != check.version) {
        return std::unexpected(StoreError{StoreErrc::kConflict, "the key has another version", check.key});
      }
    }
    for (const RangeGuard& guard : commit.guards) {
      if (guard.as_of < recent_.floor()) {
        return std::unexpected(StoreError{StoreErrc::kConflict, "the guard is older than the remembered commits", guard.begin});
      }
      if (const std::string* key = recent_.written_after(guard.begin, guard.end, guard.as_of)) {
        return std::unexpected(StoreError{StoreErrc::kConflict, "a key of the guarded range was written", *key});
      }
    }
    if (!commit.writes()) return last_;
    const Stamp stamp = ++last_;
    std::string version;
    append_u64(version, stamp);
    for (const Put& put : commit.puts) {
      const rocksdb::Slice key(put.key);
      const rocksdb::Slice value[] = {version, put.value};
      writes.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(value, 2));
      recent_.record(put.key, stamp, true);
    }
    for (const std::string& key : commit.deletes) {
      writes.Delete(key);
      recent_.record(key, stamp, false);
    }
    for (const StampedPut& put : commit.stamped) {
      const std::string name = put.key(stamp);
      const rocksdb::Slice key(name);
      const rocksdb::Slice value[] = {version, put.value};
      writes.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(value, 2));
      recent_.record(name, stamp, true);
    }
    return stamp;
  }

  std::expected<std::optional<Version>, StoreError> current_version(const std::string& key) {
    if (const RecentKeys::State* state = recent_.find(key)) {
      return state->present ? std::optional<Version>(state->stamp) : std::nullopt;
    }
    rocksdb::PinnableSlice found;
    const rocksdb::Status status = database_->db->Get({}, database_->db->DefaultColumnFamily(), key, &found);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok() || found.size() < kVersionBytes) {
      spdlog::error("store: a check could not be read: {}", status.ToString());
      return std::unexpected(StoreError{StoreErrc::kCorruption, status.ToString(), key});
    }
    return load_u64(found.ToStringView());
  }

  void write(rocksdb::WriteBatch& writes, Stamp previous, std::vector<CommitResult>& results) {
    writes.Put(slice(kStampKey), encode_stamps(last_, previous));
    rocksdb::WriteOptions options;
    options.sync = mode_ == SyncMode::kAlways;
    const rocksdb::Status status = database_->db->Write(options, &writes);
    if (!status.ok()) {
      // The batch may be in the log all the same. Nothing more is written until a restart has found out.
      broken_ = "a write failed, restart the platform: " + status.ToString();
      spdlog::error("store: {}", broken_);
      for (CommitResult& result : results) {
        if (result) result = std::unexpected(StoreError{StoreErrc::kUnknownOutcome, status.ToString(), {}});
      }
      return;
    }
    if (options.sync) {
      database_->directory.mark().advance(last_);
    }
    unsynced_ = true;
    auto next = std::make_shared<RocksDbSnapshot>(database_, last_);
    const std::lock_guard lock(published_mutex_);
    published_.swap(next);
  }

  // Relaxed commits and the mark itself reach the disk here, at most a second late.
  void periodic_sync() {
    if (!unsynced_ || !broken_.empty()) return;
    if (mode_ == SyncMode::kRelaxed) {
      if (const rocksdb::Status status = database_->db->SyncWAL(); !status.ok()) {
        spdlog::error("store: a sync failed: {}", status.ToString());
        return;
      }
      database_->directory.mark().advance(last_);
    }
    database_->directory.mark().sync();
    unsynced_ = false;
  }

  const std::shared_ptr<Database> database_;
  const SyncMode mode_;
  CommitQueue queue_;

  // Of the commit thread alone.
  Stamp last_;
  RecentKeys recent_;
  std::string broken_;
  bool unsynced_ = false;

  mutable std::mutex published_mutex_;
  std::shared_ptr<RocksDbSnapshot> published_;
  std::thread thread_;
};

}  // namespace

std::expected<std::unique_ptr<Store>, std::string> open_rocksdb_store(const std::filesystem::path& dir, SyncMode mode,
                                                                      RocksDbStoreOptions options) {
  auto directory = DataDirectory::open(dir);
  if (!directory) return std::unexpected(directory.error());
  auto opened = open_database(*directory, mode, options);
  if (!opened) return std::unexpected(opened.error());
  return std::make_unique<RocksDbStore>(std::move(*directory), std::move(*opened), mode, options);
}

}  // namespace parvis::storage
