#include "cli/zip_folder.h"

#include <fstream>
#include <memory>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace parvis::cli {
namespace {
namespace fs = std::filesystem;

constexpr std::time_t kTime = 315'619'200;  // 1980-01-02, the first whole day that zip can say in every time zone

la_ssize_t append(archive*, void* text, const void* bytes, std::size_t size) {
  static_cast<std::string*>(text)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

std::expected<std::string, std::string> zip_folder(const fs::path& folder) {
  std::set<fs::path> files;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed))
    if (it->is_regular_file(failed)) files.insert(it->path());
  if (failed) return std::unexpected(fmt::format("{}: {}", folder.string(), failed.message()));
  std::string zip;
  const std::unique_ptr<archive, int (*)(archive*)> out(archive_write_new(), archive_write_free);
  archive_write_set_format_zip(out.get());
  archive_write_open2(out.get(), &zip, nullptr, append, nullptr, nullptr);
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string contents(std::istreambuf_iterator<char>(in), {});
    if (!in.is_open() || in.bad()) return std::unexpected(fmt::format("{}: cannot be read", file.string()));
    const bool executable = (fs::status(file, failed).permissions() & fs::perms::owner_exec) != fs::perms::none;
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_pathname(entry.get(), file.lexically_relative(folder).generic_string().c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), executable ? 0755 : 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(contents.size()));
    archive_entry_set_mtime(entry.get(), kTime, 0);
    if (archive_write_header(out.get(), entry.get()) != ARCHIVE_OK || archive_write_data(out.get(), contents.data(), contents.size()) < 0)
      return std::unexpected(fmt::format("{}: {}", file.string(), archive_error_string(out.get())));
  }
  if (archive_write_close(out.get()) != ARCHIVE_OK) return std::unexpected(fmt::format("{}: {}", folder.string(), archive_error_string(out.get())));
  return zip;
}

}  // namespace parvis::cli
