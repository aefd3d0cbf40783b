#include "storage/rocksdb/rocksdb_store.h"

#include <thread>

#include <spdlog/spdlog.h>

#include "storage/rocksdb/commit_queue.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/recovery.h"
#include "storage/rocksdb/rocksdb_snapshot.h"
#include "storage/rocksdb/sequencer.h"

namespace parvis::storage {
namespace {

constexpr std::size_t kBatchKeysMax = 20'000;
constexpr std::chrono::milliseconds kTick{1000};
// While one syncs the next orders.
constexpr std::size_t kCommitThreads = 2;
// What an entry costs in memory beside its bytes.
constexpr std::size_t kEntryOverheadBytes = 80;
constexpr std::size_t kFlushedAtCloseBytes = 1u << 20;

class RocksDbStore final : public Store {
 public:
  RocksDbStore(DataDirectory directory, OpenedDatabase opened, SyncMode mode, const RocksDbStoreOptions& options)
      : database_(std::make_shared<Database>(std::move(directory), std::move(opened.log), std::move(opened.env), std::move(opened.db),
                                             std::make_unique<ReadPool>(options.read_threads, options.reads_waiting_max))),
        mode_(mode),
        write_buffer_bytes_(options.write_buffer_bytes),
        queue_(options.queue_commits_max, options.queue_bytes_max),
        sequencer_(*database_->db, opened.last, std::max(options.recent_keys_max, std::size_t{1})),
        written_(std::make_shared<RocksDbSnapshot>(database_, opened.last)),
        synced_(opened.last),
        published_(written_) {
    for (std::size_t i = 0; i < kCommitThreads; ++i) threads_.emplace_back([this] { run(); });
  }

  ~RocksDbStore() override {
    queue_.stop();
    for (std::thread& thread : threads_) thread.join();
    const std::lock_guard lock(sync_mutex_);
    periodic_sync();
    // The next start has nothing to replay.
    if (!is_broken_ && memory_bytes_ >= kFlushedAtCloseBytes) database_->db->Flush({});
  }

  std::shared_ptr<Snapshot> snapshot() override {
    const std::lock_guard lock(published_mutex_);
    return published_;
  }

  awaitable<CommitResult> commit(Commit commit) override {
    if (auto error = check_limits(commit)) co_return std::unexpected(std::move(*error));
    co_return co_await queue_.submit({std::move(commit), {}, {}});
  }

  awaitable<CommitResult> update(Update update) override {
    if (auto error = check_limits(update)) co_return std::unexpected(std::move(*error));
    const UpdateCounts::Turn turn(counts_, update.keys);
    if (turn.is_too_many()) co_return std::unexpected(StoreError{StoreErrc::kBusy, "too many updates of one key are waiting", update.keys.front()});
    CommitRequest request{{}, std::move(update), {}};
    // A key that nobody else updates is decided here, on the caller's thread; a hot one only when its turn comes.
    if (!turn.is_contended()) {
      const std::shared_ptr<Snapshot> view = snapshot();
      const std::vector<std::optional<Value>> values = co_await view->multi_get(request.update.keys);
      request.commit = request.update.decide(values);
      if (auto error = check_limits(request.commit)) co_return std::unexpected(std::move(*error));
      const Commit& decided = request.commit;
      if (!decided.writes() && decided.checks.empty() && decided.guards.empty()) co_return view->stamp();
      request.seen.emplace();
      for (const std::optional<Value>& value : values) request.seen->push_back(value ? std::optional(value->version) : std::nullopt);
    }
    co_return co_await queue_.submit(std::move(request));
  }

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
    while (auto batch = order_next()) settle(std::move(*batch));
  }

  // What was ordered and written, but not yet synced.
  struct Batch {
    std::vector<PendingCommit> commits;
    Stamp last = 0;  // all that the results depend on
  };

  // nullopt when the store stops. Nobody waits for commits under the order lock: to give it to a thread that sleeps on it
  // costs a single caller more than the ordering does.
  std::optional<Batch> order_next() {
    Batch batch;
    while (batch.commits.empty()) {
      if (!queue_.wait(kTick)) return std::nullopt;
      const std::lock_guard lock(order_mutex_);
      batch.commits = queue_.take(kBatchKeysMax);
      if (!batch.commits.empty()) order(batch);
      else if (Clock::now() - ticked_at_.load() >= kTick) break;
    }
    return batch;
  }

