#include "functions/log_format.h"

#include <gtest/gtest.h>

#include "functions/log_capture.h"
#include "functions/messages.h"

namespace parvis::functions {
namespace {

struct LevelCase {
  const char* name;
  std::string_view line;
  LogLevel want;
};
struct LevelOfLine : testing::TestWithParam<LevelCase> {};
TEST_P(LevelOfLine, FollowsItsMember) { EXPECT_EQ(level_of_line(GetParam().line), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(Lines, LevelOfLine, testing::Values(
    LevelCase{"text", "ERROR: no", LogLevel::kInfo}, LevelCase{"empty", "", LogLevel::kInfo}, LevelCase{"broken_json", R"({"level":"ERROR")", LogLevel::kInfo},
    LevelCase{"lower_case", R"({"level":"debug","msg":"x"})", LogLevel::kDebug}, LevelCase{"alias", R"({"level":"Critical"})", LogLevel::kFatal},
    LevelCase{"warning", R"({"a":1,"level":"WARNING"})", LogLevel::kWarn}, LevelCase{"unknown", R"({"level":"loud"})", LogLevel::kInfo},
    LevelCase{"number", R"({"level":50})", LogLevel::kInfo}, LevelCase{"nested", R"({"x":{"level":"ERROR"}})", LogLevel::kInfo}),
    [](const auto& info) { return info.param.name; });

constexpr LogSettings kInfoLogs{.json = true};
constexpr LogSettings kWarnLogs{.json = true, .system = LogLevel::kWarn};
constexpr LogSettings kDebugLogs{.json = true, .system = LogLevel::kDebug};
const Millis kNow{std::chrono::milliseconds(1'700'000'000'123)};

TEST(LogFormat, RecordsHaveTheDocumentedForm) {
  EXPECT_EQ(start_record(kInfoLogs, kNow, "id-1", "7"), R"({"time":"2023-11-14T22:13:20.123Z","type":"platform.start","record":{"requestId":"id-1","version":"7"}})");
  EXPECT_EQ(report_record(kInfoLogs, kNow, "id-1", {.duration = std::chrono::microseconds(1'500), .init = std::chrono::microseconds(2'250), .cold = true, .memory_mb = 256, .memory_peak_bytes = 40u << 20, .status = {}, .error_type = {}}),
            R"({"time":"2023-11-14T22:13:20.123Z","type":"platform.report","record":{"requestId":"id-1","metrics":{"durationMs":1.5E0,"billedDurationMs":4,"memorySizeMB":256,"maxMemoryUsedMB":40,"initDurationMs":2.25E0},"status":"success"}})");
}

TEST(LogFormat, SystemLevelsFilterRecords) {
  const Report good{}, bad{.status = "error", .error_type = "Runtime.ExitError"};
  EXPECT_EQ(start_record(kWarnLogs, kNow, "a", "1"), "");
  EXPECT_EQ(report_record(kWarnLogs, kNow, "a", good), "");
  EXPECT_NE(report_record(kWarnLogs, kNow, "a", bad).find(R"("status":"error","errorType":"Runtime.ExitError")"), std::string::npos);
  EXPECT_EQ(runtime_done_record(kInfoLogs, kNow, "a", good), "");
  EXPECT_NE(runtime_done_record(kDebugLogs, kNow, "a", good), "");
  EXPECT_NE(runtime_done_record(kInfoLogs, kNow, "a", bad), "");
}

TEST(LogCapture, DropsLinesBelowTheLevel) {
  LogCapture log("MARK");
  log.keep_from(LogLevel::kWarn);
  log.feed("plain\n{\"level\":\"info\"}\n{\"level\":\"error\"}\nMARK", {});
  EXPECT_EQ(log.take({}), "{\"level\":\"error\"}\n");
}

}  // namespace
}  // namespace parvis::functions
