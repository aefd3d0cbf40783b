// platform/source_stamps.h: whether the sources of a bundle are as they were, without reading them.
//
// A bundle depends on the files that went into it, and on files that are not there: a new a.ts takes the place of a.js. So
// beside the time and size of each file, the names in the folders of the project's own files and in the node_modules above
// them are remembered, and the tsconfig and package.json files there. Packages themselves are known by their files.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace parvis::platform {

class SourceStamps {
 public:
  // `files`: absolute paths of all that went in. Looks upwards as far as `root`, or the whole way when a file is not below it.
  static SourceStamps take(const std::vector<std::string>& files, const std::filesystem::path& root);
  bool unchanged() const;
  // The settings that decide how the files are read: they are to be watched too.
  const std::set<std::filesystem::path>& settings() const { return settings_; }

 private:
  struct Stamp {
    std::int64_t time_ns = 0;
    std::uint64_t size_bytes = 0, inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::filesystem::path& path);
  std::map<std::filesystem::path, Stamp> files_;
  std::map<std::filesystem::path, std::string> names_;  // the sorted names in a folder
  std::set<std::filesystem::path> settings_;
};

}  // namespace parvis::platform
