// functions/cell.h: where one worker lives: its folder on the host, and the places that it is told of, as it sees them itself.
// With a sandbox they are Lambda's (/var/task, /opt, /var/runtime, /tmp), without one the host's own.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "functions/engine.h"
#include "functions/sandbox/sandbox.h"

namespace parvis::functions {

// The places that a worker is told of.
struct WorkerPlaces {
  std::string interpreter, client, sdk_dir, tmp_dir, directory, ca = {}, ca_bundle = {};
};

// What a worker runs, as paths of the host.
struct Program {
  enum class Kind { kClient, kBootstrap, kJava };  // an interpreter with our client; the function's own program; a Java with the client's jars
  std::string interpreter, client, sdk_dir = {};
  Kind kind = Kind::kClient;
  std::string cache_dir = {};  // for compiled code, when the function is known
  std::optional<Java> java = {};
};

class Cell {
 public:
  // `function`: what the worker will run, when that is known already; its code is there from the start then. Without a mount namespace it
  // must be known.
  static std::expected<std::unique_ptr<Cell>, std::string> make(const EngineOptions& options, const Program& program, unsigned number, const FunctionSpec* function);
  ~Cell();  // removes the folder; the worker has ended
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  const WorkerPlaces& places() const { return places_; }
  const std::shared_ptr<sandbox::Sandbox>& sandbox() const { return sandbox_; }
  bool isolated() const { return sandbox_ && sandbox_->isolated(); }  // its places are Lambda's
  // Whether the worker has a network of its own. Then open_network() has to be called while it waits in its namespaces, and
  // watch_connects() once it runs. `runtime_api`: where it has one.
  bool has_network() const { return network_ != nullptr; }
  std::expected<void, std::string> open_network(pid_t pid, network::ServeConnection runtime_api);
  void watch_connects(Fd connects);
  // Lets a running worker have its function: code and cache of compiled code become visible, limits take effect. Returns where
  // the worker finds them.
  struct FunctionPlaces { std::string code_dir, cache_dir; };
  std::expected<FunctionPlaces, std::string> take_in(int pidfd, const FunctionSpec& function, const std::string& cache_dir);
  // The kernel has ended something in the cell for want of memory.
  bool out_of_memory() const { return sandbox_ && sandbox_->out_of_memory(); }

 private:
  Cell() = default;

  std::string folder_;
  WorkerPlaces places_;
  std::shared_ptr<sandbox::Sandbox> sandbox_;
  std::shared_ptr<network::Host> network_;
  std::shared_ptr<network::Doors> doors_;
  bool caches_ = false, furnished_ = false;  // has a place for compiled code; its code is there from the start
};

// The variables that name folders of the host (code, layers, SDK), as the worker will see those.
void name_places_inside(const EngineOptions& options, const FunctionSpec& function, std::map<std::string, std::string>& environment);

// A program's places as its workers see them.
WorkerPlaces places_seen(const EngineOptions& options, const Program& program);

// Where a debugged Python worker finds the package debugpy: the folder that it stands in; empty: where Python looks itself.
std::string debugpy_seen(const EngineOptions& options);

// Whether a worker can wait in its cell before its function is known.
bool can_wait_generic(const EngineOptions& options);

}  // namespace parvis::functions
