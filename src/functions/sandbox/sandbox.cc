#include "functions/sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "functions/sandbox/clone.h"
#include "functions/sandbox/landlock.h"
#include "functions/sandbox/seccomp.h"

namespace parvis::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kOuterIdsFrom = 0x70000000;  // as root: ids that no distribution gives out
constexpr unsigned long kNoSuid = 2, kNoDev = 4;
constexpr const char* kShelves = "/.shelves";

// Steps that stand for what is not a mount; their numbers go behind the list's.
enum Late { kIds = 10'000, kCapabilities };

// What programs need of the host, read-only. The host's files under /etc that name its users or secrets are not among them.
constexpr const char* kSystemFolders[] = {"/usr", "/bin", "/lib", "/lib64", "/sbin"};
constexpr const char* kSystemFiles[] = {"/etc/ld.so.cache", "/etc/ssl", "/etc/ca-certificates", "/etc/localtime", "/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf",
                                        "/etc/host.conf", "/etc/gai.conf", "/etc/protocols", "/etc/services", "/etc/mime.types", "/etc/alternatives", "/etc/pki",
                                        "/etc/python3.11"};
// What runtimes ask of the machine; a /proc of its own has them too.
constexpr const char* kSystemFacts[] = {"/proc/cpuinfo", "/proc/loadavg", "/proc/meminfo", "/proc/stat", "/proc/uptime", "/proc/version"};
constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

// What stands in the new root already.
struct Placed {
  std::set<std::string> made, bound;
  // Below a folder of the host's everything is the host's: nothing is made there, and what is mounted over has to be there.
  bool in_host(const std::string& path) const {
    return std::ranges::any_of(bound, [&](const std::string& folder) { return path.starts_with(folder + "/"); });
  }
};

void place_parents(Steps& steps, Placed& placed, const std::string& root, const std::string& target) {
  for (std::size_t at = target.find('/', 1); at != target.npos; at = target.find('/', at + 1)) {
    const std::string parent = target.substr(0, at);
    if (placed.made.insert(parent).second && !placed.in_host(parent)) steps.directory(root + parent);
  }
}

void place(Steps& steps, Placed& placed, const std::string& root, const std::string& target, bool folder) {
  place_parents(steps, placed, root, target);
  if (!placed.made.insert(target).second || placed.in_host(target)) return;
  if (folder) steps.directory(root + target);
  else steps.empty_file(root + target);
}

void show_view(Steps& steps, Placed& placed, const std::string& root, const std::string& source, const std::string& target, bool writable) {
  place(steps, placed, root, target, fs::is_directory(source));
  steps.bind(source, root + target);
  steps.attributes(root + target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (writable ? 0 : MOUNT_ATTR_RDONLY));
  placed.bound.insert(target);
}

// No program that is executed later can get any.
void shut_capabilities() noexcept {
  for (int capability = 0; capability <= 63; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;  // beyond the kernel's last
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

bool drop_capabilities() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

std::vector<View> files_without_namespaces(const Policy& policy) {
  std::vector<View> allowed = policy.views;
  for (const char* path : kSystemFolders) allowed.push_back({path, path});
  for (const char* path : kSystemFiles) allowed.push_back({path, path});
  for (const char* path : kDevices) allowed.push_back({path, path, true});
  for (const char* path : kSystemFacts) allowed.push_back({path, path});
  std::erase_if(allowed, [](const View& view) { return access(view.source.c_str(), F_OK) != 0; });
  return allowed;
}

}  // namespace

std::expected<std::shared_ptr<const Plan>, std::string> Plan::make(const Policy& policy, const Facilities& facilities, const std::string& root_dir) {
  std::shared_ptr<Plan> plan(new Plan);
  std::vector<View> allowed;
  if (facilities.namespaces) {
    plan->flags_ = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (policy.network == Network::kLoopback && facilities.own_network) plan->flags_ |= CLONE_NEWNET;
    plan->own_ids_ = geteuid() == 0;
    plan->plan_root(policy, facilities, root_dir);
  } else if (facilities.landlock_files) {
    allowed = files_without_namespaces(policy);
    plan->shows_own_proc_ = true;
  }
  auto rules = landlock_rules(allowed.empty() ? nullptr : &allowed);
  if (!rules) return std::unexpected(rules.error());
  plan->landlock_ = std::move(*rules);
  if (facilities.seccomp) {
    static const auto filter = seccomp_program(false), watching = seccomp_program(true);
    plan->watch_connects_ = policy.watch_connects && facilities.connect_watch;
    const auto& program = plan->watch_connects_ ? watching : filter;
    if (!program) return std::unexpected(program.error());
    plan->filter_ = &*program;
  }
  plan->cgroups_ = facilities.cgroups;
  plan->processes_max_ = policy.processes_max;
  return plan;
}

std::expected<std::shared_ptr<const Plan>, std::string> Plans::of(const Policy& policy) {
  constexpr std::size_t kKept = 8;
  const std::lock_guard lock(mutex_);
  for (const auto& [known, plan] : known_) {
    if (known == policy) return plan;
  }
  auto plan = Plan::make(policy, facilities_, root_dir_);
  if (!plan) return plan;
  known_.emplace_back(policy, *plan);
  if (known_.size() > kKept) known_.pop_front();
  return plan;
}

void Plans::forget() {
  const std::lock_guard lock(mutex_);
  known_.clear();
}

std::expected<std::shared_ptr<Sandbox>, std::string> Sandbox::make(std::shared_ptr<const Plan> plan, unsigned number) {
  std::shared_ptr<Sandbox> box(new Sandbox(std::move(plan)));
  box->outer_id_ = box->plan_->own_ids_ ? kOuterIdsFrom + number % 0x00ffffff : geteuid();
  auto group = Cgroup::make(box->plan_->cgroups_, "parvis-" + std::to_string(getpid()) + "-" + std::to_string(number), box->plan_->processes_max_);
  if (!group) return std::unexpected(group.error());
  box->group_ = std::move(*group);
  return box;
}

Sandbox::~Sandbox() = default;

void Plan::plan_root(const Policy& policy, const Facilities& facilities, const std::string& root) {
  Placed made;
  steps_.mount("none", "/", "", MS_REC | MS_PRIVATE);
  steps_.mount("root", root, "tmpfs", kNoSuid | kNoDev, "mode=755,size=1m,nr_inodes=4096");
  for (const char* path : kSystemFolders) {
    std::error_code error;
    if (fs::is_symlink(path, error)) steps_.link(fs::read_symlink(path, error).string(), root + path);
    else if (fs::exists(path, error)) show_view(steps_, made, root, path, path, false);
  }
  for (const char* path : kSystemFiles) {
    const bool replaced = std::ranges::any_of(policy.files, [&](const TextFile& file) { return file.path == path; });
    if (!replaced && access(path, F_OK) == 0) show_view(steps_, made, root, path, path, false);
  }
  for (const char* path : kDevices) {
    place(steps_, made, root, path, false);
    steps_.bind(path, root + path);
  }
  steps_.link("/proc/self/fd", root + "/dev/fd");
  steps_.file(root + "/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nsbx_user:x:993:993:function:/tmp:/usr/sbin/nologin\n");
  steps_.file(root + "/etc/group", "root:x:0:\nsbx_user:x:993:\n");
  for (const TextFile& file : policy.files) {
    place_parents(steps_, made, root, file.path);
    steps_.file(root + file.path, file.text);
  }
  for (const char* path : {"/tmp", "/proc", "/opt"}) place(steps_, made, root, path, true);
  place(steps_, made, root, "/var/task", true);
  for (const View& view : policy.views) show_view(steps_, made, root, view.source, view.target, view.writable);
  plan_shelves(policy, root);
  steps_.mount("tmp", root + "/tmp", "tmpfs", kNoSuid | kNoDev, "mode=1777,size=" + std::to_string(policy.tmp_bytes_max));
  if (facilities.proc) steps_.mount("proc", root + "/proc", "proc", kNoSuid | kNoDev | MS_NOEXEC);
  steps_.host_name("parvis");
  if (flags_ & CLONE_NEWNET) steps_.loopback_up();
  steps_.enter_root(root);
  steps_.mount("", "/", "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV);
}

// The shelves stand below a mount that hides them, which only somebody with this namespace's capabilities can take away.
void Plan::plan_shelves(const Policy& policy, const std::string& root) {
  if (policy.shelves.empty()) return;
  shelves_ = policy.shelves;
  const std::string base = root + kShelves;
  steps_.directory(base, 0700);
  steps_.mount("shelves", base, "tmpfs", kNoSuid | kNoDev, "mode=700,size=64k");
  for (std::size_t i = 0; i < shelves_.size(); ++i) {
    const std::string place = base + "/" + std::to_string(i);
    steps_.directory(place);
    steps_.bind(shelves_[i], place);
  }
  steps_.mount("cover", base, "tmpfs", kNoSuid | kNoDev | MS_RDONLY, "mode=000,size=4k");
}

std::expected<void, std::string> Sandbox::admit(pid_t pid) {
  if (group_ && !group_->admit(pid)) return std::unexpected(std::string("the worker cannot enter its control group: ") + std::strerror(errno));
  if (plan_->flags_ == 0) return {};
  const std::string base = "/proc/" + std::to_string(pid);
  // Root prepares the cell as the host's root, because the views' folders are its own; nobody inside can become it again.
  const std::string map = std::to_string(kInnerId) + " " + std::to_string(outer_id_) + " 1" + (plan_->own_ids_ ? "\n0 0 1" : "");
  const auto put = [&](const char* name, const std::string& text) {
    const Fd file(open((base + name).c_str(), O_WRONLY | O_CLOEXEC));
    return file.get() >= 0 && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  if (!plan_->own_ids_ && !put("/setgroups", "deny")) return std::unexpected(std::string("setgroups of the worker: ") + std::strerror(errno));
  const std::string groups = plan_->own_ids_ ? map : std::to_string(kInnerId) + " " + std::to_string(getegid()) + " 1";
  if (!put("/uid_map", map) || !put("/gid_map", groups)) return std::unexpected(std::string("the worker's user id cannot be mapped: ") + std::strerror(errno));
  return {};
}

Failure Sandbox::enter() const noexcept {
  if (plan_->flags_ == 0) return {};
  if (Failure failed = plan_->steps_.run(); failed.step >= 0) return failed;
  shut_capabilities();
  if (plan_->own_ids_ && syscall(SYS_setgroups, 0, nullptr) != 0) return {kIds, errno};
  if (syscall(SYS_setresgid, kInnerId, kInnerId, kInnerId) != 0 || syscall(SYS_setresuid, kInnerId, kInnerId, kInnerId) != 0) return {kIds, errno};
  if (!drop_capabilities()) return {kCapabilities, errno};
  // The change of ids marked the memory, which is the parent's until exec, as not to be looked at.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return {};
}

bool Sandbox::confine(int& connects) const noexcept {
  if (plan_->shows_own_proc_ && !landlock_allow_own_proc(plan_->landlock_.get())) return false;
  if (plan_->landlock_.get() >= 0 && !landlock_restrict(plan_->landlock_.get())) return false;
  if (!plan_->filter_) return true;
  return plan_->watch_connects_ ? seccomp_install_watching(*plan_->filter_, connects) : seccomp_install(*plan_->filter_);
}

std::string Sandbox::describe(const Failure& failure) const {
  if (failure.step == kIds) return std::string("take the worker's user id: ") + std::strerror(failure.cause);
  if (failure.step == kCapabilities) return std::string("drop capabilities: ") + std::strerror(failure.cause);
  return plan_->steps_.describe(failure);
}

std::expected<void, std::string> Sandbox::show(int pidfd, const std::vector<View>& views, std::uint64_t tmp_bytes_max) const {
  if (!isolated()) return std::unexpected("nothing can be shown to a worker without a mount namespace");
  Steps steps;
  steps.unmount(kShelves);  // the cover
  for (const View& view : views) {
    std::string inside;
    for (std::size_t i = 0; i < plan_->shelves_.size() && inside.empty(); ++i) {
      if (view.source.starts_with(plan_->shelves_[i] + "/")) inside = kShelves + ("/" + std::to_string(i)) + view.source.substr(plan_->shelves_[i].size());
    }
    if (inside.empty()) return std::unexpected(view.source + " stands on none of the worker's shelves");
    steps.bind(inside, view.target);
    steps.attributes(view.target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (view.writable ? 0 : MOUNT_ATTR_RDONLY));
  }
  steps.unmount(kShelves);
  if (tmp_bytes_max != 0) steps.mount("tmp", "/tmp", "tmpfs", MS_REMOUNT | kNoSuid | kNoDev, "size=" + std::to_string(tmp_bytes_max));
  Failure failed;
  auto work = [&]() noexcept {
    if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) != 0) failed = {kIds, errno};
    else failed = steps.run();
  };
  if (!run_in_child(0, work)) return std::unexpected(std::string("clone: ") + std::strerror(errno));
  if (failed.step == kIds) return std::unexpected(std::string("the worker's namespaces cannot be entered: ") + std::strerror(failed.cause));
  if (failed.step >= 0) return std::unexpected(steps.describe(failed));
  return {};
}

}  // namespace parvis::sandbox
