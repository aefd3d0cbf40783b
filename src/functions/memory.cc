#include "functions/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string_view>
#include <vector>

namespace parvis::functions {
namespace {

std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;  // "max" is none
  return file >> number ? std::optional(number) : std::nullopt;
}

// The number behind a name, in lines of "name number" or "name: number kB".
std::uint64_t read_named(const std::string& path, std::string_view wanted) {
  std::ifstream file(path);
  std::string name;
  for (std::uint64_t number = 0; file >> name >> number; file.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
    if (name == wanted) return number;
  }
  return 0;
}

struct Group {
  std::string folder;
  const char *limit, *used, *droppable;
};

// Groups of this process, each with those above it; in a container's own view they stand at the root.
std::vector<Group> groups(const std::string& root) {
  std::vector<Group> found;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/path" or "4:memory:/path"
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers != "memory") continue;
    const std::string base = root + "/sys/fs/cgroup" + (unified ? "" : "/memory");
    for (std::string path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
      if (unified) found.push_back({base + path, "/memory.max", "/memory.current", "inactive_file"});
      else found.push_back({base + path, "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"});
      if (path.find('/') == std::string::npos) break;
    }
  }
  return found;
}

}  // namespace

std::optional<Memory> read_memory(const std::string& root) {
  Memory memory{.total_bytes = read_named(root + "/proc/meminfo", "MemTotal:") << 10, .available_bytes = read_named(root + "/proc/meminfo", "MemAvailable:") << 10};
  if (memory.total_bytes == 0) return std::nullopt;
  for (const Group& group : groups(root)) {
    const auto limit = read_number(group.folder + group.limit), used = read_number(group.folder + group.used);
    if (!limit || !used || *limit >= memory.total_bytes) continue;  // version 1 spells "none" as a huge number
    const std::uint64_t taken = *used - std::min(*used, read_named(group.folder + "/memory.stat", group.droppable));
    memory.total_bytes = *limit;
    memory.available_bytes = std::min(memory.available_bytes, *limit - std::min(*limit, taken));
  }
  return memory;
}

}  // namespace parvis::functions
