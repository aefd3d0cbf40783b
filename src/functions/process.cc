#include "functions/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>

#include "functions/descriptor_passing.h"
#include "functions/sandbox/clone.h"

namespace parvis::functions {
namespace {

struct ChildPlan {  // all that the child needs, made before vfork: it may only make system calls
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* directory;
  int input_fd, output_fd, channel_fd, answers_fd;
  rlimit open_files;
  pid_t parent;
  const sandbox::Sandbox* sandbox;  // may be null
  int go_fd;                        // with a sandbox: one byte comes when the parent has admitted the child
  int report_fd = -1;               // with a sandbox: takes the descriptor of watched connects; closes on exec
};

struct ChildFailure {
  int step = 0;  // 0: none
  int cause = 0;
  sandbox::Failure in_sandbox;
};
enum { kParentGone = 1, kFolder, kDescriptors, kExec, kSandbox, kConfine, kClone };

// Waits until the parent has mapped its ids and put it into its group, then builds its own view of the machine.
ChildFailure enter_sandbox(const ChildPlan& plan) {
  char go = 0;
  if (read(plan.go_fd, &go, 1) != 1) return {kParentGone, ESRCH, {}};
  const sandbox::Failure failed = plan.sandbox->enter();
  return failed.step < 0 ? ChildFailure{} : ChildFailure{kSandbox, failed.cause, failed};
}

// Numbers 0 to 4 are the child's own; a descriptor that stands there would be overwritten before it is copied.
Fd lifted(int fd) { return Fd(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10)); }

// Reads until the other side is closed, which exec does; the descriptor that came, if one did.
Fd receive_descriptor(int socket) {
  Fd got;
  char byte[1];
  for (;;) {
    const ssize_t bytes = receive_with(socket, byte, 0, got);
    if (bytes == 0 || (bytes < 0 && errno != EINTR)) return got;
  }
}

// Runs in the child, on the parent's memory, until exec. Returns what failed.
ChildFailure run_child(const ChildPlan& plan) {
  // Straight to the kernel: the C library's table (and a sanitizer's) is shared with the parent. All zero is SIG_DFL.
  const unsigned long long defaults[8] = {};
  for (int signal = 1; signal < 65; ++signal) syscall(SYS_rt_sigaction, signal, defaults, nullptr, 8);
  setsid();
  if (plan.sandbox) {
    if (const ChildFailure failed = enter_sandbox(plan); failed.step != 0) return failed;
  }
  // After the change of ids, which would forget it. In a process namespace of its own nobody is the child's parent.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!plan.sandbox && getppid() != plan.parent) return {kParentGone, ESRCH, {}};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  setrlimit(RLIMIT_NOFILE, &plan.open_files);
  umask(022);
  if (chdir(plan.directory) != 0) return {kFolder, errno, {}};
  if (dup2(plan.input_fd, 0) < 0 || dup2(plan.output_fd, 1) < 0 || dup2(plan.output_fd, 2) < 0) return {kDescriptors, errno, {}};
  if (plan.channel_fd >= 0 && dup2(plan.channel_fd, 3) < 0) return {kDescriptors, errno, {}};
  if (plan.answers_fd >= 0 && dup2(plan.answers_fd, 4) < 0) return {kDescriptors, errno, {}};
  int connects = -1;
  if (plan.sandbox && !plan.sandbox->confine(connects)) return {kConfine, errno, {}};
  if (connects >= 0 && !send_with(plan.report_fd, "c", {&connects, 1})) return {kConfine, errno, {}};
  const unsigned first_closed = plan.answers_fd >= 0 ? 5 : plan.channel_fd >= 0 ? 4 : 3;
  if (syscall(SYS_close_range, first_closed, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
    for (int fd = static_cast<int>(first_closed); fd < 4096; ++fd) close(fd);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(plan.program, plan.arguments, plan.environment);
  return {kExec, errno, {}};
}

// vfork: the child of a large process starts in half a millisecond, because no page table is copied. Signals are
// blocked meanwhile, so that no handler of ours runs in the child. Kept apart and never inlined: the frame is shared.
__attribute__((noinline)) pid_t start_child(const ChildPlan& plan, volatile int& failed_step, volatile int& cause) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  const pid_t pid = vfork();
#pragma clang diagnostic pop
  if (pid == 0) {
    const ChildFailure failed = run_child(plan);
    failed_step = failed.step;
    cause = failed.cause;
    _exit(127);
  }
  const int saved = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = saved;
  return pid;
}

// As vfork, but the parent runs on to admit the child, and waits for its exec at the end of a socket.
pid_t start_in_sandbox(ChildPlan plan, const ProcessSpec& spec, ChildFailure& failed, std::string& refused, Fd& connects) {
  sandbox::Sandbox& box = *spec.sandbox;
  int go[2], ran[2];
  if (pipe2(go, O_CLOEXEC) != 0) return -1;
  const Fd go_read(go[0]), go_write(go[1]);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ran) != 0) return -1;
  const Fd ran_read(ran[0]);
  Fd ran_write(ran[1]);
  plan.go_fd = go_read.get();
  // A number of its own in the child, above those that become the child's first ones.
  Fd report = lifted(ran_write.get());
  plan.report_fd = report.get();
  const int unused_fd = go_write.get();
  const sandbox::ChildStack stack;
  auto work = [&]() noexcept {
    close(unused_fd);  // so that it learns of the parent's end
    failed = run_child(plan);
  };
  const pid_t pid = sandbox::clone_sharing_memory(stack, box.flags(), work);
  if (pid < 0) return pid;
  ran_write.reset();
  report.reset();
  auto admitted = box.admit(pid);
  if (admitted && spec.admitted) admitted = spec.admitted(pid);
  if (!admitted) {
    refused = admitted.error();
    kill(pid, SIGKILL);
  } else if (write(go_write.get(), "g", 1) != 1) {
    kill(pid, SIGKILL);
  }
  connects = receive_descriptor(ran_read.get());
  return pid;
}

