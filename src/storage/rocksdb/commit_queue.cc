#include "storage/rocksdb/commit_queue.h"

#include <boost/asio/post.hpp>

namespace parvis::storage {
namespace {

// Past this many executors in a batch each caller is posted to on its own.
constexpr std::size_t kGroupsMax = 8;

struct Group {
  asio::any_io_executor executor;
  std::vector<PendingCommit> callers;
};

void run_all(std::vector<PendingCommit> callers) {
  std::exception_ptr escaped;
  for (PendingCommit& caller : callers) {
    caller.executor = {};
    try {
      std::move(caller.handler)(caller.thrown, std::move(caller.result));
    } catch (...) {  // the others must hear of their commits all the same
      escaped = std::current_exception();
    }
  }
  if (escaped) std::rethrow_exception(escaped);
}

}  // namespace

void resume(std::vector<PendingCommit> batch) {
  std::vector<Group> groups;
  for (PendingCommit& pending : batch) {
    const auto known = std::ranges::find(groups, pending.executor, &Group::executor);
    if (known != groups.end()) {
      known->callers.push_back(std::move(pending));
      continue;
    }
    if (groups.size() == kGroupsMax) {
      asio::post(groups.front().executor, [callers = std::move(groups.front().callers)]() mutable { run_all(std::move(callers)); });
      groups.erase(groups.begin());
    }
    groups.push_back({pending.executor, {}});
    groups.back().callers.push_back(std::move(pending));
  }
  for (Group& group : groups) {
    asio::post(group.executor, [callers = std::move(group.callers)]() mutable { run_all(std::move(callers)); });
  }
}

}  // namespace parvis::storage
