// storage/rocksdb/commit_queue.h: the bounded queue between callers and the commit thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/async.h"
#include "storage/store.h"

namespace parvis::storage {

using CommitResult = std::expected<Stamp, StoreError>;

struct PendingCommit {
  Commit commit;
  std::size_t size_bytes = 0;
  // Resumes the caller on its executor, which it keeps running until then. Called once, from any thread.
  std::move_only_function<void(CommitResult)> resume;
};

class CommitQueue {  // thread-safe
 public:
  CommitQueue(std::size_t commits_max, std::size_t bytes_max) : commits_max_(commits_max), bytes_max_(bytes_max) {}

  awaitable<CommitResult> submit(Commit commit) {
    if (auto error = check_limits(commit)) co_return std::unexpected(std::move(*error));
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(CommitResult)>(
        [this](auto handler, Commit waiting) {
          auto executor = asio::prefer(asio::any_io_executor(asio::get_associated_executor(handler)),
                                       asio::execution::outstanding_work.tracked);
          PendingCommit pending;
          pending.size_bytes = commit_bytes(waiting);
          pending.commit = std::move(waiting);
          pending.resume = [executor = std::move(executor), handler = std::move(handler)](CommitResult result) mutable {
            asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
              std::move(handler)(std::move(result));
            });
          };
          push(std::move(pending));
        },
        asio::use_awaitable, std::move(commit));
  }

  // Waits up to `patience` for commits and takes all up to `keys_max` keys; nullopt after stop() when none are left.
  std::optional<std::vector<PendingCommit>> take(std::size_t keys_max, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, patience, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_ && waiting_.empty()) return std::nullopt;
    std::vector<PendingCommit> taken;
    for (std::size_t keys = 0; !waiting_.empty() && keys < keys_max;) {
      PendingCommit& next = waiting_.front();
      keys += 1 + next.commit.puts.size() + next.commit.deletes.size() + next.commit.stamped.size();
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
    std::optional<StoreError> refused;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        refused = StoreError{StoreErrc::kStopping, "the store is closing", {}};
      } else if (waiting_.size() >= commits_max_ || bytes_ + pending.size_bytes > bytes_max_) {
        refused = StoreError{StoreErrc::kBusy, "too many commits are waiting", {}};
      } else {
        bytes_ += pending.size_bytes;
        waiting_.push_back(std::move(pending));
        ready_.notify_one();
      }
    }
    if (refused) pending.resume(std::unexpected(std::move(*refused)));
  }

  const std::size_t commits_max_, bytes_max_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<PendingCommit> waiting_;
  std::size_t bytes_ = 0;
  bool stopping_ = false;
};

}  // namespace parvis::storage
