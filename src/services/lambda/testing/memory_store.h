// lambda/testing/memory_store.h: a Store in a map, for this service's tests: every commit at once, no history.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "storage/store.h"

namespace parvis::lambda {

class MemoryStore final : public storage::Store {
 public:
  using Entries = std::map<std::string, storage::Value>;

  std::shared_ptr<storage::Snapshot> snapshot() override {
    const std::lock_guard lock(mutex_);
    return std::make_shared<View>(entries_, stamp_);
  }

  awaitable<std::expected<storage::Stamp, storage::StoreError>> commit(storage::Commit commit) override {
    const std::lock_guard lock(mutex_);
    for (const storage::Check& check : commit.checks) {
      const auto it = entries_.find(check.key);
      const std::optional<storage::Version> now = it == entries_.end() ? std::nullopt : std::optional(it->second.version);
      if (now != check.version) {
        co_return std::unexpected(storage::StoreError{storage::StoreErrc::kConflict, "", check.key});
      }
    }
    ++stamp_;
    for (storage::Put& put : commit.puts) entries_[put.key] = {std::move(put.value), stamp_};
    for (const std::string& key : commit.deletes) entries_.erase(key);
    // The first `unknown` commits are written and say that nobody knows.
    if (unknown > 0) {
      --unknown;
      co_return std::unexpected(storage::StoreError{storage::StoreErrc::kUnknownOutcome, "", ""});
    }
    co_return stamp_;
  }

  storage::Stamp stable_stamp() const override { return stamp_; }
  std::uint64_t size_bytes() const override { return entries_.size(); }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }
  int unknown = 0;

 private:
  class View final : public storage::Snapshot {
   public:
    View(Entries entries, storage::Stamp stamp) : entries_(std::move(entries)), stamp_(stamp) {}
    storage::Stamp stamp() const override { return stamp_; }
    awaitable<std::optional<storage::Value>> get(std::string_view key) override {
      const auto it = entries_.find(std::string(key));
      if (it == entries_.end()) co_return std::nullopt;
      co_return it->second;
    }
    awaitable<std::vector<std::optional<storage::Value>>> multi_get(std::vector<std::string> keys) override {
      std::vector<std::optional<storage::Value>> out;
      for (const std::string& key : keys) out.push_back(co_await get(key));
      co_return out;
    }
    awaitable<storage::ScanPage> scan(storage::ScanOptions options) override {  // forward only
      storage::ScanPage page;
      for (auto it = entries_.lower_bound(options.begin); it != entries_.end(); ++it) {
        if (!options.end.empty() && it->first >= options.end) break;
        if (page.entries.size() == options.limit) {
          page.more = true;
          break;
        }
        page.entries.push_back({it->first, it->second.bytes, it->second.version});
      }
      co_return page;
    }

   private:
    Entries entries_;
    storage::Stamp stamp_;
  };

  std::mutex mutex_;
  Entries entries_;
  storage::Stamp stamp_ = 0;
};

}  // namespace parvis::lambda
