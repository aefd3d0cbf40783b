// functions/sandbox/sandbox.h: one worker's cell. The platform makes it, the child enters it between clone and exec, and the
// platform can show it more folders afterwards, when it learns which function the worker will run.
//
// With namespaces a worker has user, mount, process, IPC, host name and (Network::kLoopback) network namespaces of its own and a
// root made of read-only system folders, its views, an empty /tmp and its own /proc. As root it runs as a user id that owns nothing
// on the host. Without namespaces Landlock allows the views and the system's folders, and nothing can be shown later.
// Always: no capabilities, no new privileges, seccomp, and a control group where one can be made.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <string>

#include "core/fd.h"
#include "functions/sandbox/cgroup.h"
#include "functions/sandbox/facilities.h"
#include "functions/sandbox/policy.h"
#include "functions/sandbox/steps.h"

namespace parvis::sandbox {

inline constexpr unsigned kInnerId = 993;  // the user id inside, sbx_user as in Lambda's environment

// What the cells of one policy have in common. Immutable; any number of cells are made of it.
class Plan {
 public:
  // `root_dir`: an empty folder, over which each worker mounts its root in a namespace of its own.
  static std::expected<std::shared_ptr<const Plan>, std::string> make(const Policy& policy, const Facilities& facilities, const std::string& root_dir);

 private:
  friend class Sandbox;
  Plan() = default;
  void plan_root(const Policy& policy, const Facilities& facilities, const std::string& root_dir);
  void plan_shelves(const Policy& policy, const std::string& root_dir);

  unsigned long flags_ = 0;
  bool own_ids_ = false;  // root: the worker gets a user id of its own
  bool watch_connects_ = false;
  bool shows_own_proc_ = false;  // Landlock alone: a rule that each worker has to add itself
  unsigned processes_max_ = 0;
  Steps steps_;
  std::vector<std::string> shelves_;
  Fd landlock_;
  const std::vector<sock_filter>* filter_ = nullptr;
  CgroupPlace cgroups_;
};

// The plans of the policies that were used last: looking at the host's folders takes longer than building a cell. Thread-safe.
class Plans {
 public:
  Plans(Facilities facilities, std::string root_dir) : facilities_(std::move(facilities)), root_dir_(std::move(root_dir)) {}
  std::expected<std::shared_ptr<const Plan>, std::string> of(const Policy& policy);
  void forget();  // the host has changed: a cell could not be built

 private:
  const Facilities facilities_;
  const std::string root_dir_;
  std::mutex mutex_;
  std::deque<std::pair<Policy, std::shared_ptr<const Plan>>> known_;
};

class Sandbox {
 public:
  // `number`: distinct among live workers; gives the group's name and, as root, the user id.
  static std::expected<std::shared_ptr<Sandbox>, std::string> make(std::shared_ptr<const Plan> plan, unsigned number);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  bool isolated() const { return plan_->flags_ != 0; }  // has a root of its own, so that paths are those of the views' targets

  // For whoever clones. In order: clone with flags(); admit() in the parent; then, in the child, enter() before the rest of its
  // preparation and confine() right before exec. The child's parts make system calls only.
  unsigned long flags() const { return plan_->flags_; }
  std::expected<void, std::string> admit(pid_t pid);
  Failure enter() const noexcept;
  // With Policy::watch_connects `connects` becomes a descriptor to hand to the parent; else it stays as it is.
  bool confine(int& connects) const noexcept;
  // Instead of enter(), for a worker that was forked with flags() and waits: builds its view of the machine from outside. Its root and
  // working folder must be the host's root. The worker takes its user id, drops its capabilities and confines itself.
  std::expected<void, std::string> furnish(int pidfd) const;
  uid_t outer_id() const { return outer_id_; }  // the worker's user id as the host sees it
  bool own_ids() const { return plan_->own_ids_; }
  bool watches_connects() const { return plan_->watch_connects_; }
  int landlock_fd() const { return plan_->landlock_.get(); }
  bool shows_own_proc() const { return plan_->shows_own_proc_; }
  const std::vector<sock_filter>* filter() const { return plan_->filter_; }
  std::string describe(const Failure& failure) const;

  // Takes effect at once, also while it runs.
  bool limit(const Limits& limits) { return !group_ || group_->limit(limits); }
  // Mounts folders of the shelves into the running worker, then takes the shelves away for good: once per worker.
  // `tmp_bytes_max`: /tmp holds so much from now on; 0: what the policy says.
  std::expected<void, std::string> show(int pidfd, const std::vector<View>& views, std::uint64_t tmp_bytes_max = 0) const;
  bool out_of_memory() const { return group_ && group_->out_of_memory(); }

 private:
  explicit Sandbox(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const Plan> plan_;
  uid_t outer_id_ = 0;
  std::unique_ptr<Cgroup> group_;
};

}  // namespace parvis::sandbox
