#include "platform/esbuild_messages.h"

#include <gmock/gmock.h>

namespace parvis::platform {
namespace {

TEST(EsbuildMessages, NameFileLineAndColumn) {
  const functions::BundleMessage message{.text = "Unexpected \"=\"", .file = "/project/src/a.ts", .line = 14, .column = 11, .length = 2, .line_text = "const x = = 1;"};
  const templates::Diagnostic placed = to_diagnostic(message, templates::Severity::kWarning);
  EXPECT_EQ(placed.severity, templates::Severity::kWarning);
  EXPECT_EQ(placed.file, "/project/src/a.ts");
  EXPECT_EQ(placed.what, "Unexpected \"=\"\n      14 │ const x = = 1;\n         ╵           ^^");
  EXPECT_THAT(placed.str(), testing::HasSubstr("/project/src/a.ts:14:11: warning: Unexpected"));
  EXPECT_EQ(to_diagnostic({.text = "No place", .file = {}, .line_text = {}}, templates::Severity::kError).what, "No place");
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
