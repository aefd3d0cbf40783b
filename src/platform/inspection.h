// platform/inspection.h: `parvis dev --inspect`: which functions debuggers can attach to, and on which ports. A function keeps its port as
// long as the platform runs; a port that is taken is passed over.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "functions/engine.h"
#include "platform/event_stream.h"
#include "platform/options.h"
#include "platform/platform.h"

namespace parvis::platform {

class Inspection {  // thread-safe; `events` outlives it
 public:
  Inspection(Inspect settings, EventStream& events) : settings_(std::move(settings)), events_(events) {}
  std::optional<functions::DebugOptions> engine_options();  // nothing without --inspect
  // A function of --inspect=Function that is missing, and one whose runtime has no debugger, is a warning.
  void serve(functions::Engine& engine, std::vector<ServedDebugger> functions);
  std::vector<ServedDebugger> served() const;

 private:
  bool wanted(const std::string& function) const;
  const Inspect settings_;
  EventStream& events_;
  mutable std::mutex mutex_;
  std::vector<ServedDebugger> served_;  // open ports, in the order in which they were opened
  std::uint16_t next_port_ = 0;
};

// The folder of the package debugpy: of the active virtual environment, or of the project's (.venv, venv). Empty: none.
std::filesystem::path find_debugpy(const std::filesystem::path& project);

// Whether `function` is what `asked` means: its name, or the logical id in the name that a stack gives it.
bool means_function(std::string_view asked, std::string_view function);

}  // namespace parvis::platform
