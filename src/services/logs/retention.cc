// What a group has beside its events: retention, tags; and the removal of events that are older than a group keeps them.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "models/logs.h"
#include "services/logs/log_keys.h"
#include "services/logs/log_store.h"
#include "storage/tuple.h"

namespace parvis::logs {
namespace {

namespace errors = aws::model::logs::errors;
using boost::json::object;
constexpr int kAttemptsMax = 10;
constexpr std::int64_t kDayMs = 86'400'000;

// Groups with a retention, across accounts: what the sweep goes through.
std::string retained_prefix() {
  storage::TupleWriter key;
  key.string("*").string("logs").string("retention");  // no account id is a star
  return key.take();
}

GroupSettings settings_of(const object& record) {
  GroupSettings out;
  if (const auto* created = record.if_contains("created"); created && created->is_int64()) out.created_ms = created->as_int64();
  if (const auto* days = record.if_contains("retention"); days && days->is_int64()) out.retention_days = static_cast<int>(days->as_int64());
  if (const auto* tags = record.if_contains("tags"); tags && tags->is_object()) {
    for (const auto& tag : tags->as_object()) out.tags.emplace(tag.key(), tag.value().as_string());
  }
  if (const auto* made = record.if_contains("auto")) out.made_by_function = *made == true;
  return out;
}

}  // namespace

std::string retained_key(const aws::Scope& scope, std::string_view group) {
  return storage::TupleWriter(retained_prefix()).string(scope.account).string(scope.region).string(group).take();
}

std::string encode_group(const GroupSettings& settings) {
  object out{{"created", settings.created_ms}};
  if (settings.retention_days > 0) out["retention"] = settings.retention_days;
  if (settings.made_by_function) out["auto"] = true;
  object tags;
  for (const auto& [key, value] : settings.tags) tags[key] = value;
  if (!tags.empty()) out["tags"] = std::move(tags);
  return boost::json::serialize(out);
}

GroupSettings decode_group(std::string_view bytes) {
  boost::json::error_code failed;
  const boost::json::value value = boost::json::parse(bytes, failed);
  return !failed && value.is_object() ? settings_of(value.as_object()) : GroupSettings{};
}

awaitable<GroupSettings> LogStore::settings(aws::Scope scope, std::string group) {
  const std::string key = group_key(scope, group);
  const auto found = co_await store_.snapshot()->get(key);
  if (!found) throw aws::ApiError(errors::kResourceNotFoundException, "The specified log group does not exist.");
  co_return decode_group(found->bytes);
}

awaitable<> LogStore::change(aws::Scope scope, std::string group, std::function<void(GroupSettings&)> change) {
  const std::string key = group_key(scope, group);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto found = co_await store_.snapshot()->get(key);
    if (!found) throw aws::ApiError(errors::kResourceNotFoundException, "The specified log group does not exist.");
    GroupSettings settings = decode_group(found->bytes);
    change(settings);
    storage::Commit commit;
    commit.check(key, found->version).put(key, encode_group(settings));
    if (settings.retention_days > 0) commit.put(retained_key(scope, group), "");
    else commit.erase(retained_key(scope, group));
    if (co_await store_.commit(std::move(commit))) co_return;  // after an unknown outcome the same change is made again
  }
  throw aws::ApiError(errors::kOperationAbortedException, "Multiple concurrent requests to update the same resource were in conflict.");
}

awaitable<> LogStore::apply_retention() {
  const std::string prefix = retained_prefix();
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = 200};
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await store_.snapshot()->scan(range);
    for (const storage::Entry& entry : page.entries) {
      storage::TupleReader reader(std::string_view(entry.key).substr(prefix.size()));
      const auto account = reader.string(), region = reader.string(), group = reader.string();
      if (!account || !region || !group) continue;
      const aws::Scope scope{*account, *region};
      const std::string key = group_key(scope, *group);
      const auto found = co_await store_.snapshot()->get(key);
      if (!found) continue;
      const int days = decode_group(found->bytes).retention_days;
      if (days > 0) co_await drop_before(scope, *group, clock_.due().time_since_epoch().count() - days * kDayMs);
    }
    more = page.more && !page.entries.empty();
    if (more) range.begin = page.entries.back().key + '\0';
  }
}

awaitable<> LogStore::drop_before(aws::Scope scope, std::string group, std::int64_t before_ms) {
  for (std::string after;;) {
    const auto found = co_await streams(scope, group, "", after, 500);
    for (const NamedEntry& stream : found) {
      const std::string blocks = block_prefix(scope, group, stream.name);
      storage::ScanOptions range{.begin = blocks, .end = storage::TupleWriter(blocks).i64(before_ms).take(), .limit = 200};
      for (bool more = true; more;) {
        const storage::ScanPage page = co_await store_.snapshot()->scan(range);
        storage::Commit old;
        for (const storage::Entry& entry : page.entries) {  // a block goes when the youngest of its events is old enough
          const auto events = decode_events(entry.value);
          if (std::ranges::all_of(events, [&](const LogEvent& event) { return event.timestamp_ms < before_ms; })) old.erase(entry.key);
        }
        if (old.writes()) co_await commit(std::move(old));
        more = page.more && !page.entries.empty();
        if (more) range.begin = page.entries.back().key + '\0';
      }
    }
    if (found.size() < 500) co_return;
    after = found.back().name;
  }
}

awaitable<StreamTimes> LogStore::times(aws::Scope scope, std::string group, std::string stream) {
  StreamTimes out;
  const std::string blocks = block_prefix(scope, group, stream);
  const auto snapshot = store_.snapshot();
  for (const bool last : {false, true}) {
    const storage::ScanPage page = co_await snapshot->scan({.begin = blocks, .end = storage::prefix_end(blocks), .reverse = last, .limit = 1});
    if (page.entries.empty()) co_return out;
    const auto events = decode_events(page.entries.front().value);
    if (events.empty()) continue;
    if (!last) out.first_ms = events.front().timestamp_ms;
    for (const LogEvent& event : events) {
      if (!last) break;
      out.last_ms = std::max(out.last_ms.value_or(0), event.timestamp_ms);
      out.last_ingested_ms = std::max(out.last_ingested_ms.value_or(0), event.ingested_ms);
    }
  }
  co_return out;
}

awaitable<> LogStore::delete_stream(aws::Scope scope, std::string group, std::string stream) {
  co_await check_stream(scope, group, stream);
  const std::string blocks = block_prefix(scope, group, stream);
  for (;;) {
    const storage::ScanPage page = co_await store_.snapshot()->scan({.begin = blocks, .end = storage::prefix_end(blocks), .limit = 1000});
    if (page.entries.empty()) break;
    storage::Commit batch;
    for (const storage::Entry& entry : page.entries) batch.erase(entry.key);
    co_await commit(std::move(batch));
  }
  storage::Commit head;  // last: a deletion that was cut off can be repeated
  head.erase(stream_key(scope, group, stream));
  co_await commit(std::move(head));
}

}  // namespace parvis::logs
