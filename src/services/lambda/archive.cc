#include "services/lambda/archive.h"

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace parvis::lambda {
namespace {

using Result = std::expected<std::uint64_t, UnpackError>;
struct ReaderDeleter { void operator()(archive* a) const { archive_read_free(a); } };
struct WriterDeleter { void operator()(archive* a) const { archive_write_free(a); } };
struct EntryDeleter { void operator()(archive_entry* e) const { archive_entry_free(e); } };

std::unexpected<UnpackError> fail(UnpackErrc code, std::string detail) { return std::unexpected(UnpackError{code, std::move(detail)}); }

// The path below the folder, or "" for one that would leave it.
std::string safe_path(std::string_view name, const UnpackLimits& limits) {
  if (name.empty() || name.size() > limits.path_bytes_max || name.front() == '/') return {};
  // A backslash is a separator to the Windows tools that write one, and a drive letter makes it absolute.
  if (name.find('\\') != std::string_view::npos || name.find('\0') != std::string_view::npos) return {};
  if (name.size() >= 2 && name[1] == ':') return {};
  std::string out;
  std::size_t depth = 0;
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t to = std::min(name.find('/', from), name.size());
    const std::string_view part = name.substr(from, to - from);
    from = to + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > 255 || ++depth > limits.depth_max) return {};
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

std::expected<void, UnpackError> write_file(archive* in, const std::string& path, mode_t mode, std::uint64_t bytes_max,
                                            std::uint64_t& total) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) {
    if (errno == EISDIR || errno == ENOTDIR) return fail(UnpackErrc::kUnsafe, "a file and a folder of one name");
    return fail(UnpackErrc::kIo, fmt::format("cannot write {}: {}", path, std::generic_category().message(errno)));
  }
  std::vector<char> buffer(64u << 10);
  std::expected<void, UnpackError> result;
  while (true) {
    const la_ssize_t got = archive_read_data(in, buffer.data(), buffer.size());
    if (got == 0) break;
    if (got < 0) { result = fail(UnpackErrc::kNotAZip, archive_error_string(in) ? archive_error_string(in) : "damaged entry"); break; }
    total += static_cast<std::uint64_t>(got);
    if (total > bytes_max) { result = fail(UnpackErrc::kTooLarge, "unpacked size"); break; }
    const char* from = buffer.data();
    for (std::size_t left = static_cast<std::size_t>(got); left > 0;) {
      const ssize_t wrote = ::write(fd, from, left);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) {
        ::close(fd);
        return fail(UnpackErrc::kIo, fmt::format("cannot write {}: {}", path, std::generic_category().message(errno)));
      }
      from += wrote;
      left -= static_cast<std::size_t>(wrote);
    }
  }
  ::close(fd);
  return result;
}

}  // namespace

Result unpack_zip(std::string_view zip, const std::string& folder, const UnpackLimits& limits) {
  // An archive without entries is its end record alone, which libarchive takes for no archive.
  if (zip.starts_with("PK\5\6")) return fail(UnpackErrc::kEmpty, "no file in it");
  std::unique_ptr<archive, ReaderDeleter> in(archive_read_new());
  archive_read_support_format_zip_seekable(in.get());
  if (archive_read_open_memory(in.get(), zip.data(), zip.size()) != ARCHIVE_OK) return fail(UnpackErrc::kNotAZip, "no zip file");
  std::uint64_t total = 0;
  std::size_t entries = 0, files = 0;
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) return fail(UnpackErrc::kNotAZip, archive_error_string(in.get()) ? archive_error_string(in.get()) : "no zip file");
    if (++entries > limits.entries_max) return fail(UnpackErrc::kTooLarge, "number of entries");
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw ? raw : "";
    const std::string path = safe_path(name, limits);
    if (path.empty()) {
      if (name == "./" || name == ".") continue;
      return fail(UnpackErrc::kUnsafe, "path " + name.substr(0, 200));
    }
    const auto type = archive_entry_filetype(entry);
    if (archive_entry_symlink(entry) || archive_entry_hardlink(entry) || (type != AE_IFREG && type != AE_IFDIR)) {
      return fail(UnpackErrc::kUnsafe, name.substr(0, 200) + " is a link or a special file");
    }
    const std::filesystem::path target = std::filesystem::path(folder) / path;
    std::error_code failed;
    std::filesystem::create_directories(type == AE_IFDIR ? target : target.parent_path(), failed);
    if (failed) {
      const bool clash = failed == std::errc::not_a_directory || failed == std::errc::file_exists;
      return fail(clash ? UnpackErrc::kUnsafe : UnpackErrc::kIo, fmt::format("{}: {}", path, failed.message()));
    }
    if (type == AE_IFDIR) continue;
    ++files;
    const mode_t mode = (archive_entry_perm(entry) & 0111) ? 0755 : 0644;
    if (auto written = write_file(in.get(), target.string(), mode, limits.bytes_max, total); !written) {
      return std::unexpected(std::move(written.error()));
    }
  }
  if (files == 0) return fail(UnpackErrc::kEmpty, "no file in it");
  return total;
}

std::string make_zip(const std::vector<std::pair<std::string, std::string_view>>& entries) {
  std::unique_ptr<archive, WriterDeleter> out(archive_write_new());
  archive_write_set_format_zip(out.get());
  std::size_t room = 4096;
  for (const auto& [name, contents] : entries) room += contents.size() + (contents.size() >> 6) + 4096;
  std::vector<char> buffer(room);
  std::size_t used = 0;
  bool ok = archive_write_open_memory(out.get(), buffer.data(), buffer.size(), &used) == ARCHIVE_OK;
  for (const auto& [name, contents] : entries) {
    std::unique_ptr<archive_entry, EntryDeleter> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(contents.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 315532800, 0);  // 1980, the zip format's zero
    ok = ok && archive_write_header(out.get(), entry.get()) == ARCHIVE_OK &&
        archive_write_data(out.get(), contents.data(), contents.size()) == static_cast<la_ssize_t>(contents.size());
  }
  if (!ok || archive_write_close(out.get()) != ARCHIVE_OK) throw std::runtime_error("cannot make a zip file");
  return {buffer.data(), used};
}

std::string make_zip(std::string_view name, std::string_view contents) { return make_zip({{std::string(name), contents}}); }

}  // namespace parvis::lambda
