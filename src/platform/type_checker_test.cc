#include "platform/type_checker.h"

#include <gtest/gtest.h>

namespace parvis::platform {
namespace {

// What TypeScript 5.9 prints with --pretty false --watch.
TEST(TypeOutput, GivesTheMessagesOfOneCheck) {
  TypeOutput output;
  for (const char* line : {"11:20:11 AM - Starting compilation in watch mode...", "", "src/web/offers.ts(3,7): error TS2322: Type '{ a: string; }' is not assignable to type 'A'.",
                           "  Types of property 'a' are incompatible.", "    Type 'string' is not assignable to type 'number'.", "src/b (1).ts(10,1): error TS1005: ';' expected.",
                           "error TS5023: Unknown compiler option 'strickt'.", ""})
    EXPECT_FALSE(output.line(line)) << line;
  const auto got = output.line("11:20:13 AM - Found 3 errors. Watching for file changes.");
  ASSERT_TRUE(got);
  const std::vector<TypeMessage> want{
      {"src/web/offers.ts", "TS2322: Type '{ a: string; }' is not assignable to type 'A'.\n    Types of property 'a' are incompatible.\n      Type 'string' is not assignable to type 'number'.", 3, 7},
      {"src/b (1).ts", "TS1005: ';' expected.", 10, 1}, {"", "TS5023: Unknown compiler option 'strickt'.", 0, 0}};
  EXPECT_EQ(*got, want);
  const auto next = output.line("11:21:00 AM - Found 0 errors. Watching for file changes.");
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->empty());
}

TEST(TypeOutput, KeepsABoundedNumberOfMessages) {
  TypeOutput output;
  for (int i = 0; i < 1000; ++i) output.line("a.ts(1,1): error TS1: x");
  EXPECT_EQ(output.take().size(), 50u);
}

}  // namespace
}  // namespace parvis::platform
