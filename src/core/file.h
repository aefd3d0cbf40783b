// core/file.h: small files as a whole.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace parvis {

// Its bytes; empty when it cannot be read.
std::string read_file(const std::filesystem::path& path);

// The file appears, or is replaced, whole and on disk, or not at all. The error: "path: cause".
std::expected<void, std::string> replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode);

}  // namespace parvis
