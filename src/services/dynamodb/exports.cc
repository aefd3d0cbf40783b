#include "services/dynamodb/exports.h"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "core/time_format.h"
#include "services/dynamodb/compression.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/export_filter.h"
#include "services/dynamodb/export_lines.h"
#include "services/dynamodb/history.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/restore_job.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr std::size_t kFileBytes = 16u << 20;   // of a data file before compression
constexpr std::size_t kPageBytes = 256u << 10;  // what is compressed before other work of the thread has its turn

struct Stopped {};  // the store or a stop ended the work; it begins again later

// "bafybeiczss3yxay3o4abnabbb5": the same for the same file of the same export, so that a repeated export overwrites.
std::string file_name(const std::string& export_id, std::size_t number) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string out;
  for (const unsigned char byte : sha256(export_id + "/" + std::to_string(number))) out += kAlphabet[byte % 32];
  return out.substr(0, 26);
}

// What an export keeps of an item while it works: when it changed last (8 bytes), and the stored item, if there was one.
struct Kept {
  std::int64_t changed_ms = 0;
  std::optional<std::string> stored;
};
std::string encode_kept(const Kept& kept) {
  std::string out;
  storage::append_u64(out, static_cast<std::uint64_t>(kept.changed_ms));
  if (kept.stored) out += *kept.stored;
  return out;
}
Kept decode_kept(std::string_view bytes) {
  Kept out{static_cast<std::int64_t>(storage::load_u64(bytes)), std::nullopt};
  if (bytes.size() > 8) out.stored = std::string(bytes.substr(8));
  return out;
}

class Job {
 public:
  Job(Catalog& catalog, Objects& objects, TransferRecord& record, std::shared_ptr<std::atomic<bool>> stop)
      : catalog_(catalog), objects_(objects), record_(record), stop_(std::move(stop)),
        items_(items_prefix(record.table.scope, record.table.id)),
        after_(backup_items_prefix(record.table.scope, record.data_id()) + "a"),
        before_(backup_items_prefix(record.table.scope, record.data_id()) + "b"),
        filter_(ExportFilter::decode(record.filter, record.table.keys)), lines_(record.format == "ION"), folder_((record.prefix.empty() ? "" : record.prefix + "/") + "AWSDynamoDB/") {}

  awaitable<> run() {
    co_await objects_.put(record_.place(), folder_ + record_.id + "/_started", "");
    if (!co_await RestoreJob::clear(catalog_, backup_items_prefix(record_.table.scope, record_.data_id()), stop_)) throw Stopped();
    snapshot_ = catalog_.store().snapshot();
    const std::optional<Table> table = co_await catalog_.find_if(snapshot_, record_.table.scope, record_.table.name);
    const bool is_same = table && (*table)->id == record_.table.id && (*table)->history &&
                         (*table)->history->id == record_.table.history->id;
    if (!is_same) throw aws::ApiError(kTableNotFound, "The table or its point-in-time recovery is gone");
    record_.items = record_.bytes = 0;
    co_await take_back();
    kept_ = catalog_.store().snapshot();
    if (is_incremental()) co_await write_changes();
    else co_await write_table();
    if (files_.empty() || writer_.added() > 0) co_await end_file();
    co_await write_manifests();
  }

 private:
  bool is_incremental() const { return record_.type == "INCREMENTAL_EXPORT"; }
  bool is_later(std::int64_t at_ms) const { return is_incremental() ? at_ms >= record_.at_ms : at_ms > record_.at_ms; }

  awaitable<> breathe() {
    if (*stop_) throw Stopped();
    co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
  }

  // Walks the history from now to the first moment of interest. The oldest change of an item comes last and stays.
  awaitable<> take_back() {
    const std::int64_t first_ms = (is_incremental() ? record_.from_ms : record_.at_ms) - kHistorySkewMs;
    storage::ScanOptions options;
    options.begin = history_prefix(record_.table.scope, record_.table.history->id);
    options.end = storage::prefix_end(options.begin);
    options.reverse = true;
    options.bytes_max = kPageBytes;
    for (bool more = true; more;) {
      co_await breathe();
      const storage::ScanPage page = co_await snapshot_->scan(options);
      bool near = false;
      storage::Commit commit;
      std::map<std::string, std::int64_t> changed;
      for (const storage::Entry& entry : page.entries) {
        Former former = former_of(entry);
        near = near || former.at_ms > first_ms;
        if (is_later(former.at_ms)) {
          commit.put(after_ + former.suffix, encode_kept({0, std::move(former.stored)}));
        } else if (is_incremental() && former.at_ms >= record_.from_ms) {
          const std::int64_t at_ms = co_await last_change(changed, former);
          commit.put(before_ + former.suffix, encode_kept({at_ms, std::move(former.stored)}));
        }
      }
      if (commit.writes() && !co_await RestoreJob::commit_again(catalog_, std::move(commit))) throw Stopped();
      more = page.more && near;
      if (more) options.end = page.entries.back().key;
    }
  }

