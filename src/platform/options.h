// platform/options.h: what the command line decides.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace parvis::platform {

enum class Sync { kRelaxed, kAlways };
enum class Sandbox { kOff, kOn, kStrict };  // strict: refuse to start where something cannot be enforced

enum class Network { kDefault, kNone, kPlatform, kOutbound, kHost };  // of functions; default: outbound with a sandbox, host without

// --inspect: which functions debuggers can attach to.
struct Inspect {
  bool on = false, wait = false;       // wait: environments load their function once a debugger is there
  std::vector<std::string> functions;  // logical ids or names; empty: all
  std::uint16_t port = 9229;           // of the first; the next free ones follow
  std::filesystem::path project;       // where debugpy is looked for
};

struct Options {
  std::filesystem::path data_dir;
  std::string address = "127.0.0.1";
  std::uint16_t port = 4566;         // AWS APIs and /_parvis/; 0: any free one
  std::uint16_t api_port = 3000;     // the first API of a template; the next ones follow. 0: any free ones
  Sync sync = Sync::kRelaxed;
  bool verify_signatures = false;    // serve
  Sandbox sandbox = Sandbox::kOff;
  Network function_network = Network::kDefault;
  std::string reset_refusal = "there is a reset only for `parvis dev --empty`";  // empty: POST /_parvis/reset empties all state
  bool limit_throughput = true;      // DynamoDB tables with provisioned capacity throttle
  std::vector<std::string> allowed_hosts;
  bool warm_functions = true;        // one environment of a function is loaded when it is deployed
  std::uint64_t warm_bytes = 0;      // memory that these may take together; 0: a quarter of what there is, 1 GiB at most
  Inspect inspect;                   // dev
  unsigned threads = 2;              // I/O threads
  std::size_t cache_mb = 128;        // of the store; with it and three write buffers the process stays under 256 MB
  std::filesystem::path tools_dir;   // node, esbuild and the AWS SDK: see script/setup
};

struct DevOptions {
  std::filesystem::path place;       // empty with `empty`
  bool empty = false, fresh = false, json = false, watch = true;
  bool types = true;                 // the project's own TypeScript compiler runs beside
  std::map<std::string, std::string> parameters;
  std::filesystem::path env_file;    // --env-file; empty: none
};

}  // namespace parvis::platform
