// functions/memory.h: how much memory this process and its children may still take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace parvis::functions {

struct Memory {
  std::uint64_t total_bytes = 0, available_bytes = 0;
};

// What the host has, or less where a control group (version 1 or 2) of this process allows less; pages of files that can be dropped
// count as available. Asked for every two seconds: pressure stall information would tell only once something waits, and is not
// everywhere. nullopt: the host does not say. `root` stands in for "/" in tests.
// Source: proc(5), MemAvailable; the kernel's Admin Guide, "Control Group v2" (memory.max, memory.current, memory.stat), "Memory Resource Controller".
std::optional<Memory> read_memory(const std::string& root = {});

}  // namespace parvis::functions
