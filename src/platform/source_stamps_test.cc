#include "platform/source_stamps.h"

#include <cstdlib>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

namespace parvis::platform {
namespace {

namespace fs = std::filesystem;

struct Change {
  const char* name;
  std::function<void(const fs::path&)> edit;
  bool unchanged = false;
};

void write(const fs::path& path, const char* text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

class SourceStampsTest : public testing::TestWithParam<Change> {};

TEST_P(SourceStampsTest, SeeWhatABundleDependsOn) {
  std::string name = (fs::temp_directory_path() / "parvis-stamps-XXXXXX").string();
  const fs::path root = mkdtemp(name.data());
  write(root / "src/a.ts", "a");
  write(root / "src/deep/b.js", "b");
  write(root / "node_modules/x/index.js", "x");
  write(root / "node_modules/x/unused.js", "x");
  write(root / "tsconfig.base.json", "{}");
  const SourceStamps stamps = SourceStamps::take({root / "src/a.ts", root / "src/deep/b.js", root / "node_modules/x/index.js"}, root);
  EXPECT_TRUE(stamps.unchanged());
  EXPECT_EQ(stamps.settings(), std::set<fs::path>{root / "tsconfig.base.json"});
  GetParam().edit(root);
  EXPECT_EQ(stamps.unchanged(), GetParam().unchanged);
  fs::remove_all(root);
}

INSTANTIATE_TEST_SUITE_P(Edits, SourceStampsTest, testing::Values(
    Change{"source", [](const fs::path& at) { write(at / "src/a.ts", "ab"); }},
    Change{"same_size", [](const fs::path& at) { write(at / "src/new", "c"); fs::rename(at / "src/new", at / "src/a.ts"); }},
    Change{"removed", [](const fs::path& at) { fs::remove(at / "src/deep/b.js"); }},
    Change{"takes_its_place", [](const fs::path& at) { write(at / "src/deep/b.ts", "b"); }},
    Change{"package_file", [](const fs::path& at) { write(at / "node_modules/x/index.js", "xy"); }},
    Change{"new_package", [](const fs::path& at) { write(at / "node_modules/y/index.js", "y"); }},
    Change{"nearer_packages", [](const fs::path& at) { write(at / "src/node_modules/x/index.js", "y"); }},
    Change{"settings", [](const fs::path& at) { write(at / "tsconfig.base.json", "{ }"); }},
    Change{"new_settings", [](const fs::path& at) { write(at / "src/tsconfig.json", "{}"); }},
    Change{"unused_package_file", [](const fs::path& at) { write(at / "node_modules/x/unused.js", "new"); }, true},
    Change{"elsewhere", [](const fs::path& at) { write(at / "node_modules/x/other/file", "new"); }, true}), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::platform
