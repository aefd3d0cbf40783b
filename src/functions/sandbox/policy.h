// functions/sandbox/policy.h: what a worker may see and use, in plain values. Knows nothing of functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace parvis::sandbox {

// A file or folder of the host as the worker sees it. Read-only unless said.
struct View {
  std::string source, target;
  bool writable = false;
  bool operator==(const View&) const = default;
};

// A file with a text of its own; stands in the place of the system's of that name.
struct TextFile {
  std::string path, text;
  bool operator==(const TextFile&) const = default;
};

enum class Network {
  kHost,      // the host's interfaces: outbound calls work, and so do calls to what listens on the host
  kLoopback,  // an own, otherwise empty loopback interface: nothing is reachable but what listens inside (functions/network)
};

struct Policy {
  std::vector<View> views = {};           // there from the start; the system's programs and libraries need not be named
  std::vector<std::string> shelves = {};  // folders whose entries can be shown later (Sandbox::show) and are out of reach until then
  std::vector<TextFile> files = {};
  Network network = Network::kHost;
  bool watch_connects = false;               // each connect() waits until the holder of the descriptor from confine() has said go on
  std::uint64_t tmp_bytes_max = 512u << 20;  // of /tmp, which is private and empty
  unsigned processes_max = 1024;             // processes and threads. Source: Lambda quotas
  bool operator==(const Policy&) const = default;
};

// Limits that can change while the worker lives: a pre-booted one learns its function late.
struct Limits {
  std::uint64_t memory_bytes_max = 0;  // 0: none
  unsigned cpu_weight = 100;           // share of a busy processor, relative to the other workers'
};

}  // namespace parvis::sandbox
