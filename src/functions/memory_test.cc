#include "functions/memory.h"

#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHost = "MemTotal:       1000000 kB\nMemFree:          10000 kB\nMemAvailable:     400000 kB\n";

struct MemoryCase {
  const char* name;
  std::map<std::string, std::string> files;
  std::uint64_t total, available;  // KiB; 0: it is not known
};

class ReadMemory : public testing::TestWithParam<MemoryCase> {};

TEST_P(ReadMemory, SaysWhatIsLeft) {
  std::string root = (fs::temp_directory_path() / "parvis-memory-XXXXXX").string();
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  for (const auto& [path, text] : GetParam().files) {
    fs::create_directories(fs::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  const auto memory = read_memory(root);
  fs::remove_all(root);
  ASSERT_EQ(memory.has_value(), GetParam().total > 0);
  if (!memory) return;
  EXPECT_EQ(memory->total_bytes >> 10, GetParam().total);
  EXPECT_EQ(memory->available_bytes >> 10, GetParam().available);
}

INSTANTIATE_TEST_SUITE_P(Memory, ReadMemory, testing::Values(
    MemoryCase{"the_host", {{"/proc/meminfo", kHost}}, 1000000, 400000},
    MemoryCase{"nothing", {}, 0, 0},
    MemoryCase{"version_2_with_a_limit", {{"/proc/meminfo", kHost}, {"/proc/self/cgroup", "0::/a/b\n"}, {"/sys/fs/cgroup/a/b/memory.max", "204800000\n"},
               {"/sys/fs/cgroup/a/b/memory.current", "102400000\n"}, {"/sys/fs/cgroup/a/b/memory.stat", "anon 5\ninactive_file 51200000\n"}}, 200000, 150000},
    MemoryCase{"version_2_a_limit_above", {{"/proc/meminfo", kHost}, {"/proc/self/cgroup", "0::/a/b\n"}, {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
               {"/sys/fs/cgroup/a/memory.max", "204800000\n"}, {"/sys/fs/cgroup/a/memory.current", "204800000\n"}}, 200000, 0},
    MemoryCase{"version_2_in_a_container", {{"/proc/meminfo", kHost}, {"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/memory.max", "204800000\n"},
               {"/sys/fs/cgroup/memory.current", "102400000\n"}}, 200000, 100000},
    MemoryCase{"version_2_without_a_limit", {{"/proc/meminfo", kHost}, {"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "max\n"},
               {"/sys/fs/cgroup/a/memory.current", "102400000\n"}}, 1000000, 400000},
    MemoryCase{"version_1", {{"/proc/meminfo", kHost}, {"/proc/self/cgroup", "5:cpu:/x\n4:memory:/a\n0::/\n"}, {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "204800000\n"},
               {"/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "153600000\n"}, {"/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 51200000\n"}}, 200000, 100000},
    MemoryCase{"version_1_without_a_limit", {{"/proc/meminfo", kHost}, {"/proc/self/cgroup", "4:memory:/a\n"}, {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"},
               {"/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "153600000\n"}}, 1000000, 400000}),
    [](const auto& info) { return info.param.name; });

TEST(ReadMemoryHere, IsLessThanAll) {
  const auto memory = read_memory();
  ASSERT_TRUE(memory);
  EXPECT_GT(memory->available_bytes, 0u);
  EXPECT_LT(memory->available_bytes, memory->total_bytes);
}

}  // namespace
}  // namespace parvis::functions
