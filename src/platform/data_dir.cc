#include "platform/data_dir.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/format.h>

#include "core/fd.h"
#include "core/file.h"
#include "platform/port_holder.h"

namespace parvis::platform {
namespace fs = std::filesystem;

std::expected<void, std::string> empty_data_dir(const fs::path& data_dir) {
  static constexpr std::array<std::string_view, 9> kOurs = {"store", "bundles", "code", "scratch", "authority", "seal-key", "session-key", "credentials", kEndpointFile};
  std::error_code failed;
  // The lock that the store takes; held until all is gone.
  const Fd lock(::open((data_dir / "store/LOCK").c_str(), O_RDONLY | O_CLOEXEC));
  if (lock.get() >= 0 && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    const std::string holder = read_file(data_dir / "store/LOCK");
    return std::unexpected(fmt::format("--fresh: the data directory {} is in use by process {}; stop it, or choose another directory", data_dir.string(), holder.substr(0, holder.find('\n'))));
  }
  for (const std::string_view name : kOurs) {
    fs::remove_all(data_dir / name, failed);
    if (failed) return std::unexpected(fmt::format("--fresh: {} cannot be removed: {}; name another folder with --data-dir", (data_dir / name).string(), failed.message()));
  }
  return {};
}

}  // namespace parvis::platform
