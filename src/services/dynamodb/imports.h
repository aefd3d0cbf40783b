// dynamodb/imports.h: new tables from files in S3: DynamoDB's JSON, Ion text or CSV, plain or compressed by gzip or zstd.
//
// The table is CREATING until all items and index entries are there. A row that is no item of the table is counted as an
// error and left out. An import that a crash cut off begins again. One that fails takes its table with it.
// Source: Developer Guide, "Amazon S3 import formats for DynamoDB", "Import format quotas and validation".
#pragma once

#include "services/dynamodb/transfers.h"

namespace parvis::dynamodb {

class Imports {  // arguments outlive it
 public:
  Imports(Catalog& catalog, Transfers& transfers) : catalog_(catalog), transfers_(transfers) {}
  // Makes the table and leaves its items to run(). Throws ResourceInUseException.
  awaitable<TransferRecord> start(TransferRecord record);
  // Does what is left, also from before a crash. One call at a time.
  awaitable<> run(Objects& objects, std::shared_ptr<std::atomic<bool>> stop);

 private:
  awaitable<> give_up(TransferRecord& record, storage::Version table_version, std::string code, std::string message);
  awaitable<> run_one(Objects& objects, TransferRecord& record, std::shared_ptr<std::atomic<bool>> stop);

  Catalog& catalog_;
  Transfers& transfers_;
};

}  // namespace parvis::dynamodb
