#include "storage/rocksdb/directory.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include "core/hash.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {

constexpr int kFormat = 1;
constexpr std::string_view kFormatPrefix = "parvis-store ";
constexpr std::string_view kMarkMagic = "PVSMARK1";
constexpr std::size_t kMarkBytes = 20;
constexpr off_t kSlotBytes = 4096;

std::unexpected<std::string> failed(const std::filesystem::path& path, std::string_view doing) {
  return std::unexpected(fmt::format("{}: {}: {}", path.string(), doing, std::strerror(errno)));
}

std::string read_small(int fd) {
  char buffer[256];
  const ssize_t count = ::pread(fd, buffer, sizeof buffer, 0);
  return std::string(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
}

std::string holder_name(const std::string& lock_text) {
  const std::string pid = lock_text.substr(0, lock_text.find('\n'));
  if (pid.empty() || pid.find_first_not_of("0123456789") != pid.npos) return "another process";
  std::string name;
  std::getline(std::ifstream("/proc/" + pid + "/comm"), name);
  return name.empty() ? fmt::format("process {}", pid) : fmt::format("process {} ({})", pid, name);
}

std::expected<FileDescriptor, std::string> take_lock(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / "LOCK";
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return failed(path, "cannot open");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed(path, "cannot lock");
    return std::unexpected(fmt::format("the data directory {} is in use by {}; stop it, or choose another directory",
                                       dir.string(), holder_name(read_small(file.get()))));
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), text.data(), text.size(), 0) < 0) {
    return failed(path, "cannot write");
  }
  return file;
}

// True: this format; false: there is no FORMAT file.
std::expected<bool, std::string> check_format(const std::filesystem::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return false;
    return failed(path, "cannot open");
  }
  const std::string text = read_small(file.get());
  int format = 0;
  if (!text.starts_with(kFormatPrefix) || std::sscanf(text.c_str() + kFormatPrefix.size(), "%d", &format) != 1 || format < 1) {
    return std::unexpected(fmt::format("{}: is not a format file of this platform", path.string()));
  }
  if (format > kFormat) {
    return std::unexpected(fmt::format("{}: the data has format {}, this version reads up to {}; use a newer version",
                                       path.string(), format, kFormat));
  }
  return true;
}

std::optional<Stamp> read_slot(int fd, unsigned slot) {
  char buffer[kMarkBytes];
  if (::pread(fd, buffer, kMarkBytes, slot * kSlotBytes) != static_cast<ssize_t>(kMarkBytes)) return std::nullopt;
  const std::string_view text(buffer, kMarkBytes);
  if (!text.starts_with(kMarkMagic)) return std::nullopt;
  std::uint32_t crc;
  std::memcpy(&crc, buffer + 16, sizeof crc);
  if (crc != crc32c(text.substr(0, 16))) return std::nullopt;
  return load_u64(text.substr(8));
}

void sync_directory(const std::filesystem::path& dir) {
  const FileDescriptor handle(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() >= 0) ::fsync(handle.get());
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<DurableMark, std::string> DurableMark::open(const std::filesystem::path& path, bool create) {
  DurableMark mark;
  mark.file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600));
  if (mark.file_.get() < 0) return failed(path, "cannot open the durable mark");
  const auto first = read_slot(mark.file_.get(), 0), second = read_slot(mark.file_.get(), 1);
  if (first || second) {
    mark.stamp_ = std::max(first.value_or(0), second.value_or(0));
    // The slot that does not hold the mark is the next to be written.
    mark.slot_ = second && *second == mark.stamp_ ? 0 : 1;
    return mark;
  }
  if (!create) return std::unexpected(fmt::format("{}: the durable mark is damaged", path.string()));
  mark.dirty_ = true;
  mark.advance(0);
  mark.sync();
  sync_directory(path.parent_path());
  return mark;
}

void DurableMark::advance(Stamp stamp) {
  std::string text(kMarkMagic);
  append_u64(text, stamp);
  const std::uint32_t crc = crc32c(text);
  text.append(reinterpret_cast<const char*>(&crc), sizeof crc);
  // A mark that could not be written is only an older mark; the commit itself is synced.
  if (::pwrite(file_.get(), text.data(), text.size(), slot_ * kSlotBytes) < 0) return;
  slot_ ^= 1;
  stamp_ = stamp;
  dirty_ = true;
}

void DurableMark::sync() {
  if (std::exchange(dirty_, false)) ::fdatasync(file_.get());
}

std::expected<DataDirectory, std::string> DataDirectory::open(const std::filesystem::path& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return std::unexpected(fmt::format("{}: cannot create: {}", dir.string(), error.message()));
  DataDirectory opened;
  opened.dir_ = dir;
  auto lock = take_lock(dir);
  if (!lock) return std::unexpected(lock.error());
  opened.lock_ = std::move(*lock);
  const auto known = check_format(opened.format_path());
  if (!known) return std::unexpected(known.error());
  opened.is_new_ = !*known;
  auto mark = DurableMark::open(dir / "DURABLE", opened.is_new_);
  if (!mark) return std::unexpected(mark.error());
  opened.mark_ = std::move(*mark);
  return opened;
}

std::expected<void, std::string> DataDirectory::finish_creation() {
  const FileDescriptor file(::open(format_path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string text = fmt::format("{}{}\n", kFormatPrefix, kFormat);
  if (file.get() < 0 || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0) {
    return failed(format_path(), "cannot write");
  }
  sync_directory(dir_);
  is_new_ = false;
  return {};
}

}  // namespace parvis::storage
