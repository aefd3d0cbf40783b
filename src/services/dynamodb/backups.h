// dynamodb/backups.h: copies of tables, and tables made from copies.
//
// A backup is the table at one snapshot, copied in the background; one that a crash cut off is taken again after the restart.
// A restored table is CREATING, and its items are out of reach, until all of them are there; a crash does not lose the place.
// Source: API Reference, CreateBackup, RestoreTableFromBackup.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/dynamodb/catalog.h"

namespace parvis::dynamodb {

struct BackupRecord {
  std::string id, data_id, name;  // id: "01489602797149-73d8d5bc", the end of the ARN
  TableRecord table;              // as it was
  std::int64_t created_ms = 0;
  bool available = false;
  Counts counts;
  storage::Version version = 0;  // of this record in the store
  std::string arn() const;
  std::string to_json() const;
  static BackupRecord from_json(std::string_view text);  // throws InternalServerError for damaged bytes
};

struct BackupArn {
  aws::Scope scope;
  std::string table_name, id;
  static std::optional<BackupArn> parse(std::string_view arn);
};

class Backups {  // thread-safe; `catalog` outlives it
 public:
  explicit Backups(Catalog& catalog) : catalog_(catalog) {}

  // Throws TableNotFoundException. run() makes the copy.
  awaitable<BackupRecord> create(aws::Scope scope, std::string table_name, std::string name);
  // Throws BackupNotFoundException.
  awaitable<BackupRecord> find(aws::Scope scope, std::string arn);
  // By table name and age, after `after`; of one table unless that is empty.
  awaitable<std::vector<BackupRecord>> list(aws::Scope scope, std::string table_name, std::optional<BackupArn> after,
                                            std::size_t limit, bool& more);
  // Throws BackupNotFoundException, BackupInUseException (it is being made, or a table is being restored from it).
  awaitable<BackupRecord> remove(aws::Scope scope, std::string arn);
  // Makes `target`, whose name, keys, indexes and capacity are given, with the backup's items. Throws
  // TableAlreadyExistsException. run() brings the items.
  awaitable<Table> restore(BackupRecord backup, TableRecord target);
  // Does what create() and restore() left, also before a crash. One call at a time.
  awaitable<> run(std::shared_ptr<std::atomic<bool>> stop);

 private:
  awaitable<> copy(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop);
  awaitable<> fill(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop);

  Catalog& catalog_;
};

}  // namespace parvis::dynamodb