  void order(Batch& batch) {
    if (is_broken_) {
      for (PendingCommit& pending : batch.commits) pending.result = std::unexpected(StoreError{StoreErrc::kCorruption, broken(), {}});
    } else {
      sequencer_.order(batch.commits);
      if (sequencer_.has_writes()) write(batch);
    }
    batch.last = sequencer_.last();
  }

  void write(Batch& batch) {
    rocksdb::WriteBatch& writes = sequencer_.finish();
    memory_bytes_ += writes.GetDataSize() + writes.Count() * kEntryOverheadBytes;
    const rocksdb::Status status = database_->db->Write({}, &writes);
    if (!status.ok()) {
      // The batch may be in the log all the same. Nothing more is written until a restart has found out.
      break_down("a write failed", status);
      fail(batch, status.ToString());
      return;
    }
    sequencer_.written();
    auto snapshot = std::make_shared<RocksDbSnapshot>(database_, sequencer_.last());
    {
      const std::lock_guard lock(written_mutex_);
      written_.swap(snapshot);
    }
    if (memory_bytes_ >= write_buffer_bytes_) rotate();
  }

  // A new memtable and log, when the old log is synced: else a power loss could take the end of the old one and leave the
  // begin of the new one.
  void rotate() {
    const std::lock_guard lock(sync_mutex_);
    if (!sync(true)) return;
    rocksdb::FlushOptions flush;
    flush.wait = false;
    flush.allow_write_stall = true;
    if (const rocksdb::Status status = database_->db->Flush(flush); !status.ok()) spdlog::warn("store: a flush did not begin: {}", status.ToString());
    memory_bytes_ = 0;
  }

  // Tells the callers, not before all they depend on is durable.
  void settle(Batch batch) {
    {
      const std::lock_guard lock(sync_mutex_);
      if (batch.last > synced_ && !sync(mode_ == SyncMode::kAlways)) fail(batch, broken());
      if (Clock::now() - ticked_at_.load() >= kTick) periodic_sync();
    }
    resume(std::move(batch.commits));
  }

  // Makes all that is written durable, or in relaxed mode only visible. Under the sync lock. False: nobody may be told.
  bool sync(bool to_disk) {
    if (is_broken_) return false;
    std::shared_ptr<RocksDbSnapshot> next;
    {
      const std::lock_guard lock(written_mutex_);
      next = written_;
    }
    if (to_disk) {
      const rocksdb::Status status = database_->log->sync([this] { return database_->db->SyncWAL(); });
      if (!status.ok()) {
        break_down("a write or its sync failed", status);
        return false;
      }
      database_->directory.mark().advance(next->stamp());
    }
    unsynced_ = true;
    synced_ = next->stamp();
    const std::lock_guard lock(published_mutex_);
    published_.swap(next);
    return true;
  }

  // Relaxed commits and the mark itself reach the disk here, at most a second late. Under the sync lock.
  void periodic_sync() {
    ticked_at_ = Clock::now();
    if (!unsynced_ || is_broken_) return;
    if (mode_ == SyncMode::kRelaxed && !sync(true)) return;
    database_->directory.mark().sync();
    unsynced_ = false;
  }

  static void fail(Batch& batch, const std::string& detail) {
    for (PendingCommit& pending : batch.commits) {
      if (pending.result || pending.thrown) pending.result = std::unexpected(StoreError{StoreErrc::kUnknownOutcome, detail, {}});
      pending.thrown = nullptr;
    }
  }

  void break_down(std::string_view what, const rocksdb::Status& status) {
    const std::lock_guard lock(written_mutex_);
    if (is_broken_.exchange(true)) return;
    broken_ = fmt::format("{}, restart the platform: {}", what, status.ToString());
    spdlog::error("store: {}", broken_);
  }
  std::string broken() const {
    const std::lock_guard lock(written_mutex_);
    return broken_;
  }

  const std::shared_ptr<Database> database_;
  const SyncMode mode_;
  const std::size_t write_buffer_bytes_;
  CommitQueue queue_;
  UpdateCounts counts_;

  // Locks are taken in this order.
  std::mutex order_mutex_;
  Sequencer sequencer_;
  std::size_t memory_bytes_ = 0;  // since the last rotation

  mutable std::mutex written_mutex_;
  std::shared_ptr<RocksDbSnapshot> written_;
  std::string broken_;
  std::atomic<bool> is_broken_{false};

  std::mutex sync_mutex_;
  Stamp synced_;
  bool unsynced_ = false;
  std::atomic<Clock::time_point> ticked_at_ = Clock::now();

  mutable std::mutex published_mutex_;
  std::shared_ptr<RocksDbSnapshot> published_;
  std::vector<std::thread> threads_;
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
