// The cell of a worker that is forked instead of started by exec: it is in its namespaces from the start, and others furnish it.
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "functions/sandbox/clone.h"
#include "functions/sandbox/sandbox.h"

namespace parvis::sandbox {

// Two short-lived processes: the first goes into the namespaces, the second is in the process namespace too, which the first
// can only choose for its children, and a new /proc shows that of who mounts it. When the root changes, the worker's root and
// folder change with it, because both are the old one. Source: setns(2), pivot_root(2).
std::expected<void, std::string> Sandbox::furnish(int pidfd) const {
  if (flags() == 0) return {};
  Failure failed;
  int entered = 0;
  auto furnish = [&]() noexcept { failed = plan_->steps_.run(); };
  auto enter = [&]() noexcept {
    if (setns(pidfd, static_cast<int>(flags())) != 0 || !run_in_child(0, furnish)) entered = errno;
  };
  if (!run_in_child(0, enter)) return std::unexpected(std::string("clone: ") + std::strerror(errno));
  if (entered != 0) return std::unexpected(std::string("the worker's namespaces cannot be entered: ") + std::strerror(entered));
  if (failed.step >= 0) return std::unexpected(describe(failed));
  return {};
}

}  // namespace parvis::sandbox
