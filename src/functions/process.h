// functions/process.h: starts, watches and ends child processes. Blocking but short calls; no exceptions.
//
// A child gets exactly the environment, the file descriptors 0 to 4 and the folder that it is given: signals at their
// defaults, a session and process group of its own, no_new_privs, no core files, and SIGKILL when the thread that
// started it ends (PR_SET_PDEATHSIG follows that thread).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/fd.h"
#include "functions/sandbox/sandbox.h"

namespace parvis::functions {

using parvis::Fd;

struct ProcessSpec {
  std::vector<std::string> arguments;  // [0] is the program, an absolute path
  std::map<std::string, std::string> environment;
  std::string directory;
  int input_fd = -1;    // becomes 0; absent: /dev/null
  int output_fd = -1;   // becomes 1 and 2
  int channel_fd = -1;  // becomes 3, when given
  int answers_fd = -1;  // becomes 4, when given; then channel_fd is too
  unsigned open_files_max = 1024;  // Lambda's quota of file descriptors
  std::shared_ptr<sandbox::Sandbox> sandbox = {};  // the cell it starts in; `arguments` and `directory` are paths inside
  std::function<std::expected<void, std::string>(pid_t)> admitted = {};  // with a sandbox: the process has its namespaces and waits for this
};

struct Process {
  pid_t pid = -1;
  Fd pidfd;  // readable once the process has ended
  Fd connects = {};  // with a sandbox that watches connect(): where each one waits for an answer (seccomp_unotify(2))
};

// The error is a sentence that names the program and the cause.
std::expected<Process, std::string> spawn(const ProcessSpec& spec);

// SIGKILL to the process and everything in its group. The process must not have been reaped yet.
void kill_group(pid_t pid);

struct ExitStatus {
  bool known = false;  // false: somebody else has reaped it
  bool signaled = false;
  int value = 0;  // exit code or signal number
};
// Waits for the end when `block`; otherwise nullopt-like `known == false` while it runs.
ExitStatus reap(pid_t pid, bool block);

// Memory of a live process that it shares with nobody's file, 0 when unknown. Costs about 10 us.
std::uint64_t private_memory_bytes(pid_t pid);
// Peak resident memory of a live process (VmHWM), 0 when unknown. Costs about 10 us.
std::uint64_t peak_memory_bytes(pid_t pid);

}  // namespace parvis::functions
