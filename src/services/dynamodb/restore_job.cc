#include "services/dynamodb/restore_job.h"

#include "services/dynamodb/collections.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

constexpr int kAttemptsMax = 20;

}  // namespace

awaitable<bool> RestoreJob::commit_again(Catalog& catalog, storage::Commit commit) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, catalog.entropy());
    // What these jobs write comes to the same when it is written twice.
    const auto done = co_await catalog.store().commit(commit);
    if (done) co_return true;
    // A conflict says that the table or the backup has changed: then the work begins again from what is there now.
    const bool changed = done.error().code == storage::StoreErrc::kConflict && !commit.checks.empty();
    if (changed || done.error().code == storage::StoreErrc::kStopping || done.error().code == storage::StoreErrc::kCorruption) break;
  }
  co_return false;
}

awaitable<bool> RestoreJob::clear(Catalog& catalog, std::string prefix, std::shared_ptr<std::atomic<bool>> stop) {
  while (!*stop) {
    storage::ScanOptions options;
    options.begin = prefix;
    options.end = storage::prefix_end(prefix);
    const std::shared_ptr<storage::Snapshot> snapshot = catalog.store().snapshot();
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    if (page.entries.empty()) co_return true;
    storage::Commit commit;
    for (const storage::Entry& entry : page.entries) commit.erase(entry.key);
    if (!co_await commit_again(catalog, std::move(commit))) co_return false;
  }
  co_return false;
}

awaitable<bool> RestoreJob::open(storage::Entry task) {
  task_ = std::move(task);
  const std::optional<aws::Scope> scope = scope_of(task_.value);
  const std::optional<std::string> name = table_name_of(task_.value);
  if (!scope || !name) co_return false;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::optional<Table> table = co_await catalog_.find_if(snapshot, *scope, *name);
  if (!table || !(*table)->restore || !(*table)->restore->in_progress) co_return false;
  target_ = *table;
  co_return true;
}

awaitable<bool> RestoreJob::clear_target() {
  co_return co_await clear(catalog_, items_prefix(target_->scope, target_->id), stop_) &&
      co_await clear(catalog_, indexes_prefix(target_->scope, target_->id), stop_) &&
      co_await clear(catalog_, collections_prefix(target_->scope, target_->id), stop_);
}

awaitable<bool> RestoreJob::copy_items(std::shared_ptr<storage::Snapshot> snapshot, std::string source) {
  const std::string prefix = items_prefix(target_->scope, target_->id);
  storage::ScanOptions options;
  options.begin = source;
  options.end = storage::prefix_end(source);
  while (!*stop_) {
    const storage::ScanPage page = co_await snapshot->scan(options);
    storage::Commit commit;
    commit.check(task_.value, target_.version);
    for (const storage::Entry& entry : page.entries) commit.put(prefix + entry.key.substr(source.size()), entry.value);
    if (commit.writes() && !co_await commit_again(catalog_, std::move(commit))) co_return false;
    if (!page.more || page.entries.empty()) co_return true;
    options.begin = page.entries.back().key + '\0';
  }
  co_return false;
}

awaitable<bool> RestoreJob::take_back(std::map<std::string, std::optional<std::string>> before) {
  const std::string prefix = items_prefix(target_->scope, target_->id);
  storage::Commit commit;
  commit.check(task_.value, target_.version);
  for (auto& [suffix, stored] : before) {
    if (stored) commit.put(prefix + suffix, std::move(*stored));
    else commit.erase(prefix + suffix);
  }
  co_return !commit.writes() || co_await commit_again(catalog_, std::move(commit));
}

awaitable<bool> RestoreJob::write_indexes() {
  if (target_->indexes.empty()) co_return true;
  const std::string prefix = items_prefix(target_->scope, target_->id);
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  storage::ScanOptions options;
  options.begin = prefix;
  options.end = storage::prefix_end(prefix);
  options.limit = kItemsPerCommit;
  CollectionSum sum;
  while (!*stop_) {
    const storage::ScanPage page = co_await snapshot->scan(options);
    storage::Commit commit;
    commit.check(task_.value, target_.version);
    for (const storage::Entry& entry : page.entries) add_entries(decode_stored(entry.value), sum, commit);
    const bool last = !page.more || page.entries.empty();
    if (last) sum.put(commit);
    if (commit.writes() && !co_await commit_again(catalog_, std::move(commit))) co_return false;
    if (last) co_return true;
    options.begin = page.entries.back().key + '\0';
  }
  co_return false;
}

void RestoreJob::add_entries(const StoredItem& stored, CollectionSum& sum, storage::Commit& commit) const {
  std::size_t collection_bytes = item_size_bytes(stored.item);
  for (const IndexRecord& index : target_->indexes) {
    const std::optional<std::string> key = index_key(*target_, index, stored.item);
    if (!key) continue;
    const Item entry = index_projection(*target_, index, stored.item);
    if (!index.global) collection_bytes += item_size_bytes(entry);
    commit.put(*key, encode_stored(stored.write_id, entry));
  }
  if (!target_->counts_collections) return;
  std::string collection = collection_key(*target_, stored.item);
  if (collection != sum.key) {
    sum.put(commit);
    sum = {std::move(collection), 0};
  }
  sum.bytes += static_cast<std::int64_t>(collection_bytes);
}

void RestoreJob::CollectionSum::put(storage::Commit& commit) const {
  if (!key.empty()) commit.put(key, encode_collection_bytes(bytes));
}

awaitable<> RestoreJob::finish() {
  co_await catalog_.modify_with(target_->scope, target_->name, [this](TableRecord& record, storage::Commit& commit) {
    if (record.restore) record.restore->in_progress = false;
    commit.erase(task_.key);
  });
  catalog_.statistics().forget(target_->id);
}

awaitable<> RestoreJob::give_up() {
  storage::Commit commit;
  commit.check(task_.value, target_.version).erase(task_.value).erase(task_.key);
  co_await commit_again(catalog_, std::move(commit));
}

}  // namespace parvis::dynamodb
