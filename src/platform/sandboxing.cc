#include "platform/sandboxing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "platform/platform.h"

namespace parvis::platform {

std::optional<functions::SandboxOptions> sandbox_options(const Options& options) {
  if (options.sandbox == Sandbox::kOff) return std::nullopt;
  functions::SandboxOptions sandbox;
  const auto folder = [&](const char* name) {
    const std::filesystem::path path = options.data_dir / name;
    std::filesystem::create_directories(path);
    return path.string();
  };
  sandbox.empty_dir = folder("scratch/empty");
  // Packages by API, bundles of `parvis dev`, compiled code.
  sandbox.shelves = {folder("code"), folder("bundles"), folder("scratch/code-cache")};
  sandbox.facilities = parvis::sandbox::probe(sandbox.empty_dir);
  if (options.sandbox == Sandbox::kStrict && !sandbox.facilities.gaps.empty()) {
    throw StartError(fmt::format("--sandbox strict: this host cannot shut functions in completely:\n  {}\n--sandbox on runs all the same, with these gaps",
                                 fmt::join(sandbox.facilities.gaps, "\n  ")));
  }
  return sandbox;
}

}  // namespace parvis::platform
