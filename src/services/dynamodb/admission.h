// dynamodb/admission.h: provisioned throughput: who may read and write, by the capacity that a table or global index asked for.
//
// Each has a bucket of read units and one of write units. A bucket fills at the provisioned rate and holds 300 seconds of
// unused capacity. A request is admitted while anything is left and is charged what it used, so one that used more than was
// left is paid for by the next ones. Local indexes draw on the table. Tables on demand are held to the
// maximum of OnDemandThroughput if they have one, with one second of burst.
// Source: Developer Guide, "DynamoDB burst and adaptive capacity", "DynamoDB provisioned capacity mode", "Resolving DynamoDB
// throttling".
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "core/clock.h"
#include "services/dynamodb/table.h"

namespace parvis::dynamodb {

enum class Access { kRead, kWrite };
inline constexpr double kBurstSeconds = 300;

double read_units(std::size_t bytes, bool consistent);
double write_units(std::size_t bytes);

class Admission {  // thread-safe; `clock` outlives it
 public:
  explicit Admission(const Clock& clock) : clock_(clock) {}
  // Without, every request is admitted. Call before the first request.
  void set_enforced(bool enforced) { enforced_ = enforced; }

  // `index` may be null: the table itself.
  bool is_exhausted(const TableRecord& table, const IndexRecord* index, Access access);
  // Throws ProvisionedThroughputExceededException, or ThrottlingException for a table on demand.
  void check(const TableRecord& table, const IndexRecord* index, Access access);
  void charge(const TableRecord& table, const IndexRecord* index, Access access, double units);

 private:
  struct Bucket {
    double left = 0;
    Millis as_of{};
  };
  double refill(Bucket& bucket, double rate, double seconds_max) const;
  void drop_full();

  const Clock& clock_;
  bool enforced_ = true;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  // by table id, index id and access; absent: full
};

}  // namespace parvis::dynamodb
