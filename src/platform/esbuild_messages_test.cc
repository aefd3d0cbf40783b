#include "platform/esbuild_messages.h"

#include <gmock/gmock.h>

namespace parvis::platform {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(EsbuildMessages, NameFileLineAndColumn) {
  const auto messages = parse_esbuild_messages(
      "✘ [ERROR] Unexpected \"=\"\n\n    web/a.ts:4:18:\n      4 │ const x = = 1;\n        ╵           ^\n\n"
      "▲ [WARNING] Import \"y\" will always be undefined [import-is-undefined]\n\n    b.ts:2:0:\n      2 │ y();\n        ╵ ^\n\n"
      "  The file is here:\n\n    c.ts:9:9:\n      9 │ z\n        ╵ ^\n\n"
      "✘ [ERROR] No place\n\n3 errors\n", "/project/src");
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_THAT(messages[0].str(), HasSubstr("/project/src/web/a.ts:4:19: Unexpected \"=\""));
  EXPECT_THAT(messages[0].what, HasSubstr("const x = = 1;"));
  EXPECT_EQ(messages[1].severity, templates::Severity::kWarning);
  EXPECT_EQ(messages[1].file, "/project/src/b.ts");
  EXPECT_EQ(messages[1].position.line, 2u);
  EXPECT_EQ(messages[2].what, "No place");
  EXPECT_EQ(messages[2].file, "");
}

struct ExportsCase { const char* name; std::string text; std::optional<std::set<std::string>> want; };
class BundleExports : public testing::TestWithParam<ExportsCase> {};
TEST_P(BundleExports, AreReadFromTheAnnotation) { EXPECT_EQ(exports_of_bundle(GetParam().text), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(Forms, BundleExports, testing::Values(
    ExportsCase{"plain", "x\n// Annotate\n0 && (module.exports = {\n  handle,\n  y\n});\n//# sourceMappingURL=a", {{"handle", "y"}}},
    ExportsCase{"minified", "x;0&&(module.exports={handle,y});", {{"handle", "y"}}},
    ExportsCase{"quoted", "0 && (module.exports = {\n  \"a b\"\n});", {{"ab"}}},
    ExportsCase{"commonjs", "module.exports.handler = 1; foo(module.exports = {a});", std::nullopt},
    ExportsCase{"nothing", "", std::nullopt}), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::platform
