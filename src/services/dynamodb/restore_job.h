// dynamodb/restore_job.h: the steps in which a table that is CREATING gets its items, from a backup or from history. Each
// step is false when the store or a stop ends it; the job then begins again later and comes to the same.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "services/dynamodb/catalog.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kItemsPerCommit = 100;  // with the entries of 25 indexes below the store's limits

class RestoreJob {  // `catalog` outlives it
 public:
  RestoreJob(Catalog& catalog, std::shared_ptr<std::atomic<bool>> stop) : catalog_(catalog), stop_(std::move(stop)) {}

  // Reads the target that the task names; false when it is no longer being restored.
  awaitable<bool> open(storage::Entry task);
  const TableRecord& target() const { return *target_; }
  storage::Version version() const { return target_.version; }

  awaitable<bool> clear_target();  // items, index entries, sizes of collections
  // Copies what lies under `source` in the snapshot, without index entries.
  awaitable<bool> copy_items(std::shared_ptr<storage::Snapshot> snapshot, std::string source);
  // By the rest of the item's key; nullopt: the item goes.
  awaitable<bool> take_back(std::map<std::string, std::optional<std::string>> before);
  // Of all items that the target has now; with the sizes of their collections.
  awaitable<bool> write_indexes();
  awaitable<> finish();   // the table is ACTIVE
  awaitable<> give_up();  // the table goes

  // Until it is done: false when something that it checks has changed, or the store will not do it.
  static awaitable<bool> commit_again(Catalog& catalog, storage::Commit commit);
  static awaitable<bool> clear(Catalog& catalog, std::string prefix, std::shared_ptr<std::atomic<bool>> stop);

 private:
  struct CollectionSum {  // of the collection whose items are being walked: they stand together
    std::string key;
    std::int64_t bytes = 0;
    void put(storage::Commit& commit) const;
  };
  void add_entries(const StoredItem& stored, CollectionSum& sum, storage::Commit& commit) const;

  Catalog& catalog_;
  std::shared_ptr<std::atomic<bool>> stop_;
  storage::Entry task_;
  Table target_;
};

}  // namespace parvis::dynamodb
