#include "services/dynamodb/imports.h"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "services/dynamodb/compression.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/import_reader.h"
#include "services/dynamodb/ion_text.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/restore_job.h"

namespace parvis::dynamodb {
namespace {

constexpr std::size_t kFeedBytes = 16u << 10;    // decompressed at a time: even at 1:1000 the rows fit in memory
constexpr std::size_t kBatchBytes = 1u << 20;    // of stored items in a commit
constexpr std::int64_t kLoggedErrorsMax = 100;

struct Stopped {};  // the store or a stop ended the work; it begins again later
struct Failed {
  std::string code, message;
};

Compression compression_of(const TransferRecord& record) {
  return record.compression == "GZIP" ? Compression::kGzip : record.compression == "ZSTD" ? Compression::kZstd : Compression::kNone;
}

// The items of one file after the other go into the table in commits of a hundred.
class Job {
 public:
  Job(Catalog& catalog, Objects& objects, TransferRecord& record, const RestoreJob& target, storage::Version table_version,
      std::shared_ptr<std::atomic<bool>> stop)
      : catalog_(catalog), objects_(objects), record_(record), table_(target.target()), table_version_(table_version),
        stop_(std::move(stop)) {}

  awaitable<> run() {
    record_.items = record_.bytes = record_.processed = record_.errors = 0;
    std::string after;
    while (true) {
      const std::vector<std::string> keys = co_await objects_.list(record_.place(), record_.prefix, after);
      for (const std::string& key : keys) {
        if (key.ends_with("/")) continue;  // a folder, as consoles make them
        co_await read_file(key);
      }
      if (keys.empty()) break;
      after = keys.back();
    }
    // No object at all is an import of no items, as moto's tests that are marked as verified found.
    co_await write_batch();
  }

 private:
  awaitable<> read_file(std::string key) {
    const std::shared_ptr<http::ByteSource> source = co_await objects_.open(record_.place(), key);
    Decompressor decompressor(compression_of(record_));
    LineReader lines;
    CsvReader records(record_.delimiter.empty() ? ',' : record_.delimiter[0]);
    header_ = record_.header;
    const bool csv = record_.format == "CSV", ion = record_.format == "ION";
    file_ = key;
    const auto take_line = [&](std::string_view line, bool too_long) {
      if (too_long) add(std::unexpected("The line is too long"));
      else if (ion) add(item_of_ion(line));
      else items_of_line(line, [this](std::expected<Item, std::string> item) { add(std::move(item)); });
    };
    const auto take_record = [this](std::vector<std::string> fields, bool too_long) { add_record(std::move(fields), too_long); };
    while (const std::optional<std::string> piece = co_await source->read()) {
      record_.bytes += static_cast<std::int64_t>(piece->size());
      for (std::size_t at = 0; at < piece->size(); at += kFeedBytes) {
        const bool good = decompressor.feed(std::string_view(*piece).substr(at, kFeedBytes), [&](std::string_view bytes) {
          if (csv) records.feed(bytes, take_record);
          else lines.feed(bytes, take_line);
        });
        if (!good) throw Failed{"InputCompressionError", "The object is not compressed by " + record_.compression + ": " + key};
        co_await write_full_batches();
      }
    }
    if (!decompressor.is_complete()) throw Failed{"InputCompressionError", "The object ends too early: " + key};
    if (csv) records.finish(take_record);
    else lines.finish(take_line);
    co_await write_full_batches();
  }

  void add_record(std::vector<std::string> fields, bool too_long) {
    if (header_.empty()) {  // a file without a given header begins with its own
      header_ = std::move(fields);
      return;
    }
    add(too_long ? std::unexpected("The record is too long") : item_of_record(table_, header_, std::move(fields)));
  }

  void add(std::expected<Item, std::string> item) {
    ++record_.processed;
    std::string wrong;
    if (!item) wrong = std::move(item.error());
    if (item) {
      try {
        check_item(table_, *item, false);
        rows_.emplace_back(item_key(table_, *item), encode_stored(catalog_.entropy().next_u64(), *item));
        return;
      } catch (const aws::ApiError& error) {
        wrong = error.message();
      }
    }
    if (++record_.errors <= kLoggedErrorsMax) {
      spdlog::warn("dynamodb: import into {}: row {} of {} is left out: {}", table_.name, record_.processed, file_, wrong);
    }
  }

  awaitable<> write_full_batches() {
    std::size_t bytes = 0;
    for (const auto& [key, value] : rows_) bytes += key.size() + value.size();
    if (rows_.size() >= kItemsPerCommit || bytes >= kBatchBytes) co_await write_batch();
  }

