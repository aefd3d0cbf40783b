#include "services/dynamodb/admission.h"

#include <algorithm>
#include <cmath>

#include "services/dynamodb/errors.h"

namespace parvis::dynamodb {
namespace {

constexpr std::size_t kBucketsMax = 10'000;

// Units a second; 0: not limited.
double rate_of(const TableRecord& table, const IndexRecord* index, Access access) {
  const bool global = index && index->global;
  const Throughput& throughput = table.on_demand ? (global ? index->on_demand_max : table.on_demand_max)
                                                 : (global ? index->throughput : table.throughput);
  return static_cast<double>(access == Access::kRead ? throughput.read : throughput.write);
}

// A table on demand is held to the maximum that it asked for, without the bursts of provisioned capacity.
double burst_seconds(const TableRecord& table) { return table.on_demand ? 1 : kBurstSeconds; }

std::string key_of(const TableRecord& table, const IndexRecord* index, Access access) {
  return table.id + "/" + (index && index->global ? index->id : "") + (access == Access::kRead ? "/r" : "/w");
}

}  // namespace

double read_units(std::size_t bytes, bool consistent) {
  const double blocks = std::max(1.0, std::ceil(static_cast<double>(bytes) / 4096));
  return consistent ? blocks : blocks / 2;
}

double write_units(std::size_t bytes) { return std::max(1.0, std::ceil(static_cast<double>(bytes) / 1024)); }

double Admission::refill(Bucket& bucket, double rate, double seconds_max) const {
  const Millis now = clock_.due();
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - bucket.as_of).count());
  bucket.left = std::min(bucket.left + seconds * rate, rate * seconds_max);
  bucket.as_of = now;
  return bucket.left;
}

bool Admission::is_exhausted(const TableRecord& table, const IndexRecord* index, Access access) {
  const double rate = rate_of(table, index, access);
  if (!enforced_ || rate == 0) return false;
  const std::lock_guard lock(mutex_);
  const auto found = buckets_.find(key_of(table, index, access));
  return found != buckets_.end() && refill(found->second, rate, burst_seconds(table)) <= 0;
}

void Admission::check(const TableRecord& table, const IndexRecord* index, Access access) {
  if (!is_exhausted(table, index, access)) return;
  const bool global = index && index->global;
  const std::string reason = std::string(global ? "Index" : "Table") + (access == Access::kRead ? "Read" : "Write") +
                             (table.on_demand ? "MaxOnDemandThroughputExceeded" : "ProvisionedThroughputExceeded");
  boost::json::object detail{{"reason", reason}, {"resource", global ? table.arn() + "/index/" + index->name : table.arn()}};
  boost::json::array reasons;
  reasons.push_back(std::move(detail));
  boost::json::object members;
  members[table.on_demand ? "throttlingReasons" : "ThrottlingReasons"] = std::move(reasons);  // as the model spells them
  if (table.on_demand) throw aws::ApiError(kThrottling, std::string(kOnDemandThroughputMessage), std::move(members));
  throw aws::ApiError(kThroughputExceeded, std::string(global ? kIndexThroughputMessage : kTableThroughputMessage),
                      std::move(members));
}

void Admission::charge(const TableRecord& table, const IndexRecord* index, Access access, double units) {
  const double rate = rate_of(table, index, access);
  if (!enforced_ || rate == 0 || units == 0) return;
  const std::lock_guard lock(mutex_);
  if (buckets_.size() >= kBucketsMax) drop_full();
  const auto [at, added] = buckets_.try_emplace(key_of(table, index, access), Bucket{rate * burst_seconds(table), clock_.due()});
  refill(at->second, rate, burst_seconds(table));
  at->second.left -= units;
}

// A bucket that nobody drew on for as long as it takes to fill is full.
void Admission::drop_full() {
  const Millis now = clock_.due();
  std::erase_if(buckets_, [&](const auto& entry) {
    return entry.second.left >= 0 && std::chrono::duration<double>(now - entry.second.as_of).count() > kBurstSeconds;
  });
}

}  // namespace parvis::dynamodb
