// logs/log_store.h: log groups, streams and their events in blocks. Owns the keyspace `logs`:
//
//   (account, region, "logs", "group", group)                        {"created":ms,"retention":days,"tags":{…},"auto":made by a function}
//   (account, region, "logs", "stream", group, stream)               {"created":ms}
//   (account, region, "logs", "block", group, stream, i64 ms, id)    events that arrived together, JSON; ms of the earliest
//   ("*", "logs", "retention", account, region, group)               groups with a retention, for the sweep; empty
//
// A put writes one block whole: at most 1 MB and 10,000 events, as the service's own limit. append() gathers what functions
// print and writes a block per stream each second or 64 KB; at most the last second is lost in a crash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "storage/store.h"

namespace parvis::logs {

inline constexpr std::size_t kBlockBytesMax = 64u << 10;
inline constexpr std::size_t kBufferedBytesMax = 16u << 20;  // of append(), past it new lines are dropped and counted

struct LogEvent {
  std::int64_t timestamp_ms = 0, ingested_ms = 0;
  std::string message;
};
struct StreamEvent {
  LogEvent event;
  std::string stream, id;
};
struct NamedEntry {
  std::string name;
  std::int64_t created_ms = 0;
  int retention_days = 0;  // of groups
};

struct GroupSettings {
  std::int64_t created_ms = 0;
  int retention_days = 0;         // 0: for ever
  bool made_by_function = false;  // by what it printed; a template may take the group over
  std::map<std::string, std::string> tags;
};
struct StreamTimes {  // of its events; absent: it has none
  std::optional<std::int64_t> first_ms, last_ms, last_ingested_ms;
};

struct ReadOptions {
  std::int64_t start_ms = 0, end_ms = INT64_MAX;  // [start, end)
  std::size_t limit = 10'000;
  std::size_t skip = 0;         // events of the range already given
};

class LogStore {  // thread-safe; everything given outlives it
 public:
  struct Text {  // of one call, with line ends
    std::int64_t when_ms;
    std::string text;
  };
  LogStore(storage::Store& store, const Clock& clock, Entropy& entropy) : store_(store), clock_(clock), entropy_(entropy) {}
  // Throw ResourceAlreadyExistsException, ResourceNotFoundException, ServiceUnavailableException.
  awaitable<> create_group(aws::Scope scope, std::string group, GroupSettings settings = {}, bool take_over = false);
  awaitable<GroupSettings> settings(aws::Scope scope, std::string group);
  awaitable<> change(aws::Scope scope, std::string group, std::function<void(GroupSettings&)> change);
  awaitable<> delete_stream(aws::Scope scope, std::string group, std::string stream);
  awaitable<StreamTimes> times(aws::Scope scope, std::string group, std::string stream);
  awaitable<> create_stream(aws::Scope scope, std::string group, std::string stream);
  awaitable<> delete_group(aws::Scope scope, std::string group);
  awaitable<> check_group(aws::Scope scope, std::string group);
  awaitable<> check_stream(aws::Scope scope, std::string group, std::string stream);
  awaitable<std::vector<NamedEntry>> groups(aws::Scope scope, std::string name_prefix, std::string after, std::size_t limit);
  awaitable<std::vector<NamedEntry>> streams(aws::Scope scope, std::string group, std::string name_prefix, std::string after, std::size_t limit);
  // The stream exists (check_stream). Events keep their order.
  awaitable<> put(aws::Scope scope, std::string group, std::string stream, std::vector<LogEvent> events);
  // In order of their times, over one stream or all streams of the group whose names begin with `stream_prefix`.
  // Reads at most 32 MB of blocks; `more` tells that there was more than was given.
  struct Page { std::vector<StreamEvent> events; bool more = false; };
  awaitable<Page> read(aws::Scope scope, std::string group, std::optional<std::string> stream, std::string stream_prefix,
                       std::string contains, ReadOptions options);

  // From any thread, for functions: group and stream are made when they are not there. Cheap: it only gathers.
  void append(const aws::Scope& scope, const std::string& group, const std::string& stream, std::string_view text);
  // Bytes of the blocks of every group of an account and Region. Reads them all.
  awaitable<std::map<std::string, std::uint64_t>> stored_bytes(aws::Scope scope);
  // Writes what append() gathered. Call it each second, and at the end.
  awaitable<> flush();
  // Removes events that are older, in due time, than their groups keep them. Call it now and then.
  awaitable<> apply_retention();
  std::uint64_t dropped() const { return dropped_; }

 private:
  awaitable<> drop_before(aws::Scope scope, std::string group, std::int64_t before_ms);
  using Target = std::tuple<std::string, std::string, std::string, std::string>;  // account, Region, group, stream
  using TargetView = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>;
  awaitable<bool> put_new(std::string key, std::string value);
  awaitable<> commit(storage::Commit commit);
  awaitable<std::vector<NamedEntry>> named(std::string prefix, std::string name_prefix, std::string after, std::size_t limit);

  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
  std::mutex mutex_;
  std::map<Target, std::vector<Text>, std::less<>> gathered_;
  std::size_t gathered_bytes_ = 0;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace parvis::logs
