#include "functions/sandbox/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "core/fd.h"
#include "core/file.h"

namespace parvis::sandbox {
namespace {

bool write_text(const std::string& path, const std::string& text) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.get() >= 0 && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// All workers' groups stand below one, whose share of the processors is that of as many plain processes as there are processors:
// small functions then give way to larger ones, not to the rest of the host.
constexpr const char* kWorkers = "/parvis";

bool make_folder(const std::string& folder) { return mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST; }

bool try_folder(const std::string& parent) {
  const std::string folder = parent + "/probe-" + std::to_string(getpid());
  return make_folder(folder) && rmdir(folder.c_str()) == 0;
}

// Controller ("" for version 2) to its mount point and the path there that is the mount's root. Source: proc(5), mountinfo.
std::map<std::string, std::pair<std::string, std::string>> cgroup_mounts() {
  std::map<std::string, std::pair<std::string, std::string>> out;
  std::ifstream lines("/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, root, point, type, source, options;
    words >> word >> word >> word >> root >> point;
    while (words >> word && word != "-") {}
    words >> type >> source >> options;
    if (type == "cgroup2") out[""] = {point, root};
    if (type != "cgroup") continue;
    std::istringstream names(options);
    for (std::string name; std::getline(names, name, ',');) out[name] = {point, root};
  }
  return out;
}

// Controller to this process's own path in its hierarchy.
std::map<std::string, std::string> own_paths() {
  std::map<std::string, std::string> out;
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    const std::string path = line.substr(second + 1);
    if (second == first + 1) out[""] = path;
    for (std::string name; std::getline(names, name, ',');) out[name] = path;
  }
  return out;
}

// The folder of this process in a hierarchy. In a container the path may be told from outside: then the mount's root it is.
std::string own_folder(const std::pair<std::string, std::string>& mount, std::string path) {
  if (mount.second != "/" && path.starts_with(mount.second)) path = path.substr(mount.second.size());
  const std::string folder = mount.first + (path == "/" ? "" : path);
  return access(folder.c_str(), F_OK) == 0 ? folder : mount.first;
}

// Version 2: moves this process down and hands the controllers to groups beside it.
bool hand_down(const std::string& folder, std::string& why) {
  const std::string main = folder + "/parvis-main";
  constexpr const char* kControllers = "+memory +pids +cpu";
  if (!make_folder(main) || !make_folder(folder + kWorkers)) return why = "mkdir in " + folder + ": " + std::strerror(errno), false;
  if (!write_text(main + "/cgroup.procs", std::to_string(getpid())) || !write_text(folder + "/cgroup.subtree_control", kControllers) ||
      !write_text(folder + kWorkers + "/cgroup.subtree_control", kControllers)) {
    why = "the controllers of " + folder + " cannot be handed down: " + std::strerror(errno);
    return false;
  }
  return true;
}

constexpr const char* kMemoryGap = "memory limits of functions are not enforced by the kernel";
constexpr const char* kProcessesGap = "the number of a function's processes is bounded by RLIMIT_NPROC only";
constexpr const char* kCpuGap = "processor time is not shared out by memory size";

}  // namespace

CgroupPlace find_cgroups() {
  CgroupPlace place;
  const auto mounts = cgroup_mounts();
  const auto paths = own_paths();
  const auto folder_of = [&](const std::string& name) {
    const auto mount = mounts.find(name);
    const auto path = paths.find(name);
    return mount == mounts.end() || path == paths.end() ? std::string() : own_folder(mount->second, path->second);
  };
  if (const std::string folder = folder_of(""); !folder.empty() && read_file(folder + "/cgroup.controllers").find("memory") != std::string::npos) {
    std::string why;
    if (hand_down(folder, why)) {
      place.unified = true;
      place.memory = place.processes = place.cpu = folder + kWorkers;
      write_text(place.cpu + "/cpu.weight", std::to_string(100 * std::thread::hardware_concurrency()));
      return place;
    }
    place.gaps.push_back(why + ": " + kMemoryGap + ", " + kProcessesGap + ", " + kCpuGap);
    return place;
  }
  const auto find = [&](const char* name, const char* gap) {
    const std::string folder = folder_of(name);
    if (!folder.empty() && make_folder(folder + kWorkers) && try_folder(folder + kWorkers)) return folder + kWorkers;
    place.gaps.push_back("cgroup " + std::string(name) + ": " + (folder.empty() ? "not mounted" : std::strerror(errno)) + ": " + gap);
    return std::string();
  };
  place.memory = find("memory", kMemoryGap);
  place.processes = find("pids", kProcessesGap);
  place.cpu = find("cpu", kCpuGap);
  if (!place.cpu.empty()) write_text(place.cpu + "/cpu.shares", std::to_string(1024 * std::thread::hardware_concurrency()));
  return place;
}

