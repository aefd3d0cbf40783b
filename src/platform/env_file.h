// platform/env_file.h: `parvis dev --env-file`: values for the environment variables that a template's functions declare.
//
// Two forms, told apart by the first character. A .env file (NAME=value lines, # comments, quotes, `export`) gives each variable to every
// function that declares it, in its own Environment or in Globals. JSON in the form of `sam local --env-vars` gives them per logical id, and
// under "Parameters" to all. As in SAM, a variable that no function declares is not set, because on AWS it would not be there either;
// here it is a warning.
// Source: SAM Developer Guide, "sam local invoke", environment variable file.
#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "templates/document.h"

namespace parvis::platform {

struct EnvironmentFile {
  std::map<std::string, std::string> all;                                // of every function
  std::map<std::string, std::map<std::string, std::string>> functions;  // by logical id; these win
};

// Limits: 1 MiB. The error carries file and line.
std::expected<EnvironmentFile, templates::Diagnostic> parse_env_file(std::string_view text, const std::string& file);
// Blocking.
std::expected<EnvironmentFile, templates::Diagnostic> read_env_file(const std::filesystem::path& file);
// Puts the values into the functions of an untransformed template. Gives warnings: what was set nowhere.
std::vector<std::string> apply_env_file(const EnvironmentFile& file, templates::Document& document);

}  // namespace parvis::platform