  awaitable<std::int64_t> last_change(std::map<std::string, std::int64_t>& changed, const Former& former) {
    const auto known = changed.find(former.suffix);
    if (known != changed.end()) co_return known->second;
    const std::string key = before_ + former.suffix;
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const std::optional<storage::Value> value = co_await snapshot->get(key);
    co_return changed[former.suffix] = value ? decode_kept(value->bytes).changed_ms : former.at_ms;
  }

  // The items of now and what was before the later changes, merged in the order of their keys.
  awaitable<> write_table() {
    std::string position;
    for (bool more = true; more;) {
      co_await breathe();
      storage::ScanOptions options;
      options.begin = items_ + position;
      options.end = storage::prefix_end(items_);
      options.bytes_max = kPageBytes;
      const storage::ScanPage now = co_await snapshot_->scan(options);
      std::optional<std::string> last;  // the end of what both pages cover
      if (now.more) last = now.entries.back().key.substr(items_.size());
      options.begin = after_ + position;
      options.end = last ? after_ + *last + '\0' : storage::prefix_end(after_);
      const storage::ScanPage kept = co_await kept_->scan(options);
      if (kept.more) last = kept.entries.back().key.substr(after_.size());
      std::map<std::string, std::string> rows;
      for (const storage::Entry& entry : now.entries) rows[entry.key.substr(items_.size())] = entry.value;
      for (const storage::Entry& entry : kept.entries) {
        const std::string suffix = entry.key.substr(after_.size());
        Kept value = decode_kept(entry.value);
        if (value.stored) rows[suffix] = std::move(*value.stored);
        else rows.erase(suffix);
      }
      for (const auto& [suffix, stored] : rows) {
        if (last && suffix > *last) break;
        write_item(decode_stored(stored).item);
      }
      if (writer_.added() >= kFileBytes) co_await end_file();
      more = last.has_value();
      if (more) position = *last + '\0';
    }
  }

  void write_item(Item item) {
    const std::optional<Item> taken = filter_.take(std::move(item));
    if (!taken) return;
    add_line(lines_.item(*taken), item_size_bytes(*taken));
  }

  awaitable<> write_changes() {
    storage::ScanOptions options;
    options.begin = before_;
    options.end = storage::prefix_end(before_);
    options.bytes_max = kPageBytes;
    for (bool more = true; more;) {
      co_await breathe();
      const storage::ScanPage page = co_await kept_->scan(options);
      for (const storage::Entry& entry : page.entries) {
        const std::string suffix = entry.key.substr(before_.size());
        const std::string later = after_ + suffix, current = items_ + suffix;
        Kept before = decode_kept(entry.value), after;
        if (const std::optional<storage::Value> value = co_await kept_->get(later)) {
          after = decode_kept(value->bytes);
        } else if (const std::optional<storage::Value> item = co_await snapshot_->get(current)) {
          after.stored = item->bytes;
        }
        write_change(before, after);
      }
      if (writer_.added() >= kFileBytes) co_await end_file();
      more = page.more;
      if (more) options.begin = page.entries.back().key + '\0';
    }
  }

  void write_change(const Kept& before, const Kept& after) {
    if (!before.stored && !after.stored) return;  // came and went in the time: no output
    ExportedChange change{before.changed_ms, {}, {}, {}};
    if (before.stored) change.old_image = decode_stored(*before.stored).item;
    if (after.stored) change.new_image = decode_stored(*after.stored).item;
    change.keys = key_of(record_.table.keys, change.new_image ? *change.new_image : *change.old_image);
    if (!filter_.take(change)) return;
    const std::size_t size = item_size_bytes(change.new_image ? *change.new_image : *change.old_image);
    if (record_.view == "NEW_IMAGE") change.old_image.reset();
    add_line(lines_.change(change), size);
  }