std::expected<std::unique_ptr<Cgroup>, std::string> Cgroup::make(const CgroupPlace& place, const std::string& name, unsigned processes_max) {
  std::unique_ptr<Cgroup> group(new Cgroup);
  group->unified_ = place.unified;
  group->leftovers_ = place.leftovers;
  place.leftovers->sweep();
  for (const std::string* parent : {&place.memory, &place.processes, &place.cpu}) {
    if (parent->empty()) continue;
    const std::string folder = *parent + "/" + name;
    if (parent == &place.memory) group->memory_ = folder;
    if (parent == &place.cpu) group->cpu_ = folder;
    if (!group->folders_.empty() && group->folders_.back() == folder) continue;
    if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return std::unexpected("mkdir " + folder + ": " + std::strerror(errno));
    group->folders_.push_back(folder);
  }
  if (!place.processes.empty() && !write_text(place.processes + "/" + name + "/pids.max", std::to_string(processes_max))) {
    return std::unexpected("pids.max of " + name + ": " + std::strerror(errno));
  }
  return group;
}

Cgroup::~Cgroup() {
  kill();
  for (const std::string& folder : folders_) {
    if (rmdir(folder.c_str()) != 0 && errno == EBUSY) leftovers_->add(folder);
  }
}

void Leftovers::add(std::string folder) {
  const std::lock_guard lock(mutex_);
  folders_.push_back(std::move(folder));
}

void Leftovers::sweep() {
  const std::lock_guard lock(mutex_);
  std::erase_if(folders_, [](const std::string& folder) { return rmdir(folder.c_str()) == 0 || errno != EBUSY; });
}

Leftovers::~Leftovers() {
  for (int tries = 0; tries < 20; ++tries) {
    sweep();
    if (folders_.empty()) return;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

bool Cgroup::admit(pid_t pid) {
  for (const std::string& folder : folders_) {
    if (!write_text(folder + "/cgroup.procs", std::to_string(pid))) return false;
  }
  return true;
}

bool Cgroup::limit(const Limits& limits) {
  bool done = true;
  if (!memory_.empty()) {
    const std::string bytes = limits.memory_bytes_max == 0 ? (unified_ ? "max" : "-1") : std::to_string(limits.memory_bytes_max);
    done = write_text(memory_ + (unified_ ? "/memory.max" : "/memory.limit_in_bytes"), bytes);
    // Without swap of their own, workers end instead of making the host slow. Kernels without swap accounting lack the file.
    write_text(memory_ + (unified_ ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes"), unified_ ? "0" : bytes);
  }
  if (!cpu_.empty()) {
    done = write_text(cpu_ + (unified_ ? "/cpu.weight" : "/cpu.shares"), std::to_string(unified_ ? limits.cpu_weight : limits.cpu_weight * 1024 / 100)) && done;
  }
  return done;
}

bool Cgroup::out_of_memory() const {
  if (memory_.empty()) return false;
  std::istringstream words(read_file(memory_ + (unified_ ? "/memory.events" : "/memory.oom_control")));
  std::string name;
  for (std::uint64_t count = 0; words >> name >> count;) {
    if (name == "oom_kill") return count > 0;
  }
  return false;
}

void Cgroup::kill() const {
  for (const std::string& folder : folders_) {
    if (unified_ && write_text(folder + "/cgroup.kill", "1")) continue;
    std::istringstream pids(read_file(folder + "/cgroup.procs"));
    for (pid_t pid = 0; pids >> pid;) ::kill(pid, SIGKILL);
  }
}

}  // namespace parvis::sandbox
