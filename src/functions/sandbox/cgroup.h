// functions/sandbox/cgroup.h: bounds on memory, processes and processor time of one worker and all that it starts, by control
// groups of version 1 or 2, whichever this process may write. Blocking but short calls.
// Source: kernel documentation "Control Group v2" and "cgroup-v1"; cgroups(7).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "functions/sandbox/policy.h"

namespace parvis::sandbox {

// Groups whose processes have been killed, but which the kernel still holds: removing them has to wait a moment, and nobody else
// should wait with it. Thread-safe.
class Leftovers {
 public:
  ~Leftovers();  // waits up to 10 ms
  void add(std::string folder);
  void sweep();  // removes what can be removed now

 private:
  std::mutex mutex_;
  std::vector<std::string> folders_;
};

// Where groups can be made on this host.
struct CgroupPlace {
  bool unified = false;                // version 2: one folder for all controllers
  std::string memory, processes, cpu;  // folders; empty: this controller cannot be had
  std::vector<std::string> gaps;       // sentences on what cannot be had, and why
  std::shared_ptr<Leftovers> leftovers = std::make_shared<Leftovers>();
};

// Tries: makes a group of each kind and removes it. With version 2 this process moves into a group "parvis-main" of its
// own, because a group that hands controllers down may hold no process.
CgroupPlace find_cgroups();

// One worker's group. It ends with every process in it; its folders are removed then or, where the kernel is slower, by the next one.
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
  std::shared_ptr<Leftovers> leftovers_;
};

}  // namespace parvis::sandbox
