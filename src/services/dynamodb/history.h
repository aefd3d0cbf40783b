// dynamodb/history.h: point-in-time recovery. While it is on, each commit also writes what its items were before, under its
// own stamp; a table of any moment is then the table of now with the later changes taken back, newest first.
//
// Source: API Reference, UpdateContinuousBackups, RestoreTableToPointInTime.
#pragma once

#include <optional>
#include <string>

#include "services/dynamodb/catalog.h"

namespace parvis::dynamodb {

struct ItemWriteResult;

inline constexpr int kRecoveryDaysMax = 35;

// A record: 0x01, when (8 bytes), the length of the rest of the item's key (8 bytes), that rest, and the stored item as it
// was; nothing when there was none.
struct Former {
  std::int64_t at_ms = 0;
  std::string suffix;
  std::optional<std::string> stored;
};
// Throws InternalServerError for damaged bytes.
Former former_of(const storage::Entry& entry);
// How far the times of commits may stand out of the order of their stamps: longer than any commit takes.
inline constexpr std::int64_t kHistorySkewMs = 60'000;

// Adds what the item was. `key` is the item's.
void add_history(const ItemWriteResult& result, const std::string& key, std::int64_t now_ms, storage::Commit& commit);
void start_history(TableRecord& table, std::string id, int days, std::int64_t now_ms, storage::Commit& commit);
void end_history(TableRecord& table, storage::Commit& commit);
// The earliest moment that the table can be restored to.
std::int64_t earliest_ms(const HistorySetting& history, std::int64_t now_ms);

class History {  // `catalog` outlives it
 public:
  explicit History(Catalog& catalog) : catalog_(catalog) {}
  // Makes `target` as `source` was at `at_ms`. Throws TableAlreadyExistsException. run() brings the items.
  awaitable<Table> restore(Table source, TableRecord target, std::int64_t at_ms);
  // Does what restore() left, also before a crash. One call at a time.
  awaitable<> run(std::shared_ptr<std::atomic<bool>> stop);
  // Deletes what is older than each table's recovery period.
  awaitable<> trim(std::shared_ptr<std::atomic<bool>> stop);

 private:
  awaitable<> fill(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop);
  awaitable<> trim_one(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop);

  Catalog& catalog_;
};

}  // namespace parvis::dynamodb