  awaitable<> write_batch() {
    for (std::size_t at = 0; at < rows_.size();) {
      if (*stop_) throw Stopped();
      co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
      storage::Commit commit;
      commit.check(table_key(table_.scope, table_.name), table_version_);
      std::size_t bytes = 0;
      for (std::size_t count = 0; at < rows_.size() && count < kItemsPerCommit && bytes < kBatchBytes; ++at, ++count) {
        bytes += rows_[at].second.size();
        commit.put(std::move(rows_[at].first), std::move(rows_[at].second));
        ++record_.items;
      }
      commit.put(record_.key(), record_.to_json());  // DescribeImport shows how far it is
      if (!co_await RestoreJob::commit_again(catalog_, std::move(commit))) throw Stopped();
    }
    rows_.clear();
  }

  Catalog& catalog_;
  Objects& objects_;
  TransferRecord& record_;
  const TableRecord& table_;
  storage::Version table_version_;
  std::shared_ptr<std::atomic<bool>> stop_;
  std::vector<std::string> header_;
  std::string file_;
  std::vector<std::pair<std::string, std::string>> rows_;  // stored, not written yet
};

}  // namespace

awaitable<TransferRecord> Imports::start(TransferRecord record) {
  transfers_.open(record);
  TableRecord target = record.table;
  target.restore = RestoreSetting{"", "", record.data_id(), record.started_ms, true};
  co_await catalog_.create(std::move(target), {}, [&](const TableRecord& table, storage::Commit& commit) {
    record.table = table;
    record.table.restore.reset();
    Transfers::add(record, commit);
  });
  co_return record;
}

awaitable<> Imports::run(Objects& objects, std::shared_ptr<std::atomic<bool>> stop) {
  for (TransferRecord& record : co_await transfers_.unfinished(TransferKind::kImport)) {
    if (*stop) co_return;
    try {
      co_await run_one(objects, record, stop);
    } catch (const Stopped&) {
    }
  }
}

// The items go with the table.
awaitable<> Imports::give_up(TransferRecord& record, storage::Version table_version, std::string code, std::string message) {
  record.status = "FAILED";
  record.failure_code = std::move(code);
  record.failure_message = std::move(message);
  record.ended_ms = catalog_.clock().due().time_since_epoch().count();
  storage::Commit commit;
  commit.check(table_key(record.table.scope, record.table.name), table_version);
  commit.erase(table_key(record.table.scope, record.table.name)).erase(task_key(kImportTask, record.id));
  commit.put(record.key(), record.to_json());
  commit.put(purge_key(record.table.id + "-i"), items_prefix(record.table.scope, record.table.id));
  co_await RestoreJob::commit_again(catalog_, std::move(commit));
}

awaitable<> Imports::run_one(Objects& objects, TransferRecord& record, std::shared_ptr<std::atomic<bool>> stop) {
  RestoreJob target(catalog_, stop);
  if (!co_await target.open({"", table_key(record.table.scope, record.table.name), 0}) ||
      target.target().restore->data_id != record.data_id()) {
    co_await transfers_.end(record, "FAILED", "TableNotFound", "The table is gone");
    co_return;
  }
  if (!co_await target.clear_target()) co_return;  // what a crash left
  std::string code, message;
  try {
    Job job(catalog_, objects, record, target, target.version(), stop);
    co_await job.run();
  } catch (const Failed& failed) {
    code = failed.code;
    message = failed.message;
  } catch (const aws::ApiError& error) {
    if (error.fault() == aws::Fault::kServer) throw;
    code = "S3" + error.code();
    message = error.message();
  }
  if (!code.empty()) {
    co_await give_up(record, target.version(), std::move(code), std::move(message));
    co_return;
  }
  if (!co_await target.write_indexes()) co_return;
  // One commit: the import is complete when the table is there.
  record.status = record.errors == 0 ? "COMPLETED" : "FAILED";
  if (record.errors > 0) {  // the items that are good are there. Source: Developer Guide, "Import format quotas and validation".
    record.failure_code = "ItemValidationError";
    record.failure_message = "Some of the items failed validation checks and were not imported. Please check CloudWatch error logs for more details.";
  }
  record.ended_ms = catalog_.clock().due().time_since_epoch().count();
  co_await catalog_.modify_with(record.table.scope, record.table.name, [&](TableRecord& table, storage::Commit& commit) {
    table.restore.reset();
    commit.put(record.key(), record.to_json()).erase(task_key(kImportTask, record.id));
  });
  catalog_.statistics().forget(record.table.id);
}

}  // namespace parvis::dynamodb
