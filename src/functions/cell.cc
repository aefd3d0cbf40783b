#include "functions/cell.h"

#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>

#include "functions/launch.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;

// Lambda's places. Source: Lambda Developer Guide, "Lambda runtime environment" and "Packaging layers".
constexpr const char* kTask = "/var/task";
constexpr const char* kLayers = "/opt";
constexpr const char* kPrograms = "/var/lang/bin/";
constexpr const char* kRuntime = "/var/runtime/";
constexpr const char* kNodeSdk = "/var/runtime/node_modules";
constexpr const char* kPythonSdk = "/var/runtime/python";
constexpr const char* kDebugger = "/var/runtime/debugger";
constexpr const char* kLanguage = "/var/lang";
constexpr const char* kJavaClient = "/var/runtime/lib";
constexpr const char* kCache = "/var/cache/code";
constexpr const char* kAuthority = "/var/runtime/ca.pem";
constexpr const char* kBundle = "/var/runtime/ca-bundle.pem";
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";  // where programs look that know no variable for it

constexpr unsigned kTmpMb = 512;  // before the function is known
// A function with this much memory has the power of one processor; the smallest are not starved as hard as on Lambda.
// Source: Lambda Developer Guide, "Configure Lambda function memory".
constexpr unsigned kMemoryOfOneProcessorMb = 1769, kCpuWeightMin = 20;

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The system's interpreters find their libraries from where they stand; those that came by npm stand alone.
Program inside(const Program& program) {
  if (program.kind == Program::Kind::kBootstrap) return {.interpreter = std::string(kTask) + "/bootstrap", .client = {}};
  if (program.kind == Program::Kind::kJava) return {.interpreter = std::string(kPrograms) + "java", .client = kJavaClient};
  return {.interpreter = program.interpreter.starts_with("/usr/") ? program.interpreter : kPrograms + file_name(program.interpreter), .client = kRuntime + file_name(program.client),
          .sdk_dir = program.sdk_dir.empty() ? "" : program.client.ends_with(".py") ? kPythonSdk : kNodeSdk};
}

bool debugs_python(const EngineOptions& options, const Program& program) { return options.debug && !options.debug->debugpy_dir.empty() && program.client.ends_with(".py"); }

sandbox::Policy namespace_policy(const EngineOptions& options, const Program& program, const FunctionSpec* function) {
  sandbox::Policy policy{.shelves = options.sandbox->shelves, .tmp_bytes_max = std::uint64_t{function ? function->tmp_mb : kTmpMb} << 20};
  if (const auto& host = options.sandbox->network) {
    policy.network = sandbox::Network::kLoopback;
    policy.files = host->files();
    policy.watch_connects = host->reach() == network::Reach::kOutbound;
  }
  if (!options.ca_path.empty()) policy.views.push_back({options.ca_path, kAuthority});
  if (!options.ca_bundle_path.empty()) policy.views.insert(policy.views.end(), {{options.ca_bundle_path, kBundle}, {options.ca_bundle_path, kSystemBundle}});
  if (program.kind == Program::Kind::kBootstrap && !function) return policy;  // waits for it
  if (function) {
    policy.shelves.clear();
    policy.views.push_back({function->code_dir, kTask});
    if (!function->layers_dir.empty()) policy.views.push_back({function->layers_dir, kLayers});
  }
  if (program.kind == Program::Kind::kBootstrap) return policy;
  if (program.java) {
    policy.views.insert(policy.views.end(), {{program.java->home, kLanguage}, {program.client, kJavaClient}});
    for (const std::string& path : java_files(*program.java)) policy.views.push_back({path, path});
    return policy;
  }
  if (function && debugs_python(options, program)) policy.views.push_back({options.debug->debugpy_dir, std::string(kDebugger) + "/debugpy"});
  const Program seen = inside(program);
  policy.views.push_back({program.client, seen.client});
  policy.views.push_back({function ? program.cache_dir : options.sandbox->empty_dir, kCache, function != nullptr});
  if (seen.interpreter != program.interpreter) policy.views.push_back({program.interpreter, seen.interpreter});
  if (!program.sdk_dir.empty()) policy.views.push_back({program.sdk_dir, seen.sdk_dir});
  return policy;
}

sandbox::Policy landlock_policy(const EngineOptions& options, const Program& program, const std::string& folder, const FunctionSpec* function) {
  sandbox::Policy policy{.views = {{folder, folder, true}}};
  for (const std::string& path : {options.ca_path, options.ca_bundle_path}) {
    if (!path.empty()) policy.views.push_back({path, path});
  }
  if (program.kind != Program::Kind::kBootstrap) policy.views.insert(policy.views.end(), {{program.interpreter, program.interpreter}, {program.client, program.client}});
  if (program.java) {
    policy.views.push_back({program.java->home, program.java->home});
    for (const std::string& path : java_files(*program.java)) policy.views.push_back({path, path});
  }
  if (!program.sdk_dir.empty()) policy.views.push_back({program.sdk_dir, program.sdk_dir});
  if (debugs_python(options, program)) policy.views.push_back({options.debug->debugpy_dir, options.debug->debugpy_dir});
  if (function) policy.views.push_back({function->code_dir, function->code_dir});
  if (function && !function->layers_dir.empty()) policy.views.push_back({function->layers_dir, function->layers_dir});
  return policy;
}

// A place for compiled code that the worker's own user id can write; only this function's workers ever see it.
bool make_cache(const std::string& folder, std::error_code& error) {
  fs::create_directories(folder, error);
  fs::permissions(folder, fs::perms::all, error);
  return !error;
}

}  // namespace

