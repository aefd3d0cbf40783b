// functions/sandbox/steps.h: system calls that a child makes between clone and exec, written down beforehand.
//
// The child shares the parent's memory until exec and may do nothing but system calls, so the parent prepares each one with
// all its texts. A list is immutable once the child runs. Errors name the step in words.
#pragma once

#include <deque>
#include <string>
#include <vector>

namespace parvis::sandbox {

struct Failure {
  int step = -1;  // -1: all went well
  int cause = 0;  // errno
};

// Of the network namespace that the caller is in; system calls only. False: errno says why.
bool raise_loopback() noexcept;

class Steps {
 public:
  void mount(std::string source, std::string target, std::string type, unsigned long flags, std::string data = {});
  void bind(std::string source, std::string target);  // with all mounts below it
  // Sets attributes of the mount at `target` and of all below it. Source: mount_setattr(2), MOUNT_ATTR_*.
  void attributes(std::string target, unsigned long long set);
  void directory(std::string path, unsigned mode = 0755);
  void empty_file(std::string path);
  void file(std::string path, std::string text);
  void link(std::string text, std::string path);
  void enter_root(std::string path);  // the folder becomes /, the old root is gone
  void unmount(std::string path);
  void host_name(std::string name);
  void loopback_up();

  // In the child. Only system calls, no allocation; stops at the first that fails.
  Failure run() const noexcept;
  // What the failed step wanted, for the parent's message: "mount /usr on /root/usr: Operation not permitted".
  std::string describe(const Failure& failure) const;

 private:
  enum class Kind { kMount, kAttributes, kDirectory, kFile, kLink, kEnterRoot, kUnmount, kHostName, kLoopbackUp };
  struct Step {
    Kind kind;
    const std::string *first, *second, *third, *fourth;
    unsigned long long number;
  };
  const std::string* keep(std::string text);
  void add(Kind kind, std::string first, std::string second = {}, std::string third = {}, std::string fourth = {}, unsigned long long number = 0);
  static bool perform(const Step& step) noexcept;

  std::deque<std::string> texts_;  // of stable addresses
  std::vector<Step> steps_;
};

}  // namespace parvis::sandbox
