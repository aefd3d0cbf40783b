#include "services/dynamodb/change_stream.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "core/time_format.h"
#include "services/dynamodb/change_codec.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/keyspace.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr std::size_t kTrimmedPerCommit = 1000;

std::string position_key(const aws::Scope& scope, const std::string& stream_id, StreamPosition position) {
  return storage::StampedPut{changes_prefix(scope, stream_id), storage::TupleWriter().u64(position.index).take(), {}}.key(
      position.stamp);
}

StreamPosition position_of(std::string_view key, std::size_t prefix_size) {
  // The stamp, then the index as a tuple's element.
  if (key.size() != prefix_size + 8 + 9) throw aws::ApiError(kInternal, "Internal server error");
  return {storage::load_u64(key.substr(prefix_size)), storage::load_u64(key.substr(prefix_size + 9))};
}

}  // namespace

std::string StreamPosition::sequence_number() const { return fmt::format("1{:016}{:04}", stamp, index); }

std::optional<StreamPosition> StreamPosition::parse(std::string_view text) {
  if (text.size() != 21 || text[0] != '1' || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  return StreamPosition{std::stoull(std::string(text.substr(1, 16))), std::stoull(std::string(text.substr(17)))};
}

std::string StreamRecord::to_json() const {
  const auto key = [](const KeyAttribute& each) {
    return json::object{{"name", each.name}, {"type", to_string(each.type)}};
  };
  json::object object{{"format", 1}, {"id", id}, {"tableId", table_id}, {"table", table_name}, {"label", label},
                      {"view", view}, {"createdMs", created_ms}, {"partition", key(keys.partition)}};
  if (keys.sort) object["sort"] = key(*keys.sort);
  return json::serialize(object);
}

StreamRecord StreamRecord::from_json(std::string_view text) {
  try {
    const json::value value = json::parse(json::string_view(text.data(), text.size()));
    if (value.at("format").as_int64() != 1) throw std::runtime_error("a stream record of a newer format");
    const auto string = [](const json::value& from, std::string_view name) { return json::value_to<std::string>(from.at(name)); };
    const auto key = [&](const json::value& from) {
      const std::string type = string(from, "type");
      return KeyAttribute{string(from, "name"), type == "S" ? Type::kS : type == "N" ? Type::kN : Type::kB};
    };
    StreamRecord out;
    out.id = string(value, "id");
    out.table_id = string(value, "tableId");
    out.table_name = string(value, "table");
    out.label = string(value, "label");
    out.view = string(value, "view");
    out.created_ms = value.at("createdMs").as_int64();
    out.keys.partition = key(value.at("partition"));
    if (const json::value* sort = value.as_object().if_contains("sort")) out.keys.sort = key(*sort);
    return out;
  } catch (const std::exception& error) {
    spdlog::error("dynamodb: a damaged stream record: {}", error.what());
    throw aws::ApiError(kInternal, "Internal server error");
  }
}

std::string Stream::arn() const {
  return fmt::format("arn:aws:dynamodb:{}:{}:table/{}/stream/{}", scope.region, scope.account, record.table_name, record.label);
}

std::string Stream::shard_id() const {
  return fmt::format("shardId-{:020}-{}", record.created_ms, hex_encode(sha256(record.id)).substr(0, 8));
}

void open_stream(TableRecord& table, std::string id, std::string view, std::int64_t now_ms, storage::Commit& commit) {
  // "2026-11-24T10:00:00.000": AWS writes labels without the Z. Two of one table in one millisecond would be one stream.
  if (table.stream && now_ms <= table.stream->created_ms) now_ms = table.stream->created_ms + 1;
  std::string label = format_iso8601(Millis(std::chrono::milliseconds(now_ms)));
  label.pop_back();
  const StreamRecord record{id, table.id, table.name, label, view, now_ms, table.keys};
  const std::string key = stream_key(table.scope, table.name, label);
  commit.check(key, std::nullopt).put(key, record.to_json());
  commit.put(task_key(kStreamTask, id), key);
  table.stream = StreamSetting{std::move(id), std::move(label), std::move(view), now_ms, true, {}, {}};
}

void close_stream(TableRecord& table, std::int64_t now_ms, storage::Commit& commit) {
  commit.put(stream_end_key(table.scope, table.stream->id), std::to_string(now_ms));
  table.stream->enabled = false;
}

void add_change(const ItemWriteResult& result, std::int64_t now_ms, bool expired, storage::Commit& commit) {
  const TableRecord& table = *result.table;
  if (!table.stream || !table.stream->enabled || result.old_item == result.new_item) return;
  Change change;
  change.kind = !result.old_item ? ChangeKind::kInsert : result.new_item ? ChangeKind::kModify : ChangeKind::kRemove;
  change.expired = expired;
  change.created_ms = now_ms;
  change.keys = key_of(table.keys, result.new_item ? *result.new_item : *result.old_item);
  const std::string& view = table.stream->view;
  if (view == "NEW_IMAGE" || view == "NEW_AND_OLD_IMAGES") change.new_image = result.new_item;
  if (view == "OLD_IMAGE" || view == "NEW_AND_OLD_IMAGES") change.old_image = result.old_item;
  commit.put_stamped(changes_prefix(table.scope, table.stream->id),
                     storage::TupleWriter().u64(commit.stamped.size()).take(), encode_change(change));
}

awaitable<std::optional<Stream>> ChangeStreams::load(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope,
                                                     std::string bytes, storage::Stamp first) {
  Stream stream{std::move(scope), StreamRecord::from_json(bytes), first, std::nullopt};
  const std::string end_key = stream_end_key(stream.scope, stream.record.id);
  if (const auto end = co_await snapshot->get(end_key)) {
    if (std::stoll(end->bytes) + kStreamLifeMs <= catalog_.clock().due().time_since_epoch().count()) co_return std::nullopt;
    stream.last = end->version;
  }
  co_return stream;
}

awaitable<std::optional<Stream>> ChangeStreams::find(aws::Scope scope, std::string table_name, std::string label) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::string key = stream_key(scope, table_name, label);
  const std::optional<storage::Value> value = co_await snapshot->get(key);
  if (!value) co_return std::nullopt;
  co_return co_await load(snapshot, std::move(scope), value->bytes, value->version);
}

