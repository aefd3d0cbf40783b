#include "platform/watcher.h"

#include <array>
#include <system_error>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace parvis::platform {

Watcher::Watcher() : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "inotify_init1");
}

Watcher::~Watcher() { ::close(fd_); }

void Watcher::watch(const std::set<std::filesystem::path>& folders) {
  std::erase_if(watches_, [&](const auto& watch) {
    return !folders.contains(watch.second) && (inotify_rm_watch(fd_, watch.first), true);
  });
  for (const auto& folder : folders) {
    // Editors save by writing in place or by renaming a new file over the old one.
    const int id = inotify_add_watch(fd_, folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE);
    if (id < 0) continue;
    if (std::ranges::none_of(watches_, [&](const auto& watch) { return watch.first == id; })) watches_.emplace_back(id, folder);
  }
}

std::set<std::filesystem::path> Watcher::wait(std::chrono::milliseconds wait, std::chrono::milliseconds settle) {
  std::set<std::filesystem::path> changed;
  if (!poll(wait)) return changed;
  do drain(changed);
  while (poll(settle));
  return changed;
}

bool Watcher::poll(std::chrono::milliseconds wait) {
  pollfd waiting{fd_, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(wait.count())) > 0;
}

void Watcher::drain(std::set<std::filesystem::path>& changed) {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  for (;;) {
    const ssize_t size = ::read(fd_, buffer.data(), buffer.size());
    if (size <= 0) return;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event)) + event->len;
      for (const auto& [id, folder] : watches_)
        if (id == event->wd && event->len > 0) changed.insert(folder / event->name);
    }
  }
}

}  // namespace parvis::platform
