#include "storage/store.h"

#include <cstdlib>
#include <random>

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "storage/tuple.h"

namespace parvis::storage {

Commit& Commit::check(std::string key, std::optional<Version> version) {
  checks.push_back({std::move(key), version});
  return *this;
}

Commit& Commit::put(std::string key, std::string value) {
  puts.push_back({std::move(key), std::move(value)});
  return *this;
}

Commit& Commit::erase(std::string key) {
  deletes.push_back(std::move(key));
  return *this;
}

Commit& Commit::put_stamped(std::string prefix, std::string suffix, std::string value) {
  stamped.push_back({std::move(prefix), std::move(suffix), std::move(value)});
  return *this;
}

std::string StampedPut::key(Stamp stamp) const {
  std::string out = prefix;
  append_u64(out, stamp);
  return out + suffix;
}

std::string_view to_string(StoreErrc code) {
  switch (code) {
    case StoreErrc::kConflict: return "conflict";
    case StoreErrc::kUnknownOutcome: return "unknown outcome";
    case StoreErrc::kTooLarge: return "too large";
    case StoreErrc::kBusy: return "busy";
    case StoreErrc::kCorruption: return "corruption";
    case StoreErrc::kStopping: return "stopping";
  }
  std::abort();
}

std::size_t commit_bytes(const Commit& commit) {
  std::size_t bytes = 0;
  for (const Check& check : commit.checks) bytes += check.key.size();
  for (const RangeGuard& guard : commit.guards) bytes += guard.begin.size() + guard.end.size();
  for (const Put& put : commit.puts) bytes += put.key.size() + put.value.size();
  for (const std::string& key : commit.deletes) bytes += key.size();
  for (const StampedPut& put : commit.stamped) bytes += put.prefix.size() + sizeof(Stamp) + put.suffix.size() + put.value.size();
  return bytes;
}

std::optional<StoreError> check_limits(const Commit& commit) {
  const auto refuse = [](std::string detail, std::string key = {}) {
    return StoreError{StoreErrc::kTooLarge, std::move(detail), std::move(key)};
  };
  const std::size_t keys = commit.checks.size() + commit.guards.size() + commit.puts.size() + commit.deletes.size() + commit.stamped.size();
  if (keys > kCommitKeysMax) return refuse(fmt::format("a commit of {} keys; the most is {}", keys, kCommitKeysMax));
  const std::size_t bytes = commit_bytes(commit);
  if (bytes > kCommitBytesMax) return refuse(fmt::format("a commit of {} bytes; the most is {}", bytes, kCommitBytesMax));
  const auto key_ok = [](const std::string& key) { return !key.empty() && key.size() <= kKeyBytesMax; };
  for (const Put& put : commit.puts) {
    if (!key_ok(put.key)) return refuse(fmt::format("a key of {} bytes; 1 to {} are possible", put.key.size(), kKeyBytesMax));
  }
  for (const StampedPut& put : commit.stamped) {
    const std::size_t size = put.prefix.size() + sizeof(Stamp) + put.suffix.size();
    if (size > kKeyBytesMax) return refuse(fmt::format("a key of {} bytes; 1 to {} are possible", size, kKeyBytesMax));
  }
  for (const std::string& key : commit.deletes) {
    if (!key_ok(key)) return refuse(fmt::format("a key of {} bytes; 1 to {} are possible", key.size(), kKeyBytesMax));
  }
  for (const Check& check : commit.checks) {
    if (!key_ok(check.key)) return refuse(fmt::format("a key of {} bytes; 1 to {} are possible", check.key.size(), kKeyBytesMax));
  }
  return std::nullopt;
}

std::optional<StoreError> check_limits(const Update& update) {
  if (update.keys.size() > kCommitKeysMax) {
    return StoreError{StoreErrc::kTooLarge, fmt::format("an update of {} keys; the most is {}", update.keys.size(), kCommitKeysMax), {}};
  }
  for (const std::string& key : update.keys) {
    if (key.empty() || key.size() > kKeyBytesMax) {
      return StoreError{StoreErrc::kTooLarge, fmt::format("a key of {} bytes; 1 to {} are possible", key.size(), kKeyBytesMax), key};
    }
  }
  return std::nullopt;
}

awaitable<std::expected<Stamp, StoreError>> Store::update(Update update) {
  if (auto error = check_limits(update)) co_return std::unexpected(std::move(*error));
  asio::steady_timer timer(co_await asio::this_coro::executor);
  static thread_local std::minstd_rand random{std::random_device{}()};
  StoreError last{StoreErrc::kConflict, {}, {}};
  for (int attempt = 0; attempt < kUpdateAttemptsMax; ++attempt) {
    if (attempt > 0) {
      timer.expires_after(std::chrono::microseconds(random() % (100u << std::min(attempt, 6))));
      co_await timer.async_wait(use_awaitable);
    }
    const std::shared_ptr<Snapshot> view = snapshot();
    const std::vector<std::optional<Value>> newest = co_await view->multi_get(update.keys);
    Commit decided = update.decide(newest);
    // Snapshots are durable, so what was decided on one may be told at once.
    if (!decided.writes() && decided.checks.empty() && decided.guards.empty()) co_return view->stamp();
    for (std::size_t i = 0; i < update.keys.size(); ++i) {
      decided.check(update.keys[i], newest.at(i) ? std::optional(newest[i]->version) : std::nullopt);
    }
    auto done = co_await commit(std::move(decided));
    if (done || done.error().code != StoreErrc::kConflict) co_return done;
    last = std::move(done.error());
    // A check of the decision itself is the caller's to look at.
    if (std::ranges::find(update.keys, last.key) == update.keys.end() && !last.key.empty()) break;
  }
  co_return std::unexpected(std::move(last));
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace parvis::storage