awaitable<std::vector<Stream>> ChangeStreams::list(aws::Scope scope, std::string table_name,
                                                   std::optional<std::pair<std::string, std::string>> after,
                                                   std::size_t limit, bool& more) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const std::string prefix = table_name.empty() ? streams_prefix(scope) : streams_prefix(scope, table_name);
  storage::ScanOptions options;
  options.begin = after ? std::max(prefix, stream_key(scope, after->first, after->second) + '\0') : prefix;
  options.end = storage::prefix_end(prefix);
  std::vector<Stream> streams;
  // Streams that ended a day ago may still lie here until they are trimmed: pages are read until enough are found.
  for (more = true; more;) {
    options.limit = limit + 1;
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      std::optional<Stream> stream = co_await load(snapshot, scope, entry.value, entry.version);
      if (!stream) continue;
      if (streams.size() == limit) co_return streams;
      streams.push_back(std::move(*stream));
    }
    more = page.more && !page.entries.empty();
    if (more) options.begin = page.entries.back().key + '\0';
  }
  co_return streams;
}

awaitable<ChangePage> ChangeStreams::read(const Stream& stream, StreamPosition from, std::size_t limit,
                                          std::int64_t not_before_ms) {
  const std::string prefix = changes_prefix(stream.scope, stream.record.id);
  // The stamp is read first: all commits up to it are in the snapshot.
  const storage::Stamp stable = catalog_.store().stable_stamp();
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  StreamPosition begin = from;
  const std::string horizon_key = stream_horizon_key(stream.scope, stream.record.id);
  if (const auto horizon = co_await snapshot->get(horizon_key)) {
    const std::optional<StreamPosition> trimmed = StreamPosition::parse(horizon->bytes);
    if (trimmed && from != StreamPosition{} && from <= *trimmed) {
      throw aws::ApiError(kTrimmedDataAccess, "The operation attempted to read past the oldest stream record in a shard.");
    }
    // Nothing is left before the horizon; reading from it does not walk over what was deleted.
    if (trimmed) begin = std::max(begin, trimmed->next());
  }
  storage::ScanOptions options;
  options.begin = position_key(stream.scope, stream.record.id, begin);
  options.end = storage::prefix_end(prefix);
  options.limit = limit;
  const storage::ScanPage page = co_await snapshot->scan(std::move(options));
  const std::int64_t oldest_ms =
      std::max(not_before_ms, catalog_.clock().due().time_since_epoch().count() - kStreamLifeMs);
  ChangePage out;
  out.next = from;
  bool cut = false;
  for (const storage::Entry& entry : page.entries) {
    if ((cut = entry.version > stable)) break;
    Change change = decode_change(entry.value);
    change.position = position_of(entry.key, prefix.size());
    out.next = change.position.next();
    if (change.created_ms >= oldest_ms) out.changes.push_back(std::move(change));
  }
  out.ended = stream.last && *stream.last <= stable && !page.more && !cut;
  co_return out;
}

