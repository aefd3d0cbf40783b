#include "platform/source_stamps.h"

#include <algorithm>

#include <sys/stat.h>

namespace parvis::platform {
namespace fs = std::filesystem;
namespace {

std::string names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  std::string out;
  for (const std::string& name : names) out += name + '/';
  return out;
}

bool is_of_a_package(const fs::path& path) { return std::ranges::find(path, fs::path("node_modules")) != path.end(); }

}  // namespace

SourceStamps::Stamp SourceStamps::stamp_of(const fs::path& path) {
  struct stat64 found {};
  if (stat64(path.c_str(), &found) != 0) return {};
  return {found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec, static_cast<std::uint64_t>(found.st_size), found.st_ino};
}

SourceStamps SourceStamps::take(const std::vector<std::string>& files, const fs::path& root) {
  SourceStamps out;
  std::set<fs::path> folders;
  for (const fs::path file : files) {
    out.files_[file] = stamp_of(file);
    if (is_of_a_package(file)) continue;
    for (fs::path folder = file.parent_path(); folders.insert(folder).second && folder != root && folder.has_relative_path();) folder = folder.parent_path();
  }
  for (const fs::path& folder : folders) {
    out.names_[folder] = names_in(folder);
    for (const char* below : {"node_modules", "node_modules/@types"})
      if (fs::is_directory(folder / below)) out.names_[folder / below] = names_in(folder / below);
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
      const std::string name = entry->path().filename().string();
      if (name != "package.json" && !(name.starts_with("tsconfig") && name.ends_with(".json"))) continue;
      out.settings_.insert(entry->path());
      out.files_[entry->path()] = stamp_of(entry->path());
    }
  }
  return out;
}

bool SourceStamps::unchanged() const {
  return std::ranges::all_of(files_, [](const auto& file) { return stamp_of(file.first) == file.second; }) &&
         std::ranges::all_of(names_, [](const auto& folder) { return names_in(folder.first) == folder.second; });
}

}  // namespace parvis::platform
