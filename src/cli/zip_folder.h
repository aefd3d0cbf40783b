// cli/zip_folder.h: a folder as a zip file, the same bytes for the same contents. Blocking.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace parvis::cli {

// Files and links to files below `folder`, in order, with fixed times and their executable bits. The error names a file.
std::expected<std::string, std::string> zip_folder(const std::filesystem::path& folder);

}  // namespace parvis::cli
