// dynamodb/item_store.h: reads and conditional writes of items, alone and in transactions, with their index entries.
//
// A write is an update of the store: it decides on the newest item when its turn comes, so writes of one item queue up and
// never fail because of each other. After an unknown outcome it looks for its own mark in the stored item before it tries again.
// Source: API Reference, PutItem, UpdateItem, DeleteItem, TransactWriteItems.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/dynamodb/catalog.h"
#include "services/dynamodb/evaluate.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kTransactionItemsMax = 100;
inline constexpr std::size_t kTransactionBytesMax = 4u << 20;
inline constexpr std::int64_t kCollectionBytesMax = 10LL << 30;  // of a table with local indexes
inline constexpr std::int64_t kClientTokenLifeMs = 10 * 60 * 1000;

struct ItemWrite {
  enum class Kind { kPut, kUpdate, kDelete, kCheck };
  Kind kind = Kind::kPut;
  std::string table_name;
  Item item;  // kPut: the item; otherwise its key
  std::optional<Condition> condition;
  std::optional<Update> update;  // kUpdate; absent: only makes the item exist
  bool return_old_on_failure = false;
  bool is_insert = false;  // a PartiQL INSERT: when the condition fails, the item is a duplicate
};

struct ItemWriteResult {
  Table table;
  std::optional<Item> old_item, new_item;
  std::size_t base_size_bytes = 0;  // the larger of old and new
  std::map<std::string, double> index_units;  // write capacity per index that changed
  std::vector<CountChange> counts;            // of the table and its indexes
  std::optional<std::int64_t> collection_bytes = std::nullopt;  // of the item's collection afterwards; tables with local indexes
};

struct ItemRead {
  std::string table_name;
  Item key;
  double price = 0.5;  // read units for 4 KB: 1 when consistent, 2 in a transaction
};
struct ItemReadResult {
  Table table;
  std::optional<Item> item;
};

class ItemStore {  // thread-safe; `catalog` outlives it
 public:
  explicit ItemStore(Catalog& catalog) : catalog_(catalog) {}

  // One snapshot for all. Throws ResourceNotFoundException, ValidationException, ProvisionedThroughputExceededException.
  awaitable<std::vector<ItemReadResult>> read(aws::Scope scope, std::vector<ItemRead> reads);
  // Throws ConditionalCheckFailedException (with Item when asked for), DuplicateItemException, ValidationException, ResourceNotFoundException,
  // ThrottlingException (the item changed at every attempt), ProvisionedThroughputExceededException, ItemCollectionSizeLimitExceededException.
  awaitable<ItemWriteResult> write(aws::Scope scope, ItemWrite write);
  // All or nothing. `token` may be empty; the same token and `fingerprint` within ten minutes does nothing again.
  // Throws TransactionCanceledException with one reason per write, IdempotentParameterMismatchException.
  awaitable<std::vector<ItemWriteResult>> transact(aws::Scope scope, std::vector<ItemWrite> writes, std::string token,
                                                   std::string fingerprint);
  // Puts and deletes without conditions, in as few commits as their size allows; not atomic together. In the order given.
  awaitable<std::vector<ItemWriteResult>> write_batch(aws::Scope scope, std::vector<ItemWrite> writes);
  // Writes the entries of a new index for the items that are already there, then marks it active.
  awaitable<> backfill(aws::Scope scope, std::string table_name, std::string index_id,
                       std::shared_ptr<std::atomic<bool>> stop);

  // For tests; before the first write.
  void set_collection_bytes_max(std::int64_t bytes) { collection_bytes_max_ = bytes; }

  Catalog& catalog() { return catalog_; }

 private:
  Catalog& catalog_;
  std::int64_t collection_bytes_max_ = kCollectionBytesMax;
};

// Throws ProvisionedThroughputExceededException when the table or an index that the write changes is exhausted.
void check_write_capacity(Admission& admission, const ItemWriteResult& result);
// `factor`: 2 in a transaction.
void charge_write(Admission& admission, const ItemWriteResult& result, double factor);

// What a write makes of the item; nullopt when its condition fails. Throws ValidationException.
struct Planned {
  std::optional<Item> new_item;
};
std::optional<Planned> plan_write(const TableRecord& table, const ItemWrite& write, const std::optional<Item>& old_item);
struct WriteMark {
  std::uint64_t write_id = 0;
  std::int64_t now_ms = 0;
  bool expired = false;  // time to live deletes the item
};
// Adds to `commit` what changes: the item, its index entries, its expiry entry and the stream's record. Capacities of
// indexes and counts go to `result`.
void add_changes(const TableRecord& table, const WriteMark& mark, ItemWriteResult& result, const std::string& key,
                 storage::Commit& commit);

}  // namespace parvis::dynamodb
