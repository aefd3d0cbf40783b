// storage/rocksdb/commit_queue.h: the bounded queue between callers and the commit threads.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/async.h"
#include "storage/store.h"

namespace parvis::storage {

using CommitResult = std::expected<Stamp, StoreError>;

// A commit, or an update that is decided again when its keys have moved.
struct CommitRequest {
  Commit commit;
  Update update;                              // without `decide` in a plain commit
  std::optional<std::vector<std::optional<Version>>> seen;  // what `commit` was decided upon; nullopt: not decided yet
};

struct PendingCommit {
  CommitRequest request;
  std::size_t size_bytes = 0;
  CommitResult result;
  std::exception_ptr thrown;  // by `decide`
  // The caller and its executor, which keeps running until the caller is resumed on it.
  asio::any_io_executor executor;
  std::move_only_function<void(std::exception_ptr, CommitResult)> handler;
};

// Resumes every caller with its result, those of one executor by a single post. Any thread.
void resume(std::vector<PendingCommit> batch);

class CommitQueue {  // thread-safe
 public:
  CommitQueue(std::size_t commits_max, std::size_t bytes_max) : commits_max_(commits_max), bytes_max_(bytes_max) {}

  // The request is within the limits of a commit.
  awaitable<CommitResult> submit(CommitRequest request) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, CommitResult)>(
        [this](auto handler, CommitRequest waiting) {
          PendingCommit pending;
          pending.executor = asio::prefer(asio::any_io_executor(asio::get_associated_executor(handler)), asio::execution::outstanding_work.tracked);
          pending.size_bytes = commit_bytes(waiting.commit);
          for (const std::string& key : waiting.update.keys) pending.size_bytes += key.size();
          pending.request = std::move(waiting);
          pending.handler = std::move(handler);
          push(std::move(pending));
        },
        asio::use_awaitable, std::move(request));
  }

  // Waits up to `patience` for commits. False after stop() when none are left.
  bool wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, patience, [this] { return stopping_ || !waiting_.empty(); });
    return !stopping_ || !waiting_.empty();
  }

  // All that wait, up to `keys_max` keys.
  std::vector<PendingCommit> take(std::size_t keys_max) {
    const std::lock_guard lock(mutex_);
    std::vector<PendingCommit> taken;
    for (std::size_t keys = 0; !waiting_.empty() && keys < keys_max;) {
      PendingCommit& next = waiting_.front();
      const Commit& commit = next.request.commit;
      keys += 1 + next.request.update.keys.size() + commit.puts.size() + commit.deletes.size() + commit.stamped.size();
      bytes_ -= next.size_bytes;
      taken.push_back(std::move(next));
      waiting_.pop_front();
    }
    return taken;
  }

  // Commits that are queued are still served; later ones get kStopping.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ready_.notify_all();
  }

 private:
  void push(PendingCommit pending) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        pending.result = std::unexpected(StoreError{StoreErrc::kStopping, "the store is closing", {}});
      } else if (waiting_.size() >= commits_max_ || bytes_ + pending.size_bytes > bytes_max_) {
        pending.result = std::unexpected(StoreError{StoreErrc::kBusy, "too many commits are waiting", {}});
      } else {
        bytes_ += pending.size_bytes;
        waiting_.push_back(std::move(pending));
        ready_.notify_one();
        return;
      }
    }
    std::vector<PendingCommit> refused;
    refused.push_back(std::move(pending));
    resume(std::move(refused));
  }

  const std::size_t commits_max_, bytes_max_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<PendingCommit> waiting_;
  std::size_t bytes_ = 0;
  bool stopping_ = false;
};

// How many updates are under way on each key, to know hot ones. Keys of one hash count together: they are only decided later.
class UpdateCounts {  // thread-safe
 public:
  static constexpr std::uint32_t kPerKeyMax = 2048;  // more at once are refused with kBusy

  class Turn {  // counts its keys while it lives
   public:
    Turn(UpdateCounts& counts, const std::vector<std::string>& keys) : counts_(counts) {
      for (const std::string& key : keys) {
        slots_.push_back(std::hash<std::string>{}(key) % counts.slots_.size());
        most_ = std::max(most_, counts.slots_[slots_.back()].fetch_add(1, std::memory_order_relaxed));
      }
    }
    ~Turn() {
      for (const std::size_t slot : slots_) counts_.slots_[slot].fetch_sub(1, std::memory_order_relaxed);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool is_contended() const { return most_ > 0; }
    bool is_too_many() const { return most_ >= kPerKeyMax; }

   private:
    UpdateCounts& counts_;
    std::vector<std::size_t> slots_;
    std::uint32_t most_ = 0;
  };

 private:
  std::array<std::atomic<std::uint32_t>, 4096> slots_{};
};

}  // namespace parvis::storage
