// platform/esbuild_messages.h: reads what esbuild prints, so that a mistake in a source names file, line and column as a template's does.
// Source: esbuild's own terminal output (0.28), "✘ [ERROR] text", then "    file:line:column:" and an excerpt.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "templates/document.h"

namespace parvis::platform {

// One diagnostic per message; the excerpt stands behind its text. What is no message of a known form is left out.
std::vector<templates::Diagnostic> parse_esbuild_messages(std::string_view output, const std::filesystem::path& source_dir);

// The names that a bundle in CommonJS form exports, as esbuild annotates them for Node.js; nullopt: it does not say (the
// source is CommonJS itself).
std::optional<std::set<std::string>> exports_of_bundle(std::string_view javascript);

}  // namespace parvis::platform