std::string debugpy_seen(const EngineOptions& options) {
  if (!options.debug || options.debug->debugpy_dir.empty()) return {};
  return options.sandbox && options.sandbox->facilities.namespaces ? kDebugger : fs::path(options.debug->debugpy_dir).parent_path().string();
}

bool can_wait_generic(const EngineOptions& options) { return !options.sandbox || options.sandbox->facilities.namespaces; }

void name_places_inside(const EngineOptions& options, const FunctionSpec& function, std::map<std::string, std::string>& environment) {
  if (!options.sandbox || !options.sandbox->facilities.namespaces || function.layers_dir.empty()) return;
  const std::pair<const std::string&, const char*> places[] = {{function.layers_dir, kLayers}, {function.code_dir, kTask}, {options.node_sdk_dir, kNodeSdk}};
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "NODE_PATH", "PYTHONPATH", "GEM_PATH", "RUBYLIB", "CLASSPATH"}) {
    const auto variable = environment.find(name);
    if (variable == environment.end()) continue;
    for (const auto& [outside, inside] : places) {
      if (outside.empty()) continue;
      for (std::size_t at = 0; (at = variable->second.find(outside, at)) != std::string::npos; at += std::string_view(inside).size()) {
        variable->second.replace(at, outside.size(), inside);
      }
    }
  }
}

WorkerPlaces places_seen(const EngineOptions& options, const Program& program) {
  const bool namespaces = options.sandbox && options.sandbox->facilities.namespaces;
  const Program seen = namespaces ? inside(program) : program;
  return {seen.interpreter, seen.client, seen.sdk_dir, {}, {}};
}

std::expected<std::unique_ptr<Cell>, std::string> Cell::make(const EngineOptions& options, const Program& program, unsigned number, const FunctionSpec* function) {
  std::unique_ptr<Cell> cell(new Cell);
  cell->folder_ = fmt::format("{}/worker-{}-{}", options.scratch_dir, getpid(), number);
  std::error_code error;
  fs::create_directories(cell->folder_ + "/tmp", error);
  if (error) return std::unexpected("cannot create " + cell->folder_ + ": " + error.message());
  cell->caches_ = program.kind == Program::Kind::kClient;
  const bool starts_in_code = function && program.kind != Program::Kind::kClient;
  cell->places_ = {program.interpreter, program.client, program.sdk_dir, cell->folder_ + "/tmp", starts_in_code ? function->code_dir : cell->folder_, options.ca_path, options.ca_bundle_path};
  if (!options.sandbox) return cell;
  const bool namespaces = options.sandbox->facilities.namespaces;
  cell->furnished_ = namespaces && function;
  if (cell->furnished_ && cell->caches_ && !make_cache(program.cache_dir, error)) return std::unexpected("cannot create " + program.cache_dir + ": " + error.message());
  auto plan = options.sandbox->plans->of(namespaces ? namespace_policy(options, program, function) : landlock_policy(options, program, cell->folder_, function));
  if (!plan) return std::unexpected(plan.error());
  auto made = sandbox::Sandbox::make(std::move(*plan), number);
  if (!made) return std::unexpected(made.error());
  cell->sandbox_ = std::move(*made);
  if (!namespaces) return cell;
  cell->network_ = options.sandbox->network;
  cell->places_ = {inside(program).interpreter, inside(program).client, inside(program).sdk_dir, "/tmp", kTask, options.ca_path.empty() ? "" : kAuthority, options.ca_bundle_path.empty() ? "" : kBundle};
  return cell;
}

std::expected<void, std::string> Cell::open_network(pid_t pid, network::ServeConnection runtime_api) {
  auto doors = network_->open(pid, std::move(runtime_api));
  if (!doors) return std::unexpected(doors.error());
  doors_ = std::move(*doors);
  return {};
}

void Cell::watch_connects(Fd connects) {
  if (doors_ && connects.get() >= 0) doors_->watch(std::move(connects));
}

Cell::~Cell() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::expected<Cell::FunctionPlaces, std::string> Cell::take_in(int pidfd, const FunctionSpec& function, const std::string& cache_dir) {
  if (!sandbox_) return FunctionPlaces{function.code_dir, cache_dir};
  // The group counts what lies in /tmp, which on Lambda is not part of the function's memory.
  if (!sandbox_->limit({.memory_bytes_max = std::uint64_t{function.memory_mb + function.tmp_mb} << 20, .cpu_weight = std::max(kCpuWeightMin, function.memory_mb * 100 / kMemoryOfOneProcessorMb)}))
    return std::unexpected("the limits of the worker's control group cannot be set");
  if (!sandbox_->isolated()) return FunctionPlaces{function.code_dir, ""};
  if (doors_ && function.reach) doors_->narrow(*function.reach);
  if (furnished_) return FunctionPlaces{kTask, caches_ ? kCache : ""};
  std::vector<sandbox::View> views{{function.code_dir, kTask}};
  if (caches_) {
    std::error_code error;
    if (!make_cache(cache_dir, error)) return std::unexpected("cannot create " + cache_dir + ": " + error.message());
    views.push_back({cache_dir, kCache, true});
  }
  if (!function.layers_dir.empty()) views.push_back({function.layers_dir, kLayers});
  if (auto shown = sandbox_->show(pidfd, views, function.tmp_mb == kTmpMb ? 0 : std::uint64_t{function.tmp_mb} << 20); !shown) return std::unexpected(shown.error());
  return FunctionPlaces{kTask, kCache};
}

}  // namespace parvis::functions
