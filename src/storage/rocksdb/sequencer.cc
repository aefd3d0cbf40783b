#include "storage/rocksdb/sequencer.h"

#include <spdlog/spdlog.h>

#include "storage/rocksdb/recovery.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {

StoreError conflict(std::string detail, std::string key) { return {StoreErrc::kConflict, std::move(detail), std::move(key)}; }

}  // namespace

void Sequencer::order(std::vector<PendingCommit>& batch) {
  for (PendingCommit& pending : batch) pending.result = order_one(pending);
}

CommitResult Sequencer::order_one(PendingCommit& pending) {
  if (pending.request.update.decide) {
    if (auto error = settle_update(pending)) return std::unexpected(std::move(*error));
    if (pending.thrown) return last_;
  }
  const Commit& commit = pending.request.commit;
  if (auto error = validate(commit)) return std::unexpected(std::move(*error));
  if (!commit.writes()) return last_;
  append(commit, ++last_);
  return last_;
}

// The commit of the update is decided upon what its keys hold now.
std::optional<StoreError> Sequencer::settle_update(PendingCommit& pending) {
  auto& [commit, update, seen] = pending.request;
  bool current = seen.has_value();
  for (std::size_t i = 0; current && i < update.keys.size(); ++i) {
    const auto version = current_version(update.keys[i]);
    if (!version) return version.error();
    current = *version == (*seen)[i];
  }
  if (current) return std::nullopt;
  std::vector<std::optional<Value>> values;
  for (const std::string& key : update.keys) {
    auto value = newest(key);
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  try {
    commit = update.decide(values);
  } catch (...) {  // told when what it saw is durable
    pending.thrown = std::current_exception();
    return std::nullopt;
  }
  return check_limits(commit);
}

std::optional<StoreError> Sequencer::validate(const Commit& commit) {
  for (const Check& check : commit.checks) {
    const auto version = current_version(check.key);
    if (!version) return version.error();
    if (*version != check.version) return conflict("the key has another version", check.key);
  }
  for (const RangeGuard& guard : commit.guards) {
    if (guard.as_of < recent_.floor()) return conflict("the guard is older than the remembered commits", guard.begin);
    if (const std::string* key = recent_.written_after(guard.begin, guard.end, guard.as_of)) {
      return conflict("a key of the guarded range was written", *key);
    }
  }
  return std::nullopt;
}

void Sequencer::append(const Commit& commit, Stamp stamp) {
  std::string version;
  append_u64(version, stamp);
  for (const Put& put : commit.puts) append_put(put.key, put.value, stamp, version);
  for (const std::string& key : commit.deletes) {
    writes_.Delete(key);
    recent_.record(key, stamp, false);
  }
  for (const StampedPut& put : commit.stamped) append_put(put.key(stamp), put.value, stamp, version);
}

void Sequencer::append_put(const std::string& key, const std::string& value, Stamp stamp, std::string_view version) {
  const rocksdb::Slice name(key);
  const rocksdb::Slice parts[] = {rocksdb::Slice(version.data(), version.size()), value};
  writes_.Put(rocksdb::SliceParts(&name, 1), rocksdb::SliceParts(parts, 2));
  recent_.record(key, stamp, true, &value);
}

std::expected<bool, StoreError> Sequencer::read(const std::string& key, rocksdb::PinnableSlice& found) {
  const rocksdb::Status status = db_.Get({}, db_.DefaultColumnFamily(), key, &found);
  if (status.IsNotFound()) return false;
  if (status.ok() && found.size() >= kVersionBytes) return true;
  spdlog::error("store: a check could not be read: {}", status.ToString());
  return std::unexpected(StoreError{StoreErrc::kCorruption, status.ToString(), key});
}

std::expected<std::optional<Version>, StoreError> Sequencer::current_version(const std::string& key) {
  if (const RecentKeys::State* state = recent_.find(key)) {
    return state->present ? std::optional<Version>(state->stamp) : std::nullopt;
  }
  rocksdb::PinnableSlice found;
  const auto exists = read(key, found);
  if (!exists) return std::unexpected(exists.error());
  return *exists ? std::optional<Version>(load_u64(found.ToStringView())) : std::nullopt;
}

std::expected<std::optional<Value>, StoreError> Sequencer::newest(const std::string& key) {
  const RecentKeys::State* state = recent_.find(key);
  if (state && !state->present) return std::nullopt;
  if (state && state->stamp > written_) return Value{*state->value, state->stamp};
  rocksdb::PinnableSlice found;
  const auto exists = read(key, found);
  if (!exists) return std::unexpected(exists.error());
  if (!*exists) return std::nullopt;
  const std::string_view stored = found.ToStringView();
  return Value{std::string(stored.substr(kVersionBytes)), load_u64(stored)};
}

rocksdb::WriteBatch& Sequencer::finish() {
  writes_.Put(rocksdb::Slice(kStampKey.data(), kStampKey.size()), encode_stamps(last_, written_));
  return writes_;
}

void Sequencer::written() {
  written_ = last_;
  writes_.Clear();
  recent_.trim();
}

}  // namespace parvis::storage
