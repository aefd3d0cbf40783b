// platform/data_dir.h: what `--fresh` may remove.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace parvis::platform {

// Removes what a platform keeps in its data directory, and nothing else that stands there. The error, a line for the user: a platform
// runs on it, or it cannot be removed. Of a folder that does not exist: nothing to do.
std::expected<void, std::string> empty_data_dir(const std::filesystem::path& data_dir);

}  // namespace parvis::platform