awaitable<> ChangeStreams::trim(std::shared_ptr<std::atomic<bool>> stop) {
  std::string begin = tasks_prefix(kStreamTask);
  const std::string end = storage::prefix_end(begin);
  while (!*stop) {
    storage::ScanOptions options;
    options.begin = begin;
    options.end = end;
    options.limit = 100;
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    for (const storage::Entry& task : page.entries) co_await trim_one(task, stop);
    if (!page.more || page.entries.empty()) co_return;
    begin = page.entries.back().key + '\0';
  }
}

awaitable<> ChangeStreams::trim_one(storage::Entry task, std::shared_ptr<std::atomic<bool>> stop) {
  const std::int64_t now_ms = catalog_.clock().due().time_since_epoch().count();
  while (!*stop) {
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const std::optional<storage::Value> value = co_await snapshot->get(task.value);
    const std::optional<aws::Scope> scope = scope_of(task.value);
    if (!value || !scope) co_return;
    const std::string id = StreamRecord::from_json(value->bytes).id;
    const std::string prefix = changes_prefix(*scope, id), end_key = stream_end_key(*scope, id);
    const std::string horizon_key = stream_horizon_key(*scope, id);
    storage::Commit commit;
    const std::optional<storage::Value> ended = co_await snapshot->get(end_key);
    if (ended && std::stoll(ended->bytes) + kStreamLifeMs <= now_ms) {
      // The whole stream goes in one commit; what it held is left to the purges.
      commit.erase(task.value).erase(task.key).erase(end_key).erase(horizon_key);
      commit.put(purge_key(id), prefix);
      co_await catalog_.store().commit(std::move(commit));
      co_return;
    }
    storage::ScanOptions options;
    options.begin = prefix;
    options.end = storage::prefix_end(prefix);
    options.limit = kTrimmedPerCommit;
    if (const auto horizon = co_await snapshot->get(horizon_key)) {
      if (const auto trimmed = StreamPosition::parse(horizon->bytes)) options.begin = position_key(*scope, id, trimmed->next());
    }
    const storage::ScanPage page = co_await snapshot->scan(std::move(options));
    std::optional<StreamPosition> trimmed;
    for (const storage::Entry& entry : page.entries) {
      if (decode_change(entry.value).created_ms > now_ms - kStreamLifeMs) break;
      trimmed = position_of(entry.key, prefix.size());
      commit.erase(entry.key);
    }
    if (!trimmed) co_return;
    commit.put(horizon_key, trimmed->sequence_number());
    const bool whole = commit.deletes.size() == page.entries.size();
    if (!co_await catalog_.store().commit(std::move(commit)) || !whole || !page.more) co_return;
  }
}

}  // namespace parvis::dynamodb
