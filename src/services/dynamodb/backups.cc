#include "services/dynamodb/backups.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/restore_job.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr int kAttemptsMax = 20;

[[noreturn]] void throw_not_found(const std::string& arn) {
  throw aws::ApiError(kBackupNotFound, "Backup not found: " + arn);
}

BackupRecord read_backup(const std::string& bytes, storage::Version version) {
  BackupRecord record = BackupRecord::from_json(bytes);
  record.version = version;
  return record;
}

}  // namespace

std::string BackupRecord::arn() const { return table.arn() + "/backup/" + id; }

std::string BackupRecord::to_json() const {
  return json::serialize(json::object{{"format", 1}, {"id", id}, {"dataId", data_id}, {"name", name}, {"table", table.to_json()},
                                      {"createdMs", created_ms}, {"available", available}, {"items", counts.items},
                                      {"bytes", counts.bytes}});
}

BackupRecord BackupRecord::from_json(std::string_view text) {
  try {
    const json::value value = json::parse(json::string_view(text.data(), text.size()));
    if (value.at("format").as_int64() != 1) throw std::runtime_error("a backup record of a newer format");
    const auto string = [&](std::string_view name) { return json::value_to<std::string>(value.at(name)); };
    auto table = TableRecord::from_json(string("table"));
    if (!table) throw std::runtime_error(table.error());
    BackupRecord out;
    out.id = string("id");
    out.data_id = string("dataId");
    out.name = string("name");
    out.table = std::move(*table);
    out.created_ms = value.at("createdMs").as_int64();
    out.available = value.at("available").as_bool();
    out.counts = {value.at("items").as_int64(), value.at("bytes").as_int64()};
    return out;
  } catch (const std::exception& error) {
    spdlog::error("dynamodb: a damaged backup record: {}", error.what());
    throw aws::ApiError(kInternal, "Internal server error");
  }
}

std::optional<BackupArn> BackupArn::parse(std::string_view arn) {
  constexpr std::string_view kBegin = "arn:aws:dynamodb:", kTable = ":table/", kBackup = "/backup/";
  const std::size_t table = arn.find(kTable), backup = arn.find(kBackup);
  if (!arn.starts_with(kBegin) || table == arn.npos || backup == arn.npos || backup < table + kTable.size()) return std::nullopt;
  const std::string_view scope = arn.substr(kBegin.size(), table - kBegin.size());
  const std::size_t colon = scope.find(':');
  if (table < kBegin.size() || colon == scope.npos) return std::nullopt;
  BackupArn out;
  out.scope = {std::string(scope.substr(colon + 1)), std::string(scope.substr(0, colon))};
  out.table_name = arn.substr(table + kTable.size(), backup - table - kTable.size());
  out.id = arn.substr(backup + kBackup.size());
  return out;
}

awaitable<BackupRecord> Backups::create(aws::Scope scope, std::string table_name, std::string name) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::optional<Table> table = co_await catalog_.find_if(snapshot, scope, table_name);
  if (!table) throw aws::ApiError(kTableNotFound, "Table not found: " + table_name);
  check_active(**table);
  BackupRecord record;
  record.name = std::move(name);
  record.table = **table;
  record.created_ms = catalog_.clock().due().time_since_epoch().count();
  record.id = fmt::format("{:014}-{}", record.created_ms, catalog_.entropy().token(8, "0123456789abcdef"));
  record.data_id = catalog_.entropy().token(20);
  storage::Commit commit;
  const std::string key = backup_key(scope, table_name, record.id);
  commit.put(key, record.to_json()).put(task_key(kBackupTask, record.data_id), key);
  if (!co_await RestoreJob::commit_again(catalog_, std::move(commit))) throw aws::ApiError(kInternal, "Internal server error");
  co_return record;
}

awaitable<BackupRecord> Backups::find(aws::Scope scope, std::string arn) {
  const std::optional<BackupArn> parsed = BackupArn::parse(arn);
  if (!parsed || parsed->scope.account != scope.account || parsed->scope.region != scope.region) throw_not_found(arn);
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::string key = backup_key(scope, parsed->table_name, parsed->id);
  const std::optional<storage::Value> value = co_await snapshot->get(key);
  if (!value) throw_not_found(arn);
  co_return read_backup(value->bytes, value->version);
}

awaitable<std::vector<BackupRecord>> Backups::list(aws::Scope scope, std::string table_name, std::optional<BackupArn> after,
                                                   std::size_t limit, bool& more) {
  std::string prefix = table_name.empty() ? backups_prefix(scope) : backups_prefix(scope, table_name);
  const std::optional<std::string> after_key = after ? std::optional(backup_key(scope, after->table_name, after->id)) : std::nullopt;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const storage::ScanPage page = co_await snapshot->scan(listing(std::move(prefix), after_key, limit));
  std::vector<BackupRecord> out;
  for (const storage::Entry& entry : page.entries) out.push_back(read_backup(entry.value, entry.version));
  more = page.more;
  co_return out;
}

