// functions/sandbox/cgroup.h: bounds on memory, processes and processor time of one worker and all that it starts, by control
// groups of version 1 or 2, whichever this process may write. Blocking but short calls.
// Source: kernel documentation "Control Group v2" and "cgroup-v1"; cgroups(7).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "functions/sandbox/policy.h"

namespace parvis::sandbox {

// Where groups can be made on this host.
struct CgroupPlace {
  bool unified = false;                // version 2: one folder for all controllers
  std::string memory, processes, cpu;  // folders; empty: this controller cannot be had
  std::vector<std::string> gaps;       // sentences on what cannot be had, and why
};

// Tries: makes a group of each kind and removes it. With version 2 this process moves into a group "parvis-main" of its
// own, because a group that hands controllers down may hold no process.
CgroupPlace find_cgroups();

// One worker's group. The folders are removed with it, after every process in it has been killed.
class Cgroup {
 public:
  static std::expected<std::unique_ptr<Cgroup>, std::string> make(const CgroupPlace& place, const std::string& name, unsigned processes_max);
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  bool admit(pid_t pid);  // before the process runs code of its own
  bool limit(const Limits& limits);
  bool out_of_memory() const;  // the kernel has killed a process of the group for want of memory
  void kill() const;

 private:
  Cgroup() = default;
  bool unified_ = false;
  std::vector<std::string> folders_;
  std::string memory_, cpu_;
};

}  // namespace parvis::sandbox
