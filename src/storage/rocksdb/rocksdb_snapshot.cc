#include "storage/rocksdb/rocksdb_snapshot.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <spdlog/spdlog.h>

#include "storage/rocksdb/resident_reads.h"
#include "storage/rocksdb/sequencer.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {

[[noreturn]] void throw_read_fault(const rocksdb::Status& status) {
  spdlog::error("store: a read failed: {}", status.ToString());
  throw StoreFault(StoreErrc::kCorruption, status.ToString());
}

Value decode_value(std::string_view stored) {
  if (stored.size() < kVersionBytes) throw_read_fault(rocksdb::Status::Corruption("a value without its version"));
  return {std::string(stored.substr(kVersionBytes)), load_u64(stored)};
}

// Holds a read to what is in memory when that is all it may reach.
class Bound {
 public:
  explicit Bound(RocksDbSnapshot::Reach reach) {
    if (reach == RocksDbSnapshot::Reach::kMemory) resident_.emplace();
  }
  bool passed() const { return resident_ && resident_->missed(); }

 private:
  std::optional<ResidentOnly> resident_;
};

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

awaitable<> ReadPool::run(std::move_only_function<void()> work) {
  if (waiting_.fetch_add(1) >= waiting_max_) {
    --waiting_;
    throw StoreFault(StoreErrc::kBusy, "too many reads wait for the disk");
  }
  ++reads_;
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      [this](auto handler, std::move_only_function<void()>* job) {
        auto executor = asio::prefer(asio::any_io_executor(asio::get_associated_executor(handler)), asio::execution::outstanding_work.tracked);
        asio::post(threads_, [this, job, executor = std::move(executor), handler = std::move(handler)]() mutable {
          std::exception_ptr thrown;
          try {
            (*job)();
          } catch (...) {
            thrown = std::current_exception();
          }
          --waiting_;
          asio::post(executor, [handler = std::move(handler), thrown]() mutable { std::move(handler)(thrown); });
        });
      },
      asio::use_awaitable, &work);
}

RocksDbSnapshot::RocksDbSnapshot(std::shared_ptr<Database> database, Stamp stamp)
    : database_(std::move(database)), snapshot_(database_->db->GetSnapshot()), stamp_(stamp) {}

RocksDbSnapshot::~RocksDbSnapshot() { database_->db->ReleaseSnapshot(snapshot_); }

awaitable<std::optional<Value>> RocksDbSnapshot::get(std::string_view key) {
  std::optional<Value> value;
  if (key.empty() || read_one(key, Reach::kMemory, value)) co_return value;
  co_await database_->reads->run([this, key, &value] { read_one(key, Reach::kDisk, value); });
  co_return value;
}

awaitable<std::vector<std::optional<Value>>> RocksDbSnapshot::multi_get(std::vector<std::string> keys) {
  Values values(keys.size());
  if (read_many(keys, Reach::kMemory, values)) co_return values;
  co_await database_->reads->run([this, &keys, &values] { read_many(keys, Reach::kDisk, values); });
  co_return values;
}

awaitable<ScanPage> RocksDbSnapshot::scan(ScanOptions scan) {
  // The empty key is the store's own.
  if (scan.begin.empty()) scan.begin = std::string(1, '\0');
  ScanPage page;
  if (!scan.end.empty() && scan.end <= scan.begin) co_return page;
  if (read_range(scan, Reach::kMemory, page)) co_return page;
  co_await database_->reads->run([this, &scan, &page] {
    page = {};
    read_range(scan, Reach::kDisk, page);
  });
  co_return page;
}

bool RocksDbSnapshot::read_one(std::string_view key, Reach reach, std::optional<Value>& value) const {
  const Bound bound(reach);
  rocksdb::PinnableSlice found;
  const rocksdb::Status status = db().Get(options(), db().DefaultColumnFamily(), slice(key), &found);
  if (bound.passed()) return false;
  if (status.IsNotFound()) return true;
  if (!status.ok()) throw_read_fault(status);
  value = decode_value(found.ToStringView());
  return true;
}

bool RocksDbSnapshot::read_many(const std::vector<std::string>& keys, Reach reach, Values& values) const {
  const Bound bound(reach);
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> found(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db().MultiGet(options(), db().DefaultColumnFamily(), keys.size(), slices.data(), found.data(), statuses.data());
  if (bound.passed()) return false;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].empty() || statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) throw_read_fault(statuses[i]);
    values[i] = decode_value(found[i].ToStringView());
  }
  return true;
}

bool RocksDbSnapshot::read_range(const ScanOptions& scan, Reach reach, ScanPage& page) const {
  const Bound bound(reach);
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
  for (std::size_t bytes = 0; it->Valid(); scan.reverse ? it->Prev() : it->Next()) {
    if (page.entries.size() >= scan.limit || bytes > scan.bytes_max) {
      page.more = true;
      break;
    }
    Value value = decode_value(it->value().ToStringView());
    page.entries.push_back({it->key().ToString(), std::move(value.bytes), value.version});
    bytes += page.entries.back().key.size() + page.entries.back().value.size();
  }
  if (bound.passed()) return false;
  if (!it->status().ok()) throw_read_fault(it->status());
  return true;
}

rocksdb::ReadOptions RocksDbSnapshot::options() const {
  rocksdb::ReadOptions read;
  read.snapshot = snapshot_;
  return read;
}

}  // namespace parvis::storage
