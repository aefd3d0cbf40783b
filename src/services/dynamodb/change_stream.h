// dynamodb/change_stream.h: what DynamoDB Streams keeps: one record per changed item, written in the item's own commit and
// ordered by that commit's stamp, so writers of one table never wait for each other. A stream has one shard.
//
// Readers see only what lies at or below the store's stable stamp: nothing appears behind them. Records live 24 hours; a
// stream that was disabled, or whose table is gone, stays readable that long.
// Source: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/dynamodb/catalog.h"

namespace parvis::dynamodb {

struct ItemWriteResult;

inline constexpr std::int64_t kStreamLifeMs = 24 * 60 * 60 * 1000;

// A place in a shard: the commit, and which of its records. The sequence number spells both: "1", 16 digits, 4 digits.
struct StreamPosition {
  storage::Stamp stamp = 0;
  std::uint64_t index = 0;
  auto operator<=>(const StreamPosition&) const = default;
  std::string sequence_number() const;
  static std::optional<StreamPosition> parse(std::string_view sequence_number);
  StreamPosition next() const { return {stamp, index + 1}; }
};

struct StreamRecord {  // of the stream itself, as made
  std::string id, table_id, table_name, label, view;
  std::int64_t created_ms = 0;
  KeySchema keys;
  std::string to_json() const;
  static StreamRecord from_json(std::string_view text);  // throws InternalServerError for damaged bytes
};

struct Stream {
  aws::Scope scope;
  StreamRecord record;
  storage::Stamp first = 0;           // of the commit that made it
  std::optional<storage::Stamp> last;  // of the commit that closed it
  std::string arn() const;
  std::string shard_id() const;
};

enum class ChangeKind : std::uint8_t { kInsert, kModify, kRemove };
struct Change {
  ChangeKind kind = ChangeKind::kInsert;
  bool expired = false;  // time to live deleted the item
  std::int64_t created_ms = 0;
  std::optional<Item> keys, old_image, new_image;
  StreamPosition position;
};
struct ChangePage {
  std::vector<Change> changes;
  StreamPosition next;
  bool ended = false;  // the shard is closed and has been read to its end
};

// Puts a new stream into `commit` and into the table's record.
void open_stream(TableRecord& table, std::string id, std::string view, std::int64_t now_ms, storage::Commit& commit);
// Marks the table's stream as closed.
void close_stream(TableRecord& table, std::int64_t now_ms, storage::Commit& commit);
// Adds the record of one item's change; none when the item stayed as it was. `expired`: time to live deleted it.
void add_change(const ItemWriteResult& result, std::int64_t now_ms, bool expired, storage::Commit& commit);

class ChangeStreams {  // thread-safe; `catalog` outlives it
 public:
  explicit ChangeStreams(Catalog& catalog) : catalog_(catalog) {}

  // In the order of table names and labels, after `after` (table name, label); of one table unless that is empty.
  awaitable<std::vector<Stream>> list(aws::Scope scope, std::string table_name,
                                      std::optional<std::pair<std::string, std::string>> after, std::size_t limit, bool& more);
  awaitable<std::optional<Stream>> find(aws::Scope scope, std::string table_name, std::string label);
  // Changes from `from` on, at most `limit` and about 1 MB; none older than `not_before_ms` or than 24 hours.
  // Throws TrimmedDataAccessException when records at or after `from` are gone already.
  awaitable<ChangePage> read(const Stream& stream, StreamPosition from, std::size_t limit, std::int64_t not_before_ms);
  // A position after every change that has been acknowledged.
  StreamPosition latest() const { return {catalog_.store().stable_stamp() + 1, 0}; }
  // Deletes what is older than 24 hours, and streams that were closed so long ago. Resumable at any point.
  awaitable<> trim(std::shared_ptr<std::atomic<bool>> stop);

 private:
  awaitable<std::optional<Stream>> load(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string bytes,
                                        storage::Stamp first);
  awaitable<> trim_one(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop);

  Catalog& catalog_;
};

}  // namespace parvis::dynamodb
