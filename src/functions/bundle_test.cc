#include "functions/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include <boost/json/serialize.hpp>

#include "functions/esbuild_packet.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

struct BundleTest : testing::Test {
  BundleTest() {
    std::string name = (fs::temp_directory_path() / "parvis-bundle-XXXXXX").string();
    folder = mkdtemp(name.data());
    options.source_dir = folder / "src";
    options.out_dir = folder / "out";
    options.entry_points = {"app.ts"};
    fs::create_directories(folder / "src/lib");
  }
  ~BundleTest() override { fs::remove_all(folder); }
  static std::string path() { return std::getenv("PARVIS_ESBUILD") ? std::getenv("PARVIS_ESBUILD") : PARVIS_TEST_ESBUILD; }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder / "src" / name) << text; }
  std::string built(const BundleOptions& what) {
    const BundleResult result = esbuild.bundle(what);
    EXPECT_TRUE(result.ok) << (result.errors.empty() ? "" : result.errors[0].text);
    return result.files.empty() ? "" : result.files.back().second;
  }
  fs::path folder;
  BundleOptions options;
  Esbuild esbuild{path(), 2};
};

TEST_F(BundleTest, BundlesTypeScriptAndNamesItsInputs) {
  write("lib/greet.ts", "export const greet = (name: string): string => `hello ${name}`;\n");
  write("app.ts", "import { greet } from './lib/greet';\nexport const handler = async (e: { name: string }) => greet(e.name);\n");
  const BundleResult result = esbuild.bundle(options);
  ASSERT_TRUE(result.ok) << result.errors[0].text;
  EXPECT_THAT(result.files, testing::UnorderedElementsAre(Pair("app.js", HasSubstr("hello ")), Pair("app.js.map", HasSubstr("../src/lib/greet.ts"))));
  EXPECT_THAT(result.inputs, testing::UnorderedElementsAre(EndsWith("/src/app.ts"), EndsWith("/src/lib/greet.ts")));
  EXPECT_EQ(write_files(result, folder / "out"), "");
  EXPECT_EQ(fs::file_size(folder / "out/app.js"), result.files[1].second.size());
}

TEST_F(BundleTest, EveryEditIsSeenByTheKeptContext) {
  write("lib/greet.ts", "export const word = 'first';\n");
  write("app.ts", "export { word } from './lib/greet';\n");
  EXPECT_THAT(built(options), HasSubstr("first"));
  write("lib/greet.ts", "export const word = 'second one';\n");
  EXPECT_THAT(built(options), HasSubstr("second one"));
  write("lib/greet.ts", "export const word = ;\n");
  EXPECT_FALSE(esbuild.bundle(options).ok);
  fs::remove(folder / "src/lib/greet.ts");
  EXPECT_THAT(esbuild.bundle(options).errors.at(0).text, HasSubstr("Could not resolve"));
  write("lib/greet.ts", "export const word = 'third';\n");
  EXPECT_THAT(built(options), HasSubstr("third"));
}

TEST_F(BundleTest, MoreSettingsThanContextsAndARest) {
  write("app.ts", "export const mode: string = MODE;\n");
  for (const int round : {1, 2}) {
    for (const char* mode : {"one", "two", "three", "four"}) {
      options.define = {std::string("MODE=\"") + mode + "\""};
      EXPECT_THAT(built(options), HasSubstr(mode)) << round;
    }
    esbuild.rest();
  }
}

TEST_F(BundleTest, MessagesNameFileLineAndText) {
  write("app.ts", "export const a = 1;\nimport './missing';\n");
  const BundleResult result = esbuild.bundle(options);
  EXPECT_FALSE(result.ok);
  ASSERT_THAT(result.errors, SizeIs(1));
  const BundleMessage& error = result.errors[0];
  EXPECT_THAT(error.text, HasSubstr("./missing"));
  EXPECT_THAT(error.file, EndsWith("/src/app.ts"));
  EXPECT_EQ(std::pair(error.line, error.column), std::pair(2u, 8u));
  EXPECT_EQ(error.line_text, "import './missing';");
}

TEST_F(BundleTest, WarningsComeWithTheFiles) {
  write("app.ts", "export const a = (typeof window === 'undefinedd');\n");
  const BundleResult result = esbuild.bundle(options);
  EXPECT_TRUE(result.ok);
  ASSERT_THAT(result.warnings, SizeIs(1));
  EXPECT_THAT(result.warnings[0].text, HasSubstr("[impossible-typeof]"));
}

TEST_F(BundleTest, SettingsThatEsbuildRefusesAreAnError) {
  write("app.ts", "export const a = 1;\n");
  options.target = "es1492";
  EXPECT_THAT(esbuild.bundle(options).errors.at(0).text, HasSubstr("es1492"));
  options.target = "es2022";
  EXPECT_TRUE(esbuild.bundle(options).ok);
}

TEST_F(BundleTest, AProgramThatIsNotEsbuildIsNamed) {
  EXPECT_THAT(Esbuild("/nowhere/esbuild").bundle(options).errors.at(0).text, HasSubstr("/nowhere/esbuild"));
  EXPECT_THAT(Esbuild("/bin/true").bundle(options).errors.at(0).text, HasSubstr("has ended"));
  EXPECT_THAT(Esbuild("/bin/echo").bundle(options).errors.at(0).text, HasSubstr("esbuild"));
}

TEST(EsbuildPacket, SurvivesThereAndBackAndNoTruncation) {
  const EsbuildPacket packet{7, false, {{"text", "é"}, {"list", {1, -2, true, nullptr}}, {"nested", {{"a", boost::json::array()}}}}};
  const std::string bytes = encode(packet);
  const auto back = decode(std::string_view(bytes).substr(4));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, 7u);
  EXPECT_FALSE(back->is_request);
  EXPECT_EQ(back->value, packet.value);
  for (std::size_t size = 4; size < bytes.size(); ++size) EXPECT_FALSE(decode(std::string_view(bytes).substr(4, size - 4))) << size;
}

TEST(EsbuildPacket, AnyBytesAreAPacketOrNone) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 8 == 0 ? random() : random() % 7);
    decode(bytes);  // a sanitizer watches
  }
  std::string deep(5000, '\0');
  for (std::size_t at = 4; at + 5 <= deep.size(); at += 5) deep[at] = 5, deep[at + 1] = 1;
  EXPECT_FALSE(decode(deep));
}

}  // namespace
}  // namespace parvis::functions
