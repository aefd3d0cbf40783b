#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "functions/engine.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;

struct BundleTest : testing::Test {
  BundleTest() {
    std::string name = (fs::temp_directory_path() / "parvis-bundle-XXXXXX").string();
    folder = mkdtemp(name.data());
    options.esbuild_path = std::getenv("PARVIS_ESBUILD") ? std::getenv("PARVIS_ESBUILD") : PARVIS_TEST_ESBUILD;
    options.source_dir = folder / "src";
    options.out_dir = folder / "out";
    fs::create_directories(folder / "src/lib");
  }
  ~BundleTest() override { fs::remove_all(folder); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder / "src" / name) << text; }
  fs::path folder;
  BundleOptions options;
};

TEST_F(BundleTest, BundlesTypeScriptAndNamesItsInputs) {
  write("lib/greet.ts", "export const greet = (name: string): string => `hello ${name}`;\n");
  write("app.ts", "import { greet } from './lib/greet';\nexport const handler = async (e: { name: string }) => greet(e.name);\n");
  options.entry_points = {"app.ts"};
  const BundleResult result = bundle(options);
  ASSERT_TRUE(result.ok) << result.errors;
  EXPECT_TRUE(fs::exists(folder / "out/app.js"));
  EXPECT_TRUE(fs::exists(folder / "out/app.js.map"));
  EXPECT_THAT(result.inputs, testing::UnorderedElementsAre(EndsWith("/src/app.ts"), EndsWith("/src/lib/greet.ts")));
}

TEST_F(BundleTest, ErrorsNameFileAndLine) {
  write("app.ts", "export const a = 1;\nimport './missing';\n");
  options.entry_points = {"app.ts"};
  const BundleResult result = bundle(options);
  EXPECT_FALSE(result.ok);
  EXPECT_THAT(result.errors, HasSubstr("app.ts:2:"));
  EXPECT_THAT(result.errors, HasSubstr("./missing"));
}

TEST_F(BundleTest, MissingBundlerIsNamed) {
  options.esbuild_path = "/nowhere/esbuild";
  options.entry_points = {"app.ts"};
  EXPECT_THAT(bundle(options).errors, HasSubstr("/nowhere/esbuild"));
}

}  // namespace
}  // namespace parvis::functions
