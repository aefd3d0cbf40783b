// platform/bundler.h: turns the local code of a template's functions into folders that workers can load.
//
// Layers are folders as they are. A function with `Metadata: BuildMethod: esbuild`, and any Node function whose handler stands in a .ts file, is bundled
// with esbuild; other code is served from its folder as it is. Finished bundles live under `out_dir` by content, so equal
// code keeps its folder (and its workers).
// Source: SAM Developer Guide, "Building Node.js Lambda functions with esbuild in AWS SAM".
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "functions/bundle.h"
#include "platform/source_stamps.h"
#include "templates/document.h"

namespace parvis::platform {

struct BundledTemplate {
  templates::Document document;                  // local code replaced by the bundles
  std::vector<templates::Diagnostic> errors;     // of the template and the sources
  std::vector<templates::Diagnostic> warnings;   // of the sources
  std::set<std::filesystem::path> inputs;        // every source that went in
  std::chrono::microseconds esbuild{0};          // what bundling itself took
  bool ok() const { return errors.empty(); }
};

// Keeps what it has learnt from one call to the next, which makes the bundling after an edit quick.
class TemplateBundler {  // one thread, which lives as long as calls are to come
 public:
  TemplateBundler(std::filesystem::path esbuild, std::filesystem::path out_dir);
  // From here on: source maps within bundles, which are not minified; with `in_place` code that is not bundled is not copied either.
  void for_debugging(bool in_place) { debugging_ = true, in_place_ = in_place; }
  // Blocking. Functions with the same sources and settings are bundled once, and those whose sources are unchanged not at all.
  BundledTemplate bundle(templates::Document document);

 private:
  friend class Bundler;
  struct Done {
    SourceStamps stamps;
    std::vector<std::string> inputs;
    std::vector<templates::Diagnostic> warnings;
    std::filesystem::path folder;
  };
  functions::Esbuild esbuild_;
  std::filesystem::path out_dir_;
  bool debugging_ = false, in_place_ = false;
  std::map<std::string, Done> done_;  // by settings; of the last call
};

}  // namespace parvis::platform
