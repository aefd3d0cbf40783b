#include "services/logs/log_store.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "models/logs.h"
#include "services/logs/log_keys.h"
#include "storage/retry.h"
#include "storage/tuple.h"

namespace parvis::logs {
namespace {

namespace errors = aws::model::logs::errors;
constexpr std::size_t kReadBytesMax = 32u << 20;
constexpr std::size_t kPutBytesMax = 1u << 20;

storage::TupleWriter tuple(const aws::Scope& scope, std::string_view kind) {
  storage::TupleWriter key;
  key.string(scope.account).string(scope.region).string("logs").string(kind);
  return key;
}
// std::stable_sort warns of a deprecated call inside libstdc++ 12.
template <class T, class Key>
void sort_by(std::vector<T>& items, Key key) {
  std::vector<std::pair<std::int64_t, std::size_t>> order;
  for (std::size_t i = 0; i < items.size(); ++i) order.emplace_back(key(items[i]), i);
  if (std::ranges::is_sorted(order)) return;
  std::ranges::sort(order);
  std::vector<T> sorted;
  sorted.reserve(items.size());
  for (const auto& [when, index] : order) sorted.push_back(std::move(items[index]));
  items = std::move(sorted);
}

std::string encode_block(std::span<const LogEvent> events) {
  boost::json::array rows;
  for (const LogEvent& event : events) rows.push_back(boost::json::array{event.timestamp_ms, event.ingested_ms, event.message});
  return boost::json::serialize(boost::json::object{{"format", 1}, {"events", std::move(rows)}});
}

}  // namespace

std::string group_key(const aws::Scope& scope, const std::string& group) { return tuple(scope, "group").string(group).take(); }
std::string stream_key(const aws::Scope& scope, const std::string& group, const std::string& stream) {
  return tuple(scope, "stream").string(group).string(stream).take();
}
std::string block_prefix(const aws::Scope& scope, const std::string& group, const std::string& stream) {
  return tuple(scope, "block").string(group).string(stream).take();
}

std::vector<LogEvent> decode_events(std::string_view bytes) try {
  boost::json::parse_options options;
  options.allow_invalid_utf8 = true;  // functions print what they like
  const boost::json::value value = boost::json::parse(bytes, {}, options);
  std::vector<LogEvent> out;
  for (const auto& row : value.at("events").as_array()) {
    out.push_back({row.at(0).as_int64(), row.at(1).as_int64(), std::string(row.at(2).as_string())});
  }
  return out;
} catch (const std::exception& failed) {
  spdlog::error("logs: a stored block cannot be read: {}", failed.what());
  return {};
}

namespace {

[[noreturn]] void throw_store_error(const storage::StoreError& failed) {
  spdlog::error("logs: commit failed: {}: {}", storage::to_string(failed.code), failed.detail);
  throw aws::ApiError(errors::kServiceUnavailableException, "The service cannot complete the request.");
}

// The lines of what was gathered, without empty ones.
std::vector<LogEvent> lines_of(std::span<const LogStore::Text> texts) {
  std::vector<LogEvent> lines;
  for (const auto& [when, text] : texts) {
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t to = std::min(text.find('\n', from), text.size());
      if (to > from) lines.push_back({when, when, text.substr(from, std::min(to - from, kPutBytesMax / 4))});
      from = to + 1;
    }
  }
  return lines;
}

}  // namespace

awaitable<> LogStore::commit(storage::Commit commit) {
  const auto done = co_await storage::commit_repeatable(store_, std::move(commit));
  if (!done) throw_store_error(done.error());
}

awaitable<bool> LogStore::put_new(std::string key, std::string value) {
  const auto done = co_await storage::replace(store_, {std::move(key), std::nullopt, std::move(value)});
  if (!done && done.error().code != storage::StoreErrc::kConflict) throw_store_error(done.error());
  co_return done.has_value();
}

awaitable<> LogStore::create_group(aws::Scope scope, std::string group, GroupSettings settings, bool take_over) {
  settings.created_ms = clock_.wall().time_since_epoch().count();
  if (co_await put_new(group_key(scope, group), encode_group(settings))) co_return;
  if (take_over && (co_await this->settings(scope, group)).made_by_function) {
    co_return co_await change(scope, group, [&settings](GroupSettings& found) {
      found.made_by_function = false;
      found.tags = settings.tags;
    });
  }
  throw aws::ApiError(errors::kResourceAlreadyExistsException, "The specified log group already exists");
}

