// platform/usage.h: counts what every resource is asked to do: API calls, requests, invocations, bytes. The meter is built on it.
//
// On the hot path a count is a lookup in the calling thread's own table, under a mutex that only flush() contends for; no text is
// built for a resource that is known. flush() adds what was gathered to the store as deltas, once a second: a crash loses at
// most the last second, a clean stop nothing, and an unknown outcome never counts twice.
//
// Stored under (account, region, "usage", "day", u64 20261125, service, resource): JSON of Counts, with the flush that wrote last.
// Limits: kResourcesMax resources per thread between two flushes and kSeriesMax in the metrics page; what is beyond counts as
// "(other)". Days older than kDaysKept are removed.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/json/object.hpp>

#include "aws/pipeline.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "services/apigateway/site.h"
#include "services/lambda/invoke.h"
#include "storage/store.h"

namespace parvis::platform {

struct Counts {
  std::uint64_t calls = 0, errors = 0, bytes_in = 0, bytes_out = 0;  // AWS API calls that name the resource
  std::uint64_t requests = 0;                                        // of a team's API
  std::uint64_t invocations = 0, failed_invocations = 0, duration_us = 0;
  std::uint64_t mb_ms = 0;                                           // configured memory in MB, times whole milliseconds as Lambda bills them
  Counts& operator+=(const Counts& other);
  bool operator==(const Counts&) const = default;
};

struct UsageKey {
  std::string account, region, service, resource;  // resource may be empty: calls that name none
  auto operator<=>(const UsageKey&) const = default;
};

// What a resource holds at a time; services are asked through functions of this kind.
struct StoredBytes {
  std::string service, resource;
  std::uint64_t bytes = 0, items = 0;
};

class UsageMeter {  // thread-safe; what is given outlives it
 public:
  static constexpr std::size_t kResourcesMax = 10'000, kSeriesMax = 1000, kShards = 64;
  static constexpr unsigned kDaysKept = 400;

  UsageMeter(storage::Store& store, const Clock& clock, Entropy& entropy) : store_(store), clock_(clock), entropy_(entropy) {}
  void call(const aws::CallRecord& call);
  void request(const apigateway::RequestRecord& request);
  void invocation(const lambda::InvocationRecord& invocation);
  void add(const aws::Scope& scope, std::string_view service, std::string_view resource, const Counts& counts);

  // Writes what was gathered. A store that refuses keeps it for the next time.
  awaitable<> flush();
  // After a reset of the store: what was gathered belongs to what is gone.
  void forget();
  // Everything stored, by resource, from `first` to `last` (days as 20261125, both included).
  awaitable<std::map<UsageKey, Counts>> read(std::uint64_t first, std::uint64_t last);
  // Since this process began, as Prometheus reads it.
  std::string metrics() const;

 private:
  struct Hash;
  struct Equal;
  struct View { std::string_view account, region, service, resource; };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const UsageKey& key) const { return (*this)(View{key.account, key.region, key.service, key.resource}); }
    std::size_t operator()(const View& view) const;
  };
  struct Equal {
    using is_transparent = void;
    static View view(const UsageKey& key) { return {key.account, key.region, key.service, key.resource}; }
    static const View& view(const View& given) { return given; }
    bool operator()(const auto& a, const auto& b) const {
      const View& x = view(a);
      const View& y = view(b);
      return x.resource == y.resource && x.service == y.service && x.account == y.account && x.region == y.region;
    }
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<UsageKey, Counts, Hash, Equal> counts;
  };
  awaitable<bool> write(std::vector<std::pair<UsageKey, Counts>> deltas, std::uint64_t day);
  awaitable<> remove_old(std::uint64_t today);

  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
  std::array<Shard, kShards> shards_;
  mutable std::mutex mutex_;
  std::map<UsageKey, Counts> pending_;  // drained, not written yet
  std::map<UsageKey, Counts> totals_;   // since the process began
  std::uint64_t swept_ = 0;             // the day on which old days were removed last
};

std::uint64_t day_of(Millis time);  // 20261125
// Every account and Region that has anything in the store.
awaitable<std::vector<aws::Scope>> scopes_of(storage::Store& store);
// {"resources": [{"account", "region", "service", "resource", "calls", …}]}, with what is stored where it is known.
boost::json::object usage_json(const std::map<UsageKey, Counts>& counts, const std::map<UsageKey, StoredBytes>& stored);

}  // namespace parvis::platform
