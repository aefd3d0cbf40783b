// Which interpreter runs a function, and how its workers start.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "functions/engine_impl.h"
#include "functions/launch.h"
#include "functions/node_client.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;

// Writes a client to the scratch folder. Its name carries its hash. Empty: that failed.
std::string write_client(const std::string& scratch_dir, std::string_view name, std::string_view ending, std::string_view text) {
  const std::string path = fmt::format("{}/{}-{}{}", scratch_dir, name, hex_encode(sha256(text)).substr(0, 16), ending);
  std::error_code error;
  if (fs::file_size(path, error) == text.size() && !error) return path;
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  return fs::file_size(path, error) == text.size() && !error ? path : std::string();
}

// The interpreter of a Node.js runtime: its own major version when it is installed, else the one that is there.
std::string node_of(const EngineOptions& options, const std::string& name) {
  const auto found = options.node_majors.find(static_cast<unsigned>(std::atoi(name.c_str() + 6)));
  if (found != options.node_majors.end() && access(found->second.c_str(), X_OK) == 0) return found->second;
  return options.node_path;
}

}  // namespace

std::expected<std::shared_ptr<Runtime>, std::string> Engine::Impl::runtime_of(const std::string& name) {
  if (const auto known = runtime_names.find(name); known != runtime_names.end()) return known->second;
  Runtime made{.name = name};
  if (name.starts_with("nodejs")) {
    made.kind = Runtime::Kind::kNode;
    made.interpreter = node_of(options, name);
    if (made.interpreter == options.node_path && !options.node_majors.empty() && !options.node_majors.contains(static_cast<unsigned>(std::atoi(name.c_str() + 6))))
      spdlog::warn("{} runs on {}: its own major version is not installed (script/setup --runtimes)", name, made.interpreter);
  } else if (name.starts_with("python3")) {
    made.kind = Runtime::Kind::kPython;
    made.interpreter = options.python_path;
    if (made.interpreter.empty() || access(made.interpreter.c_str(), X_OK) != 0)
      return std::unexpected("the runtime " + name + " needs Python: install python3, or run script/setup --runtimes");
  } else if (name.starts_with("provided")) {
    made.kind = Runtime::Kind::kHttp;
    made.interpreter = "bootstrap";
  } else if (name.starts_with("java")) {
    const auto java = java_of(options.javas, name);
    if (!java) return std::unexpected(java.error());
    if (const auto there = check_java_client(options.java_client_dir); !there) return std::unexpected(there.error());
    made.kind = Runtime::Kind::kJava;
    made.java = *java;
    made.interpreter = java->home + "/bin/java";
    made.client = options.java_client_dir;
    if (!name.starts_with(fmt::format("java{}", java->major))) spdlog::info("{} runs on Java {} ({})", name, java->major, java->home);
  } else {
    return std::unexpected("the runtime " + name + " is not supported: nodejs, python3, java and provided are");
  }
  auto& runtime = runtimes[made.interpreter];
  if (!runtime) {
    if (setup_error.empty() && !made.speaks_http()) {
      made.client = made.kind == Runtime::Kind::kNode ? write_client(options.scratch_dir, "node-client", ".cjs", kNodeClient)
                                                      : write_client(options.scratch_dir, "python-client", ".py", kPythonClient);
      if (made.client.empty()) setup_error = "cannot write the runtime client to " + options.scratch_dir;
    }
    runtime = std::make_shared<Runtime>(std::move(made));
  }
  runtime->wanted = !runtime->speaks_http() || (runtime->kind == Runtime::Kind::kHttp && options.sandbox && options.sandbox->facilities.namespaces && access(kStarter, X_OK) == 0);
  runtime_names[name] = runtime;
  return runtime;
}

}  // namespace parvis::functions