awaitable<> LogStore::check_group(aws::Scope scope, std::string group) {
  const std::string key = group_key(scope, group);
  if (!co_await store_.snapshot()->get(key)) {
    throw aws::ApiError(errors::kResourceNotFoundException, "The specified log group does not exist.");
  }
}

awaitable<> LogStore::check_stream(aws::Scope scope, std::string group, std::string stream) {
  co_await check_group(scope, group);
  const std::string key = stream_key(scope, group, stream);
  if (!co_await store_.snapshot()->get(key)) {
    throw aws::ApiError(errors::kResourceNotFoundException, "The specified log stream does not exist.");
  }
}

awaitable<> LogStore::create_stream(aws::Scope scope, std::string group, std::string stream) {
  co_await check_group(scope, group);
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  if (!co_await put_new(stream_key(scope, group, stream), boost::json::serialize(boost::json::object{{"created", now}}))) {
    throw aws::ApiError(errors::kResourceAlreadyExistsException, "The specified log stream already exists");
  }
}

awaitable<> LogStore::delete_group(aws::Scope scope, std::string group) {
  co_await check_group(scope, group);
  storage::Commit head;
  head.erase(group_key(scope, group)).erase(retained_key(scope, group));
  for (const char* kind : {"stream", "block"}) {
    const std::string prefix = tuple(scope, kind).string(group).take();
    while (true) {
      const storage::ScanPage page =
          co_await store_.snapshot()->scan({.begin = prefix, .end = storage::prefix_end(prefix), .limit = 1000});
      if (page.entries.empty()) break;
      storage::Commit batch;
      for (const storage::Entry& entry : page.entries) batch.erase(entry.key);
      co_await commit(std::move(batch));
    }
  }
  co_await commit(std::move(head));  // last: a deletion that was cut off can be repeated
}

awaitable<std::vector<NamedEntry>> LogStore::named(std::string prefix, std::string name_prefix, std::string after, std::size_t limit) {
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = 500};
  if (!after.empty()) range.begin = storage::TupleWriter(prefix).string(after).take() + '\0';
  std::vector<NamedEntry> out;
  while (true) {
    const storage::ScanPage page = co_await store_.snapshot()->scan(range);
    for (const storage::Entry& entry : page.entries) {
      storage::TupleReader reader(std::string_view(entry.key).substr(prefix.size()));
      const auto name = reader.string();
      if (!name || !name->starts_with(name_prefix)) continue;
      const GroupSettings settings = decode_group(entry.value);  // a stream's record has the first of its members
      out.push_back({*name, settings.created_ms, settings.retention_days});
      if (out.size() == limit) co_return out;
    }
    if (!page.more || page.entries.empty()) co_return out;
    range.begin = page.entries.back().key + '\0';
  }
}

awaitable<std::vector<NamedEntry>> LogStore::groups(aws::Scope scope, std::string name_prefix, std::string after, std::size_t limit) {
  co_return co_await named(tuple(scope, "group").take(), std::move(name_prefix), std::move(after), limit);
}

awaitable<std::vector<NamedEntry>> LogStore::streams(aws::Scope scope, std::string group, std::string name_prefix, std::string after,
                                                     std::size_t limit) {
  co_return co_await named(tuple(scope, "stream").string(group).take(), std::move(name_prefix), std::move(after), limit);
}

awaitable<> LogStore::put(aws::Scope scope, std::string group, std::string stream, std::vector<LogEvent> events) {
  if (events.empty()) co_return;
  sort_by(events, [](const LogEvent& e) { return e.timestamp_ms; });
  storage::Commit batch;
  batch.put(tuple(scope, "block").string(group).string(stream).i64(events.front().timestamp_ms).string(entropy_.token(16)).take(),
            encode_block(events));
  co_await commit(std::move(batch));
}

