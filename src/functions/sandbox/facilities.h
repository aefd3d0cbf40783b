// functions/sandbox/facilities.h: what this host lets a platform of this user do, tried out once at start.
#pragma once

#include <string>
#include <vector>

#include "functions/sandbox/cgroup.h"
#include "functions/sandbox/policy.h"

namespace parvis::sandbox {

struct Facilities {
  bool namespaces = false;     // user, mount, process, IPC and host name
  bool own_network = false;    // network namespaces
  bool proc = false;           // a /proc of the worker's own
  bool landlock_files = false;
  bool landlock_scopes = false;
  bool seccomp = false;
  bool connect_watch = false;  // a cell's connect() calls can be waited for (seccomp_unotify)
  CgroupPlace cgroups;
  std::vector<std::string> gaps;  // one sentence each: facility, cause, consequence. Empty: every promise can be kept
};

// Starts short-lived processes; a few milliseconds. `root_dir`: as for Plan::make.
Facilities probe(const std::string& root_dir);

}  // namespace parvis::sandbox
