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

#include <expected>
#include <memory>
#include <string>

#include "core/fd.h"
#include "functions/sandbox/cgroup.h"
#include "functions/sandbox/facilities.h"
#include "functions/sandbox/policy.h"
#include "functions/sandbox/steps.h"

namespace parvis::sandbox {

class Sandbox {
 public:
  // `root_dir`: an empty folder, over which each worker mounts its root in a namespace of its own. `number`: distinct among live
  // workers; gives the group's name and, as root, the user id.
  static std::expected<std::shared_ptr<Sandbox>, std::string> make(const Policy& policy, const Facilities& facilities, const std::string& root_dir, unsigned number);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  bool isolated() const { return flags_ != 0; }  // has a root of its own, so that paths are those of the views' targets

  // For whoever clones. In order: clone with flags(); admit() in the parent; then, in the child, enter() before the rest of its
  // preparation and confine() right before exec. The child's parts make system calls only.
  unsigned long flags() const { return flags_; }
  std::expected<void, std::string> admit(pid_t pid);
  Failure enter() const noexcept;
  bool confine() const noexcept;
  // Instead of enter(), for a worker that was forked with flags() and waits: builds its view of the machine from outside. Its root and
  // working folder must be the host's root. The worker takes its user id, drops its capabilities and confines itself.
  std::expected<void, std::string> furnish(int pidfd) const;
  uid_t outer_id() const { return outer_id_; }  // the worker's user id as the host sees it
  bool own_ids() const { return own_ids_; }
  int landlock_fd() const { return landlock_.get(); }
  const std::vector<sock_filter>* filter() const { return filter_; }
  std::string describe(const Failure& failure) const;

  // Takes effect at once, also while it runs.
  bool limit(const Limits& limits) { return !group_ || group_->limit(limits); }
  // Mounts folders of the shelves into the running worker, then takes the shelves away for good: once per worker.
  std::expected<void, std::string> show(int pidfd, const std::vector<View>& views) const;
  bool out_of_memory() const { return group_ && group_->out_of_memory(); }

 private:
  Sandbox() = default;
  void plan_root(const Policy& policy, const Facilities& facilities, const std::string& root_dir);
  void plan_shelves(const Policy& policy, const std::string& root_dir);

  unsigned long flags_ = 0;
  uid_t outer_id_ = 0;
  bool own_ids_ = false;  // root: the worker gets a user id of its own
  Steps steps_;
  std::vector<std::string> shelves_;
  Fd landlock_;
  const std::vector<sock_filter>* filter_ = nullptr;
  std::unique_ptr<Cgroup> group_;
};

}  // namespace parvis::sandbox
