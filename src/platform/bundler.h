// platform/bundler.h: turns the local code of a template's functions into folders that workers can load.
//
// Layers are folders as they are. A function with `Metadata: BuildMethod: esbuild`, and any Node function whose handler stands in a .ts file, is bundled
// with esbuild; other code is served from its folder as it is. Finished bundles live under `out_dir` by content, so equal
// code keeps its folder (and its workers).
// Source: SAM Developer Guide, "Building Node.js Lambda functions with esbuild in AWS SAM".
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "templates/document.h"

namespace parvis::platform {

struct BundlerOptions {
  std::filesystem::path esbuild, out_dir;
};

struct BundledTemplate {
  templates::Document document;                  // local code replaced by the bundles
  std::vector<templates::Diagnostic> errors;     // of the template and the sources
  std::vector<templates::Diagnostic> warnings;   // of the sources
  std::vector<std::string> bundle_errors;        // of esbuild itself, as it prints them
  std::set<std::filesystem::path> inputs;        // every source that went in
  bool ok() const { return errors.empty() && bundle_errors.empty(); }
};

// Blocking. Functions with the same sources and settings are bundled once.
BundledTemplate bundle_template(templates::Document document, const BundlerOptions& options);

}  // namespace parvis::platform
