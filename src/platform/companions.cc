#include "platform/companions.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace parvis::platform {
namespace {

constexpr std::size_t kLineBytesMax = 8 << 10;

void read_lines(int fd, const std::string& name, const std::function<void(std::string, std::string)>& on_line) {
  std::string line;
  std::array<char, 4096> buffer;
  for (ssize_t size; (size = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    for (const char letter : std::string_view(buffer.data(), static_cast<std::size_t>(size))) {
      if (letter != '\n' && line.size() < kLineBytesMax) {
        line += letter;
      } else if (letter == '\n') {
        on_line(name, std::exchange(line, {}));
      }
    }
  }
  if (!line.empty()) on_line(name, line);
}

}  // namespace

Companions::Companions(const Project& project, const std::string& path_prefix,
                       std::function<void(std::string, std::string)> on_line) {
  const char* old_path = std::getenv("PATH");
  const std::string path = path_prefix + ":" + (old_path ? old_path : "/usr/bin:/bin");
  for (const Companion& companion : project.companions) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) continue;
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) ::_exit(1);
      ::setpgid(0, 0);
      ::dup2(pipe[1], 1);
      ::dup2(pipe[1], 2);
      ::setenv("PATH", path.c_str(), 1);
      if (::chdir(project.folder.c_str()) != 0) ::_exit(127);
      // exec keeps the command's own process as the group's leader, so that its parent's death reaches it.
      const std::string command = "exec " + companion.command;
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(pipe[1]);
    if (pid < 0) {
      ::close(pipe[0]);
      on_line(companion.name, "could not be started");
      continue;
    }
    ::setpgid(pid, pid);
    running_.push_back({pid, pipe[0], std::thread(read_lines, pipe[0], companion.name, on_line)});
  }
}

Companions::~Companions() {
  for (auto& running : running_) ::kill(-running.pid, SIGTERM);
  for (auto& running : running_) {
    // Two seconds to end by itself; then the whole group, and what it may have left behind, is killed.
    bool ended = false;
    for (int i = 0; i < 100 && !ended; ++i) {
      ended = ::waitpid(running.pid, nullptr, WNOHANG) != 0;
      if (!ended) ::usleep(20'000);
    }
    ::kill(-running.pid, SIGKILL);
    if (!ended) ::waitpid(running.pid, nullptr, 0);
    running.reader.join();
    ::close(running.output);
  }
}

}  // namespace parvis::platform
