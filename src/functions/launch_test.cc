#include "functions/launch.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct Launch : testing::Test {
  Launch() {
    std::string name = (fs::temp_directory_path() / "parvis-launch-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~Launch() override { fs::remove_all(folder); }
  fs::path java(const std::string& name, const std::string& version) {
    const fs::path home = folder / name;
    fs::create_directories(home / "bin");
    std::ofstream(home / "bin/java") << "#!/bin/sh\n";
    fs::permissions(home / "bin/java", fs::perms(0755));
    std::ofstream(home / "release") << "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" << version << "\"\n";
    return home;
  }
  fs::path folder;
};

TEST_F(Launch, JavasAreFoundByHomePathAndFolder) {
  const fs::path home = java("own/eleven", "11.0.2");
  const fs::path on_path = java("elsewhere/eight", "1.8.0_452");
  java("jvm/seventeen", "17.0.15");
  fs::create_directory_symlink(folder / "jvm/seventeen", folder / "jvm/default");
  fs::create_directories(folder / "jvm/docs");
  std::vector<std::string> found;
  for (const Java& each : find_javas(home.c_str(), ("/nowhere::" + (on_path / "bin").string()).c_str(), folder / "jvm")) found.push_back(std::to_string(each.major) + " " + fs::path(each.home).filename().string());
  EXPECT_THAT(found, ElementsAre("11 eleven", "8 eight", "17 seventeen"));
  EXPECT_TRUE(find_javas(nullptr, nullptr, "/nowhere").empty());
}

struct JavaCase {
  const char* name;
  const char* runtime;
  unsigned want;  // 0: none
  const char* error;
};
class JavaOf : public testing::TestWithParam<JavaCase> {};
TEST_P(JavaOf, IsTheOldestThatWillDo) {
  const std::vector<Java> there{{.major = 25, .home = "/jvm/25"}, {.major = 17, .home = "/jvm/17"}, {.major = 11, .home = "/jvm/11"}};
  const auto got = java_of(GetParam().want == 0 ? std::vector<Java>{{.major = 17, .home = "/jvm/17"}} : there, GetParam().runtime);
  if (GetParam().want != 0) {
    ASSERT_TRUE(got) << got.error();
    EXPECT_EQ(got->major, GetParam().want);
  } else {
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error(), HasSubstr(GetParam().error));
  }
}
INSTANTIATE_TEST_SUITE_P(Runtimes, JavaOf, testing::Values(
    JavaCase{"eight", "java8.al2", 11, ""}, JavaCase{"eleven", "java11", 11, ""}, JavaCase{"seventeen", "java17", 17, ""}, JavaCase{"twenty_one", "java21", 25, ""},
    JavaCase{"too_old", "java21", 0, "the runtime java21 needs Java 21 or later: install a JDK"}, JavaCase{"names_what_is_there", "java25", 0, "found: Java 17 in /jvm/17"}),
    [](const auto& info) { return info.param.name; });

TEST_F(Launch, JavaIsStartedAsOnLambda) {
  fs::create_directories(folder / "client");
  for (const char* name : {"b.jar", "aws-lambda-java-runtime-interface-client-1.jar", "notes.txt"}) std::ofstream(folder / "client" / name) << "";
  const FunctionSpec spec{.key = "k", .name = "f", .runtime = "java17", .handler = "a.B::c", .code_dir = "/code", .layers_dir = {}, .environment = {}, .memory_mb = 512};
  const auto all = java_arguments(spec, 17, "/var/lang/bin/java", "/var/runtime/lib", folder / "client", "");
  EXPECT_EQ(all.front(), "/var/lang/bin/java");
  EXPECT_THAT(all, testing::Contains("-XX:MaxHeapSize=445644k"));
  EXPECT_THAT(std::vector(all.end() - 4, all.end()), ElementsAre("-classpath", "/var/runtime/lib/aws-lambda-java-runtime-interface-client-1.jar:/var/runtime/lib/b.jar",
                                                                "com.amazonaws.services.lambda.runtime.api.client.AWSLambda", "a.B::c"));
  EXPECT_THAT(all, testing::Not(testing::Contains("--enable-native-access=ALL-UNNAMED")));
  EXPECT_THAT(java_arguments(spec, 25, "java", "c", folder / "client", "/layers"), testing::Contains("--enable-native-access=ALL-UNNAMED"));
  EXPECT_TRUE(check_java_client(folder / "client"));
  EXPECT_THAT(check_java_client(folder / "none").error(), HasSubstr("script/setup --runtimes"));
}

TEST(Wrapper, IsLookedForWhereTheFunctionIs) {
  FunctionSpec spec{.key = "k", .name = "f", .runtime = "nodejs22.x", .handler = "h", .code_dir = "/bundles/one", .layers_dir = "/layers/two", .environment = {{"AWS_LAMBDA_EXEC_WRAPPER", "/opt/start"}}};
  EXPECT_EQ(wrapper_of(spec, true), "/opt/start");
  EXPECT_EQ(wrapper_of(spec, false), "/layers/two/start");
  spec.environment["AWS_LAMBDA_EXEC_WRAPPER"] = "/var/task/bin/start";
  EXPECT_EQ(wrapper_of(spec, false), "/bundles/one/bin/start");
  spec.runtime = "provided.al2023";  // not there on Lambda, either
  EXPECT_EQ(wrapper_of(spec, true), "");
}

}  // namespace
}  // namespace parvis::functions
