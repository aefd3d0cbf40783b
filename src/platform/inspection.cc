#include "platform/inspection.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace parvis::platform {
namespace fs = std::filesystem;
namespace {

constexpr unsigned kPortsTried = 100;

}  // namespace

bool means_function(std::string_view asked, std::string_view function) {
  if (asked == function) return true;
  // Names of a stack: stack-LogicalId-SUFFIX, of which the longer parts may be cut (aws::ResourceRequest::generated_name).
  const auto last = function.rfind('-');
  if (last == std::string_view::npos) return false;
  const std::string_view front = function.substr(0, last);
  const auto hyphen = front.rfind('-');
  return hyphen != std::string_view::npos && front.substr(hyphen + 1) == asked;
}

fs::path find_debugpy(const fs::path& project) {
  std::vector<fs::path> places{project / ".venv", project / "venv"};
  if (const char* active = std::getenv("VIRTUAL_ENV")) places.insert(places.begin(), active);
  std::error_code ignored;
  for (const fs::path& place : places) {
    for (const auto& entry : fs::directory_iterator(place / "lib", ignored)) {
      const fs::path package = entry.path() / "site-packages/debugpy";
      if (entry.path().filename().string().starts_with("python3") && fs::exists(package / "__init__.py", ignored)) return fs::canonical(package, ignored);
    }
  }
  return {};
}

bool Inspection::wanted(const std::string& function) const {
  return settings_.functions.empty() || std::ranges::any_of(settings_.functions, [&](const std::string& asked) { return means_function(asked, function); });
}

std::optional<functions::DebugOptions> Inspection::engine_options() {
  if (!settings_.on) return std::nullopt;
  functions::DebugOptions debug;
  debug.wanted = [this](const std::string& function) { return wanted(function); };
  debug.wait = settings_.wait;
  debug.debugpy_dir = find_debugpy(settings_.project).string();
  debug.on_attached = [this](const std::string& function, bool attached) {
    events_.publish("debugger", {{"function", function}, {"status", attached ? "attached" : "detached"}});
  };
  return debug;
}

void Inspection::serve(functions::Engine& engine, std::vector<ServedDebugger> functions) {
  if (!settings_.on) return;
  const auto warn = [this](std::string message) { events_.publish("warning", {{"message", std::move(message)}}); };
  for (const std::string& asked : settings_.functions) {
    if (std::ranges::any_of(functions, [&](const auto& one) { return means_function(asked, one.function); })) continue;
    std::vector<std::string> names;
    for (const auto& one : functions) names.push_back(one.function);
    warn(fmt::format("--inspect={}: there is no such function; there are {}", asked, fmt::join(names, ", ")));
  }
  const std::lock_guard lock(mutex_);
  if (next_port_ == 0) next_port_ = settings_.port;
  for (ServedDebugger& function : functions) {
    if (!wanted(function.function) || std::ranges::find(served_, function.function, &ServedDebugger::function) != served_.end()) continue;
    if (!function.runtime.starts_with("nodejs") && !function.runtime.starts_with("python")) {
      if (!settings_.functions.empty()) warn(fmt::format("{}: debuggers attach to nodejs and python functions, not to {}", function.function, function.runtime));
      continue;
    }
    std::string why;
    for (unsigned tried = 0; tried < kPortsTried && function.port == 0; ++tried, ++next_port_) {
      const auto opened = engine.open_debug_port(function.function, next_port_);
      if (opened) function.port = next_port_;
      else why = opened.error();
    }
    if (function.port != 0) served_.push_back(std::move(function));
    else warn(fmt::format("{}: no port for its debugger: {}", function.function, why));
  }
}

std::vector<ServedDebugger> Inspection::served() const {
  const std::lock_guard lock(mutex_);
  return served_;
}

}  // namespace parvis::platform
