#include "core/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/fd.h"

namespace parvis {

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return {};  // it opens, and reading throws
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::expected<void, std::string> replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode) {
  const auto failed = [](const std::filesystem::path& what) { return std::unexpected(what.string() + ": " + std::strerror(errno)); };
  const std::filesystem::path beside = path.string() + ".new";
  std::error_code ignored;
  std::filesystem::remove(beside, ignored);  // of one that was cut off
  const Fd out(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (out.get() < 0 || write(out.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || fsync(out.get()) != 0) return failed(beside);
  if (rename(beside.c_str(), path.c_str()) != 0) return failed(path);
  const Fd folder(open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) return failed(path.parent_path());
  return {};
}

}  // namespace parvis