awaitable<LogStore::Page> LogStore::read(aws::Scope scope, std::string group, std::optional<std::string> stream, std::string stream_prefix,
                                         std::string contains, ReadOptions options) {
  storage::TupleWriter writer = tuple(scope, "block");
  writer.string(group);
  const std::string group_prefix = writer.view();
  if (stream) writer.string(*stream);
  const std::string prefix = writer.take();
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = 200};
  std::vector<StreamEvent> found;
  std::size_t bytes = 0;
  Page out;
  for (const auto snapshot = store_.snapshot(); bytes < kReadBytesMax;) {
    const storage::ScanPage page = co_await snapshot->scan(range);
    for (const storage::Entry& entry : page.entries) {
      storage::TupleReader reader(std::string_view(entry.key).substr(group_prefix.size()));
      const auto name = reader.string();
      const auto first_ms = reader.i64();
      const auto id = reader.string();
      if (!name || !first_ms || !id || !name->starts_with(stream_prefix) || *first_ms >= options.end_ms) continue;
      bytes += entry.value.size();
      std::size_t index = 0;
      for (LogEvent& event : decode_events(entry.value)) {
        const std::size_t at = index++;
        if (event.timestamp_ms < options.start_ms || event.timestamp_ms >= options.end_ms) continue;
        if (!contains.empty() && event.message.find(contains) == std::string::npos) continue;
        found.push_back({std::move(event), *name, *id + "-" + std::to_string(at)});
      }
    }
    if (!page.more || page.entries.empty()) break;
    range.begin = page.entries.back().key + '\0';
    out.more = bytes >= kReadBytesMax;
  }
  sort_by(found, [](const StreamEvent& e) { return e.event.timestamp_ms; });
  const std::size_t from = std::min(options.skip, found.size()), to = std::min(from + options.limit, found.size());
  out.more = out.more || to < found.size();
  out.events.assign(std::make_move_iterator(found.begin() + static_cast<std::ptrdiff_t>(from)),
                    std::make_move_iterator(found.begin() + static_cast<std::ptrdiff_t>(to)));
  co_return out;
}

// Called for every call of a function: the lines are told apart when they are written.
void LogStore::append(const aws::Scope& scope, const std::string& group, const std::string& stream, std::string_view text) {
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  const std::lock_guard lock(mutex_);
  if (gathered_bytes_ + text.size() > kBufferedBytesMax) {
    dropped_ += static_cast<std::uint64_t>(std::ranges::count(text, '\n')) + (text.ends_with('\n') ? 0 : 1);
    return;
  }
  gathered_bytes_ += text.size();
  auto found = gathered_.find(TargetView{scope.account, scope.region, group, stream});
  if (found == gathered_.end()) found = gathered_.try_emplace({scope.account, scope.region, group, stream}).first;
  found->second.push_back({now, std::string(text)});
}

awaitable<> LogStore::flush() {
  decltype(gathered_) work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(gathered_);
    gathered_bytes_ = 0;
  }
  for (const auto& [target, texts] : work) {
    const auto& [account, region, group, stream] = target;
    const aws::Scope scope{account, region};
    const std::string created = boost::json::serialize(boost::json::object{{"created", clock_.wall().time_since_epoch().count()}});
    co_await put_new(group_key(scope, group), encode_group({.created_ms = clock_.wall().time_since_epoch().count(), .retention_days = 0, .made_by_function = true, .tags = {}}));
    co_await put_new(stream_key(scope, group, stream), created);
    std::vector<LogEvent> block;
    std::size_t size = 0;
    for (LogEvent& event : lines_of(texts)) {
      if (!block.empty() && size + event.message.size() > kBlockBytesMax) {
        co_await put(scope, group, stream, std::exchange(block, {}));
        size = 0;
      }
      size += event.message.size();
      block.push_back(std::move(event));
    }
    co_await put(scope, group, stream, std::move(block));
  }
}

awaitable<std::map<std::string, std::uint64_t>> LogStore::stored_bytes(aws::Scope scope) {
  std::map<std::string, std::uint64_t> bytes;
  const std::string prefix = tuple(scope, "block").take(), end = storage::prefix_end(prefix);
  const auto snapshot = store_.snapshot();
  std::string at = prefix;
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await snapshot->scan({.begin = at, .end = end});
    for (const storage::Entry& entry : page.entries) {
      storage::TupleReader reader(std::string_view(entry.key).substr(prefix.size()));
      if (const auto group = reader.string()) bytes[*group] += entry.value.size();
    }
    more = page.more;
    if (more) at = page.entries.back().key + '\0';
  }
  co_return bytes;
}

}  // namespace parvis::logs
