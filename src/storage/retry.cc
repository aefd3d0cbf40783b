#include "storage/retry.h"

namespace parvis::storage {

awaitable<std::expected<Stamp, StoreError>> commit_repeatable(Store& store, Commit commit) {
  for (int attempt = 1;; ++attempt) {
    auto done = co_await store.commit(commit);
    if (done || done.error().code != StoreErrc::kUnknownOutcome || attempt == kRetryAttemptsMax) co_return done;
  }
}

awaitable<std::expected<Stamp, StoreError>> replace(Store& store, Replacement replacement) {
  Commit commit = std::move(replacement.with);
  commit.check(replacement.key, replacement.version);
  if (replacement.bytes) commit.put(replacement.key, *replacement.bytes);
  else commit.erase(replacement.key);
  bool unknown = false;
  for (int attempt = 1;; ++attempt) {
    auto done = co_await store.commit(commit);
    if (done) co_return done;
    const StoreErrc code = done.error().code;
    unknown = unknown || code == StoreErrc::kUnknownOutcome;
    if (!unknown) co_return done;
    const std::shared_ptr<Snapshot> snapshot = store.snapshot();
    const std::optional<Value> now = co_await snapshot->get(replacement.key);
    const bool moved = (now ? std::optional(now->version) : std::nullopt) != replacement.version;
    if (moved && (replacement.bytes ? now && now->bytes == *replacement.bytes : !now)) co_return now ? now->version : snapshot->stamp();
    if (code != StoreErrc::kUnknownOutcome || attempt == kRetryAttemptsMax) co_return done;
  }
}

}  // namespace parvis::storage