  void add_line(const std::string& line, std::size_t item_bytes) {
    writer_.add(line);
    ++file_items_;
    ++record_.items;
    record_.bytes += static_cast<std::int64_t>(item_bytes);
  }

  awaitable<> end_file() {
    const std::string key = folder_ + (is_incremental() ? "" : record_.id + "/") + "data/" + file_name(record_.id, files_.size()) + lines_.file_end();
    std::string bytes = writer_.finish();
    const Md5Digest digest = md5(bytes);
    const std::string etag = co_await objects_.put(record_.place(), key, std::move(bytes));
    files_.push_back(json::serialize(json::object{{"itemCount", file_items_}, {"md5Checksum", base64_encode(as_bytes(digest))},
                                                  {"etag", etag}, {"dataFileS3Key", key}}));
    file_items_ = 0;
  }

  awaitable<> write_manifests() {
    std::string files;
    for (const std::string& line : files_) files += line + "\n";
    co_await put_with_checksum("manifest-files", std::move(files));
    json::object summary{{"version", "2023-08-01"}, {"exportArn", record_.arn()}, {"startTime", iso(record_.started_ms)},
                         {"endTime", iso(catalog_.clock().due().time_since_epoch().count())}, {"tableArn", record_.table.arn()},
                         {"tableId", record_.table.public_id()}};
    if (is_incremental()) {
      summary["exportFromTime"] = iso(record_.from_ms);
      summary["exportToTime"] = iso(record_.at_ms);
    } else {
      summary["exportTime"] = iso(record_.at_ms);
    }
    summary["s3Bucket"] = record_.bucket;
    summary["s3Prefix"] = record_.prefix.empty() ? json::value() : json::value(record_.prefix);
    summary["s3SseAlgorithm"] = record_.sse.empty() ? "AES256" : record_.sse;
    summary["s3SseKmsKeyId"] = nullptr;
    summary["manifestFilesS3Key"] = folder_ + record_.id + "/manifest-files.json";
    summary["billedSizeBytes"] = record_.bytes;
    summary["itemCount"] = record_.items;
    summary["outputFormat"] = record_.format;
    if (is_incremental()) summary["outputView"] = record_.view;
    summary["exportType"] = record_.type;
    co_await put_with_checksum("manifest-summary", json::serialize(summary));
  }

  static std::string iso(std::int64_t ms) { return format_iso8601(Millis(std::chrono::milliseconds(ms))); }

  awaitable<> put_with_checksum(std::string name, std::string bytes) {
    const std::string checksum = base64_encode(as_bytes(md5(bytes)));
    co_await objects_.put(record_.place(), folder_ + record_.id + "/" + name + ".json", std::move(bytes));
    co_await objects_.put(record_.place(), folder_ + record_.id + "/" + name + ".md5", checksum);
  }

  Catalog& catalog_;
  Objects& objects_;
  TransferRecord& record_;
  std::shared_ptr<std::atomic<bool>> stop_;
  const std::string items_, after_, before_;
  const ExportFilter filter_;
  const ExportLines lines_;
  const std::string folder_;
  std::shared_ptr<storage::Snapshot> snapshot_, kept_;  // the table; what take_back() kept
  GzipWriter writer_;
  std::int64_t file_items_ = 0;
  std::vector<std::string> files_;  // lines of the manifest
};

}  // namespace

awaitable<> Exports::run(Objects& objects, std::shared_ptr<std::atomic<bool>> stop) {
  for (TransferRecord& record : co_await transfers_.unfinished(TransferKind::kExport)) {
    if (*stop) co_return;
    Job job(catalog_, objects, record, stop);
    std::string code, message;
    try {
      co_await job.run();
    } catch (const Stopped&) {
      continue;
    } catch (const aws::ApiError& error) {
      if (error.fault() == aws::Fault::kServer) throw;
      code = error.code() == kTableNotFound.code ? "TableNotFound" : "S3" + error.code();
      message = error.message();
    }
    co_await transfers_.end(record, code.empty() ? "COMPLETED" : "FAILED", code, message);
  }
}

}  // namespace parvis::dynamodb
