// dynamodb/exports.h: tables written to S3, as DynamoDB lays them out: data files of lines of JSON or Ion, compressed by gzip, and
// the two manifests with their checksums.
//
// A full export is the table at one moment: the items of now with the later changes taken back, which the table's history
// tells. An incremental one gives each item that changed in a time, as it was before and after. An export that a crash cut
// off begins again and writes the same files.
// Source: Developer Guide, "DynamoDB table export output format".
#pragma once

#include "services/dynamodb/transfers.h"

namespace parvis::dynamodb {

inline constexpr std::int64_t kIncrementalMsMin = 15 * 60 * 1000, kIncrementalMsMax = 24 * 60 * 60 * 1000;

class Exports {  // arguments outlive it
 public:
  Exports(Catalog& catalog, Transfers& transfers) : catalog_(catalog), transfers_(transfers) {}
  // Does what is left, also from before a crash. One call at a time.
  awaitable<> run(Objects& objects, std::shared_ptr<std::atomic<bool>> stop);

 private:
  Catalog& catalog_;
  Transfers& transfers_;
};

}  // namespace parvis::dynamodb
