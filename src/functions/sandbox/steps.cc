#include "functions/sandbox/steps.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace parvis::sandbox {
namespace {

// From sys/mount.h, which cannot stand beside linux/mount.h.
constexpr unsigned long kBind = 4096, kRecursive = 16384;
constexpr int kDetach = 2;

bool write_file(const std::string& path, const std::string& text) noexcept {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const bool done = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int saved = errno;
  close(fd);
  errno = saved;
  return done;
}

bool set_attributes(const std::string& path, unsigned long long set) noexcept {
  mount_attr attributes{};
  attributes.attr_set = set;
  return syscall(SYS_mount_setattr, -1, path.c_str(), AT_RECURSIVE, &attributes, sizeof attributes) == 0;
}

// The new root is mounted over the old one and the old one is taken away below it. Source: pivot_root(2), "pivot_root(".", ".")".
bool enter(const std::string& path) noexcept {
  return chdir(path.c_str()) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && syscall(SYS_umount2, ".", kDetach) == 0 && chdir("/") == 0;
}

}  // namespace

bool raise_loopback() noexcept {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  const int saved = errno;
  close(fd);
  errno = saved;
  return done;
}

void Steps::mount(std::string source, std::string target, std::string type, unsigned long flags, std::string data) {
  add(Kind::kMount, std::move(source), std::move(target), std::move(type), std::move(data), flags);
}
void Steps::bind(std::string source, std::string target) { add(Kind::kMount, std::move(source), std::move(target), {}, {}, kBind | kRecursive); }
void Steps::attributes(std::string target, unsigned long long set) { add(Kind::kAttributes, std::move(target), {}, {}, {}, set); }
void Steps::directory(std::string path, unsigned mode) { add(Kind::kDirectory, std::move(path), {}, {}, {}, mode); }
void Steps::empty_file(std::string path) { add(Kind::kFile, std::move(path)); }
void Steps::file(std::string path, std::string text) { add(Kind::kFile, std::move(path), std::move(text)); }
void Steps::link(std::string text, std::string path) { add(Kind::kLink, std::move(text), std::move(path)); }
void Steps::enter_root(std::string path) { add(Kind::kEnterRoot, std::move(path)); }
void Steps::unmount(std::string path) { add(Kind::kUnmount, std::move(path)); }
void Steps::host_name(std::string name) { add(Kind::kHostName, std::move(name)); }
void Steps::loopback_up() { add(Kind::kLoopbackUp, {}); }

const std::string* Steps::keep(std::string text) { return &texts_.emplace_back(std::move(text)); }

void Steps::add(Kind kind, std::string first, std::string second, std::string third, std::string fourth, unsigned long long number) {
  steps_.push_back({kind, keep(std::move(first)), keep(std::move(second)), keep(std::move(third)), keep(std::move(fourth)), number});
}

bool Steps::perform(const Step& step) noexcept {
  switch (step.kind) {
    case Kind::kMount:
      return syscall(SYS_mount, step.first->c_str(), step.second->c_str(), step.third->empty() ? nullptr : step.third->c_str(),
                     static_cast<unsigned long>(step.number), step.fourth->empty() ? nullptr : step.fourth->c_str()) == 0;
    case Kind::kAttributes: return set_attributes(*step.first, step.number);
    case Kind::kDirectory: return mkdir(step.first->c_str(), static_cast<mode_t>(step.number)) == 0 || errno == EEXIST;
    case Kind::kFile: return write_file(*step.first, *step.second);
    case Kind::kLink: return symlink(step.first->c_str(), step.second->c_str()) == 0;
    case Kind::kEnterRoot: return enter(*step.first);
    case Kind::kUnmount: return syscall(SYS_umount2, step.first->c_str(), kDetach) == 0;
    case Kind::kHostName: return sethostname(step.first->data(), step.first->size()) == 0;
    case Kind::kLoopbackUp: return raise_loopback();
  }
  return false;
}

Failure Steps::run() const noexcept {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!perform(steps_[i])) return {static_cast<int>(i), errno};
  }
  return {};
}

std::string Steps::describe(const Failure& failure) const {
  if (failure.step < 0 || failure.step >= static_cast<int>(steps_.size())) return "nothing failed";
  const Step& step = steps_[static_cast<std::size_t>(failure.step)];
  std::string what;
  switch (step.kind) {
    case Kind::kMount: what = "mount " + *step.first + " on " + *step.second; break;
    case Kind::kAttributes: what = "set the attributes of the mount " + *step.first; break;
    case Kind::kDirectory: what = "make the folder " + *step.first; break;
    case Kind::kFile: what = "write " + *step.first; break;
    case Kind::kLink: what = "link " + *step.second; break;
    case Kind::kEnterRoot: what = "enter the root " + *step.first; break;
    case Kind::kUnmount: what = "unmount " + *step.first; break;
    case Kind::kHostName: what = "set the host name"; break;
    case Kind::kLoopbackUp: what = "raise the loopback interface"; break;
  }
  return what + ": " + std::strerror(failure.cause);
}

}  // namespace parvis::sandbox