std::string failure(const ProcessSpec& spec, const ChildFailure& failed) {
  const std::string why = std::strerror(failed.cause);
  if (failed.step == kFolder) return "cannot enter the folder " + spec.directory + ": " + why;
  if (failed.step == kSandbox) return "the sandbox cannot be built: " + spec.sandbox->describe(failed.in_sandbox);
  if (failed.step == kConfine) return "Landlock or seccomp refuses the worker: " + why;
  return "cannot start " + spec.arguments[0] + ": " + why;
}

}  // namespace

std::expected<Process, std::string> spawn(const ProcessSpec& spec) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : spec.environment) pairs.push_back(name + "=" + value);
  std::vector<char*> arguments, environment;
  for (const std::string& argument : spec.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& pair : pairs) environment.push_back(const_cast<char*>(pair.c_str()));
  arguments.push_back(nullptr);
  environment.push_back(nullptr);

  const Fd null_low(spec.input_fd < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1);
  const Fd input = lifted(spec.input_fd < 0 ? null_low.get() : spec.input_fd);
  const Fd output = lifted(spec.output_fd), channel = lifted(spec.channel_fd), answers = lifted(spec.answers_fd);
  if (input.get() < 0 || output.get() < 0) return std::unexpected(failure(spec, {kDescriptors, errno, {}}));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_max = std::min<rlim_t>(files.rlim_max, spec.open_files_max);
  files.rlim_cur = files.rlim_max;
  const ChildPlan plan{spec.arguments[0].c_str(), arguments.data(), environment.data(), spec.directory.c_str(),
                       input.get(), output.get(), channel.get(), answers.get(), files, getpid(), spec.sandbox.get(), -1};
  ChildFailure failed;
  std::string refused;
  Fd connects;
  pid_t pid;
  if (spec.sandbox) {
    pid = start_in_sandbox(plan, spec, failed, refused, connects);
  } else {
    volatile int failed_step = 0, cause = 0;
    pid = start_child(plan, failed_step, cause);
    failed = {failed_step, cause, {}};
  }
  if (pid < 0) return std::unexpected(failure(spec, {kClone, errno, {}}));
  if (failed.step != 0 || !refused.empty()) {
    waitpid(pid, nullptr, 0);
    return std::unexpected(refused.empty() ? failure(spec, failed) : refused);
  }
  Process process{pid, Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))), std::move(connects)};
  if (process.pidfd.get() < 0) {
    const std::string why = std::strerror(errno);
    kill_group(pid);
    waitpid(pid, nullptr, 0);
    return std::unexpected("cannot watch a worker process (pidfd_open): " + why);
  }
  return process;
}

void kill_group(pid_t pid) {
  kill(-pid, SIGKILL);  // fails while the child has not reached setsid; vfork returns after exec, so it has
  kill(pid, SIGKILL);
}

ExitStatus reap(pid_t pid, bool block) {
  int status = 0;
  pid_t got;
  do {
    got = waitpid(pid, &status, block ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got != pid) return {};
  if (WIFSIGNALED(status)) return {.known = true, .signaled = true, .value = WTERMSIG(status)};
  return {.known = true, .signaled = false, .value = WEXITSTATUS(status)};
}

std::uint64_t private_memory_bytes(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/statm";
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[256];
  const ssize_t length = file.get() < 0 ? 0 : read(file.get(), text, sizeof text - 1);
  if (length <= 0) return 0;
  text[length] = 0;
  char* at = nullptr;
  std::strtoull(text, &at, 10);
  const unsigned long long resident = std::strtoull(at, &at, 10), shared = std::strtoull(at, &at, 10);
  return resident > shared ? (resident - shared) * static_cast<unsigned long long>(sysconf(_SC_PAGESIZE)) : 0;
}

std::uint64_t peak_memory_bytes(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/status";
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return 0;
  char text[4096];
  const ssize_t length = read(file.get(), text, sizeof text - 1);
  if (length <= 0) return 0;
  text[length] = 0;
  const char* at = std::strstr(text, "VmHWM:");
  return at == nullptr ? 0 : std::strtoull(at + 6, nullptr, 10) << 10;
}

}  // namespace parvis::functions