awaitable<BackupRecord> Backups::remove(aws::Scope scope, std::string arn) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, catalog_.entropy());
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    BackupRecord record = co_await find(scope, arn);
    const std::string restores = tasks_prefix(kRestoreTask), end = storage::prefix_end(restores);
    storage::ScanOptions options;
    options.begin = restores;
    options.end = end;
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    bool used = !record.available;
    for (const storage::Entry& task : page.entries) {
      const std::optional<storage::Value> table = co_await snapshot->get(task.value);
      const auto target = table ? TableRecord::from_json(table->bytes) : std::unexpected(std::string());
      used = used || (target && target->restore && target->restore->data_id == record.data_id);
    }
    if (used) throw aws::ApiError(kBackupInUse, "There is another ongoing operation on the backup: " + arn);
    storage::Commit commit;
    const std::string key = backup_key(scope, record.table.name, record.id);
    commit.check(key, record.version).erase(key);
    commit.put(purge_key(record.data_id), backup_items_prefix(scope, record.data_id));
    // No restore may begin meanwhile.
    commit.guards.push_back({restores, end, snapshot->stamp()});
    const auto done = co_await catalog_.store().commit(std::move(commit));
    if (done) co_return record;
    if (done.error().code == storage::StoreErrc::kUnknownOutcome) {
      const std::shared_ptr<storage::Snapshot> now = catalog_.store().snapshot();
      if (!co_await now->get(key)) co_return record;
    } else if (done.error().code != storage::StoreErrc::kConflict) {
      throw_store_error(done.error());
    }
  }
  throw aws::ApiError(kInternal, "Internal server error");
}

awaitable<Table> Backups::restore(BackupRecord backup, TableRecord target) {
  if (!backup.available) throw aws::ApiError(kBackupInUse, "The backup is still being created: " + backup.arn());
  const std::string name = target.name, backup_record = backup_key(backup.table.scope, backup.table.name, backup.id);
  target.restore = RestoreSetting{backup.arn(), backup.table.arn(), backup.data_id, backup.created_ms, true};
  try {
    co_return co_await catalog_.create(std::move(target), {}, [&](const TableRecord& record, storage::Commit& commit) {
      commit.check(backup_record, backup.version);
      commit.put(task_key(kRestoreTask, record.id), table_key(record.scope, record.name));
    });
  } catch (const aws::ApiError& error) {
    if (error.code() != kResourceInUse.code) throw;
  }
  throw aws::ApiError(kTableAlreadyExists, "Table already exists: " + name);
}

awaitable<> Backups::run(std::shared_ptr<std::atomic<bool>> stop) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  for (const std::string_view kind : {kBackupTask, kRestoreTask}) {
    storage::ScanOptions options;
    options.begin = tasks_prefix(kind);
    options.end = storage::prefix_end(options.begin);
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    for (const storage::Entry& task : page.entries) {
      if (*stop) co_return;
      if (kind == kBackupTask) co_await copy(task, stop);
      else co_await fill(task, stop);
    }
  }
}

awaitable<> Backups::copy(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop) {
  std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::optional<storage::Value> value = co_await snapshot->get(task.value);
  const std::optional<aws::Scope> scope = scope_of(task.value);
  if (!value || !scope) co_return;
  BackupRecord record = read_backup(value->bytes, value->version);
  const std::string target = backup_items_prefix(*scope, record.data_id);
  if (!co_await RestoreJob::clear(catalog_, target, stop)) co_return;  // what a crash left is of another snapshot
  snapshot = catalog_.store().snapshot();
  const std::optional<Table> table = co_await catalog_.find_if(snapshot, *scope, record.table.name);
  storage::Commit last;
  if (!table || (*table)->id != record.table.id) {
    // The table went before its copy was made: there is nothing that the backup could hold.
    last.erase(task.value).erase(task.key);
    co_await RestoreJob::commit_again(catalog_, std::move(last));
    co_return;
  }
  const std::string source = items_prefix(*scope, record.table.id);
  storage::ScanOptions options;
  options.begin = source;
  options.end = storage::prefix_end(source);
  for (bool more = true; more && !*stop;) {
    const storage::ScanPage page = co_await snapshot->scan(options);
    storage::Commit commit;
    for (const storage::Entry& entry : page.entries) {
      record.counts.bytes += static_cast<std::int64_t>(item_size_bytes(decode_stored(entry.value).item));
      commit.put(target + entry.key.substr(source.size()), entry.value);
    }
    record.counts.items += static_cast<std::int64_t>(page.entries.size());
    if (commit.writes() && !co_await RestoreJob::commit_again(catalog_, std::move(commit))) co_return;
    more = page.more && !page.entries.empty();
    if (more) options.begin = page.entries.back().key + '\0';
  }
  if (*stop) co_return;
  record.available = true;
  last.put(task.value, record.to_json()).erase(task.key);
  co_await RestoreJob::commit_again(catalog_, std::move(last));
}

awaitable<> Backups::fill(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop) {
  RestoreJob job(catalog_, stop);
  if (!co_await job.open(task)) co_return;
  const std::string source = backup_items_prefix(job.target().scope, job.target().restore->data_id);
  if (!co_await job.copy_items(catalog_.store().snapshot(), source)) co_return;
  if (co_await job.write_indexes()) co_await job.finish();
}

}  // namespace parvis::dynamodb
