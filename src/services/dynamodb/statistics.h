// dynamodb/statistics.h: how many items and bytes a table and its indexes hold, so that DescribeTable scans nothing.
//
// A table is counted once per process, on the first question; from then on every commit adds its difference. A table of
// more than one store page is counted in the background; until that is done the last stored counts are given.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/dynamodb/table.h"
#include "storage/store.h"

namespace parvis::dynamodb {

struct Counts {
  std::int64_t items = 0, bytes = 0;
};
using CountsByIndex = std::map<std::string, Counts>;  // by index id; "" is the table itself

struct CountChange {
  std::string index_id;
  Counts by;
};

class Statistics {  // thread-safe; `store` outlives it
 public:
  explicit Statistics(storage::Store& store) : store_(store) {}

  // What a commit changed. Costs a lookup for tables that nobody asked about.
  void apply(const std::string& table_id, const std::vector<CountChange>& changes, storage::Stamp stamp);
  // After a commit whose outcome is unknown, and when an index comes: the next question counts anew.
  void forget(const std::string& table_id);
  // `spawn` runs the rest of the counting when the table is large.
  awaitable<CountsByIndex> of(Table table, std::shared_ptr<std::atomic<bool>> stop,
                              std::function<void(awaitable<>)> spawn);
  // Stores what is known, for the next start.
  awaitable<> save();

 private:
  struct State {
    aws::Scope scope;
    bool known = false;
    storage::Stamp as_of = 0;  // while counting: the snapshot's; 0: not taken yet
    CountsByIndex counts;      // known: current; while counting: the differences since as_of
    std::vector<std::pair<storage::Stamp, CountChange>> early;  // before as_of was known
    CountsByIndex last;        // given while counting
    bool changed = false;
  };
  struct Count {
    Table table;
    std::shared_ptr<State> state;
    std::shared_ptr<storage::Snapshot> snapshot;
    CountsByIndex counts;
    std::size_t part = 0;  // 0: the items; then one index after the other
    std::string cursor;
  };
  awaitable<bool> count_page(std::shared_ptr<Count> count);  // false: all is counted
  awaitable<> count_rest(std::shared_ptr<Count> count, std::shared_ptr<std::atomic<bool>> stop);
  void finish(const Count& count);
  awaitable<CountsByIndex> stored(aws::Scope scope, std::string table_id);

  storage::Store& store_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<State>> states_;  // by table id
};

}  // namespace parvis::dynamodb
