// dynamodb/expiry.h: time to live. An item whose attribute holds a past time in epoch seconds is deleted, through entries in
// the order of that time: no table is scanned, and the entries change in the items' own commits, so a crash loses none.
//
// As on AWS an item stays readable until it is deleted, a value of another type than Number never expires, nor does a time
// more than five years ago. Differs from AWS: items go within seconds, not days.
// Source: Developer Guide, "Using time to live (TTL) in DynamoDB".
#pragma once

#include "services/dynamodb/item_store.h"

namespace parvis::dynamodb {

// Adds the change of the item's entry. `key` is the item's.
void add_expiry_change(const ItemWriteResult& result, const std::string& key, storage::Commit& commit);
// Turn it on or off, with what the background work needs to know.
void start_expiry(TableRecord& table, std::string id, std::string attribute, storage::Commit& commit);
void end_expiry(TableRecord& table, storage::Commit& commit);

class Expiry {  // `items` outlives it; one sweep at a time
 public:
  explicit Expiry(ItemStore& items) : items_(items) {}
  // Deletes what is due in every table, and enters the items of tables where it was just turned on.
  awaitable<> sweep(std::shared_ptr<std::atomic<bool>> stop);

 private:
  awaitable<> sweep_table(aws::Scope scope, std::string table_name, std::string ttl_id, std::shared_ptr<std::atomic<bool>> stop);
  awaitable<> fill(aws::Scope scope, std::string table_name, std::string ttl_id, std::shared_ptr<std::atomic<bool>> stop);
  // One in kSweepsPerRound looks at all that is due, the others only at the last hour: what was deleted before is not
  // walked over each second.
  static constexpr int kSweepsPerRound = 60;
  // False: another writer was faster, or the store refused; the next sweep goes on.
  awaitable<bool> remove(std::shared_ptr<storage::Snapshot> snapshot, Table table, std::vector<storage::Entry> due,
                         std::int64_t now_s);

  ItemStore& items_;
  int sweeps_ = 0;  // since the last one that looked at all
};

}  // namespace parvis::dynamodb
