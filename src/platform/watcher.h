// platform/watcher.h: tells when files of a project change. Linux inotify.
#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace parvis::platform {

// Watches the folders of the given files; not thread-safe.
class Watcher {
 public:
  Watcher();  // throws std::system_error
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  // Replaces the set of watched folders.
  void watch(const std::set<std::filesystem::path>& folders);
  // Waits up to `wait` for a change, then until nothing has changed for `settle`; the changed paths, or none.
  std::set<std::filesystem::path> wait(std::chrono::milliseconds wait, std::chrono::milliseconds settle);

 private:
  bool poll(std::chrono::milliseconds wait);
  void drain(std::set<std::filesystem::path>& changed);
  int fd_;
  std::vector<std::pair<int, std::filesystem::path>> watches_;
};

}  // namespace parvis::platform
