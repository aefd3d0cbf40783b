// dynamodb/catalog.h: which tables there are. A table is ACTIVE once create() returned; removing one is one commit, its
// items go in a background purge that a restart resumes.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "core/entropy.h"
#include "services/dynamodb/admission.h"
#include "services/dynamodb/statistics.h"
#include "services/dynamodb/table.h"
#include "storage/store.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kTablesMax = 2500;  // of an account in a Region

class Catalog {  // thread-safe; store, clock and entropy outlive it
 public:
  Catalog(storage::Store& store, const Clock& clock, Entropy& entropy);

  // Throws ResourceNotFoundException, "Requested resource not found", also for a table that is being restored.
  awaitable<Table> find(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string name);
  awaitable<std::optional<Table>> find_if(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string name);
  // Takes ids and the creation time from the clock and entropy; `stream_view` opens a stream unless it is empty; `with`
  // adds to the commit. Throws ResourceInUseException.
  awaitable<Table> create(TableRecord record, std::string stream_view = {},
                          std::function<void(const TableRecord&, storage::Commit&)> with = {});
  // `change` may be called several times, each time with the newest record; what it throws ends the call.
  awaitable<Table> modify(aws::Scope scope, std::string name, std::function<void(TableRecord&)> change);
  // The same, with what else the commit writes.
  awaitable<Table> modify_with(aws::Scope scope, std::string name, std::function<void(TableRecord&, storage::Commit&)> change);
  // Throws ResourceNotFoundException; ValidationException when the table is protected. Leaves the purge to run_purges().
  awaitable<Table> remove(aws::Scope scope, std::string name);
  // Names in order, after `after`; one more than `limit` is never returned. `more` says whether there are others.
  awaitable<std::vector<std::string>> list(aws::Scope scope, std::string after, std::size_t limit, bool& more);

  // Deletes what removed tables and indexes left. Returns when nothing is left, `stop` is set or the store fails.
  awaitable<> run_purges(std::shared_ptr<std::atomic<bool>> stop);

  storage::Store& store() { return store_; }
  const Clock& clock() const { return clock_; }
  Entropy& entropy() { return entropy_; }
  Statistics& statistics() { return statistics_; }
  Admission& admission() { return admission_; }

 private:
  awaitable<Table> commit_change(aws::Scope scope, std::string name,
                                 std::function<bool(TableRecord&, storage::Commit&)> change);
  awaitable<bool> purge_some(const std::string& prefix);
  std::optional<Table> shown_by(const std::shared_ptr<storage::Snapshot>& snapshot, const std::string& key);
  Table remember(const std::shared_ptr<storage::Snapshot>& snapshot, const std::string& key, const storage::Value& value);

  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
  Statistics statistics_{store_};
  Admission admission_{clock_};
  std::mutex mutex_;
  // A record is used at the version that was read, and without reading it again in the very snapshot that showed it: the
  // store gives out one snapshot until the next commit.
  struct Known {
    Table table;
    std::weak_ptr<storage::Snapshot> shown_by;
  };
  std::unordered_map<std::string, Known> cache_;
};

// Throws ResourceInUseException while the table is being restored.
void check_active(const TableRecord& table);
// Takes a global index out of the record and leaves its entries to run_purges(). Throws ResourceNotFoundException.
void remove_index(TableRecord& table, std::string_view index_name, storage::Commit& commit);

// What a page of a listing scans: up to `limit` keys below `prefix`, behind the key `after`.
storage::ScanOptions listing(std::string prefix, const std::optional<std::string>& after, std::size_t limit);

// Waits before attempt `attempt` of something that met a conflict; a few milliseconds at most.
awaitable<> back_off(int attempt, Entropy& entropy);

}  // namespace parvis::dynamodb
