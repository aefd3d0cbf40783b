#include "functions/sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace parvis::sandbox {
namespace {

// The headers of Debian 12 end at ABI 2; the kernel takes the longer form and says how much of it it knows.
struct Attributes {
  std::uint64_t files, network, scoped;
};
constexpr std::uint64_t kTruncate = 1ull << 14, kDeviceControl = 1ull << 15;  // ABI 3, 5
constexpr std::uint64_t kScopeAbstractSockets = 1, kScopeSignals = 2;         // ABI 6

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;

std::uint64_t handled_files(int abi) {
  std::uint64_t all = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;
  if (abi >= 2) all |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) all |= kTruncate;
  if (abi >= 5) all |= kDeviceControl;
  return all;
}

std::string failure(const std::string& what) { return "Landlock: " + what + ": " + std::strerror(errno); }

}  // namespace

int landlock_abi() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

std::expected<Fd, std::string> landlock_rules(const std::vector<View>* views) {
  const int abi = landlock_abi();
  Attributes attributes{.files = views && abi > 0 ? handled_files(abi) : 0, .network = 0, .scoped = abi >= 6 ? kScopeAbstractSockets | kScopeSignals : 0};
  if (attributes.files == 0 && attributes.scoped == 0) return Fd();
  const std::size_t size = abi >= 6 ? sizeof attributes : sizeof attributes.files;
  Fd rules(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (rules.get() < 0) return std::unexpected(failure("no ruleset"));
  if (!views) return rules;
  for (const View& view : *views) {
    const Fd place(open(view.source.c_str(), O_PATH | O_CLOEXEC));
    if (place.get() < 0) return std::unexpected(failure("cannot open " + view.source));
    struct stat info{};
    fstat(place.get(), &info);
    std::uint64_t allowed = view.writable ? attributes.files : kRead;
    if (!S_ISDIR(info.st_mode)) allowed &= kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | (attributes.files & (kTruncate | kDeviceControl));
    const landlock_path_beneath_attr rule{.allowed_access = allowed & attributes.files, .parent_fd = place.get()};
    if (syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) return std::unexpected(failure("rule for " + view.source));
  }
  return rules;
}

bool landlock_allow_own_proc(int ruleset_fd) noexcept {
  const int place = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) return errno == ENOENT;  // no /proc here
  const landlock_path_beneath_attr rule{.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, .parent_fd = place};
  const bool done = syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  close(place);
  return done;
}

bool landlock_restrict(int ruleset_fd) noexcept { return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0; }

}  // namespace parvis::sandbox
