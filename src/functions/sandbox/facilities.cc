#include "functions/sandbox/facilities.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "functions/sandbox/clone.h"
#include "functions/sandbox/landlock.h"
#include "functions/sandbox/sandbox.h"
#include "functions/sandbox/seccomp.h"

namespace parvis::sandbox {
namespace {

// Builds a cell as a worker's and leaves it again; what failed, in words, or nothing.
std::string try_cell(const Policy& policy, Facilities facilities, const std::string& root_dir) {
  facilities.cgroups = {};
  auto plan = Plan::make(policy, facilities, root_dir);
  if (!plan) return plan.error();
  auto box = Sandbox::make(std::move(*plan), static_cast<unsigned>(getpid()));
  if (!box) return box.error();
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) return std::string("pipe: ") + std::strerror(errno);
  const Fd go_read(go[0]);
  Fd go_write(go[1]);
  Failure failed;
  const ChildStack stack;
  auto work = [&]() noexcept {
    char byte;
    if (read(go_read.get(), &byte, 1) == 1) failed = (*box)->enter();
  };
  const pid_t pid = clone_sharing_memory(stack, (*box)->flags(), work);
  if (pid < 0) return std::string("clone: ") + std::strerror(errno);
  auto admitted = (*box)->admit(pid);
  if (!admitted || write(go_write.get(), "g", 1) != 1) kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {}
  if (!admitted) return admitted.error();
  return failed.step < 0 ? std::string() : (*box)->describe(failed);
}

bool has_seccomp() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 && seccomp_program(false).has_value();
}

// Another supervisor above this process, as some container runtimes are, leaves no room for a second one.
bool can_watch_connects() {
  const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  const auto program = seccomp_program(true);
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0 || !program) return false;
  int listener = -1;
  auto work = [&]() noexcept {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    seccomp_install_watching(*program, listener);
  };
  return run_in_child(0, work) && listener >= 0;
}

void try_namespaces(Facilities& found, const std::string& root_dir) {
  found.namespaces = found.proc = true;
  std::string failed = try_cell({}, found, root_dir);
  if (failed.find("mount proc") != std::string::npos) {
    found.proc = false;
    found.gaps.push_back(failed + ": functions have no /proc");
    failed = try_cell({}, found, root_dir);
  }
  if (!failed.empty()) {
    found.namespaces = found.proc = false;
    found.gaps.push_back("namespaces: " + failed + ": functions share the host's processes and its view of files" +
                         (found.landlock_files ? ", of which Landlock allows them only the system's and their own" : ""));
    return;
  }
  found.own_network = true;
  failed = try_cell({.network = Network::kLoopback}, found, root_dir);
  if (failed.empty()) return;
  found.own_network = false;
  found.gaps.push_back("network namespaces: " + failed + ": every function has the host's network");
}

}  // namespace

Facilities probe(const std::string& root_dir) {
  Facilities found;
  const int abi = landlock_abi();
  found.landlock_files = abi >= 1;
  found.landlock_scopes = abi >= 6;
  try_namespaces(found, root_dir);
  if (!found.landlock_files && !found.namespaces) found.gaps.push_back("Landlock: the kernel has none: functions read every file that the platform's user may read");
  if (!found.landlock_scopes && found.landlock_files) found.gaps.push_back("Landlock has ABI " + std::to_string(abi) + ", 6 is needed: abstract sockets of the host can be reached");
  found.seccomp = has_seccomp();
  found.connect_watch = found.seccomp && found.own_network && can_watch_connects();
  if (found.own_network && !found.connect_watch) found.gaps.push_back("seccomp cannot hand over connect() (seccomp_unotify): functions that may call outside have the host's network");
  if (!found.seccomp) found.gaps.push_back("seccomp: the kernel has no filters: system calls are not restricted");
  found.cgroups = find_cgroups();
  found.gaps.insert(found.gaps.end(), found.cgroups.gaps.begin(), found.cgroups.gaps.end());
  return found;
}

}  // namespace parvis::sandbox
