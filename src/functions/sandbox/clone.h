// functions/sandbox/clone.h: a child process on the parent's memory, as vfork makes one, but with namespaces of its own and with
// the parent running on: it has to admit the child first.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace parvis::sandbox {

// Runs `work` in the child, on a stack of its own, then ends it with status 127 unless `work` has called exec. `work` may make system
// calls only: the thread-local memory is the calling thread's, which has to wait until the child has called exec or ended.
// `stack` holds kChildStackBytes and lives until then. Returns the process id, or -1 and errno. The end sends SIGCHLD.
inline constexpr std::size_t kChildStackBytes = 256 << 10;

class ChildStack {
 public:
  ChildStack() : base_(mmap(nullptr, kChildStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  ~ChildStack() { if (base_ != MAP_FAILED) munmap(base_, kChildStackBytes); }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  void* top() const { return base_ == MAP_FAILED ? nullptr : static_cast<char*>(base_) + kChildStackBytes; }

 private:
  void* base_;
};

// Signals are blocked meanwhile, so that no handler of the parent's runs in the child.
template <class Work>
pid_t clone_sharing_memory(const ChildStack& stack, unsigned long flags, Work& work) {
  if (!stack.top()) return errno = ENOMEM, -1;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto run = [](void* argument) -> int {
    (*static_cast<Work*>(argument))();
    for (;;) syscall(SYS_exit_group, 127);  // not _exit: sanitizers look at the stack before a call that does not return
  };
  const pid_t pid = clone(run, stack.top(), static_cast<int>(flags | CLONE_VM | SIGCHLD), &work);
  const int saved = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = saved;
  return pid;
}

// The same for work that ends by itself: returns when it has. False: there was no child, errno says why. May be called in a child.
template <class Work>
bool run_in_child(unsigned long flags, Work& work) {
  const ChildStack stack;
  const pid_t pid = clone_sharing_memory(stack, flags, work);
  if (pid < 0) return false;
  while (syscall(SYS_wait4, pid, nullptr, __WALL, nullptr) < 0 && errno == EINTR) {}
  return true;
}

}  // namespace parvis::sandbox
