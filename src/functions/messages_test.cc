#include "functions/messages.h"

#include <gtest/gtest.h>

namespace parvis::functions {
namespace {

using namespace std::chrono_literals;

TEST(Messages, ReportLineOfAColdCall) {
  const Report report{.duration = 1361us, .init = 150'250us, .cold = true, .memory_mb = 128, .memory_peak_bytes = 66u << 20, .status = {}, .error_type = {}};
  EXPECT_EQ(report_line("id", report),
            "REPORT RequestId: id\tDuration: 1.36 ms\tBilled Duration: 152 ms\tMemory Size: 128 MB\tMax Memory Used: 66 MB\tInit Duration: 150.25 ms\t");
}

TEST(Messages, ReportLineOfATimeout) {
  const Report report{.duration = 3s, .memory_mb = 256, .memory_peak_bytes = 40u << 20, .status = "timeout", .error_type = {}};
  EXPECT_EQ(report_line("id", report),
            "REPORT RequestId: id\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 256 MB\tMax Memory Used: 40 MB\tStatus: timeout\t");
}

TEST(Messages, ErrorPayloads) {
  EXPECT_EQ(timeout_payload("id", 3000ms), R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 3.00 seconds"})");
  EXPECT_EQ(exit_payload("id", {.known = true, .value = 7}),
            R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: exit status 7"})");
  EXPECT_EQ(exit_payload("id", {.known = true, .signaled = true, .value = 9}),
            R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: signal: killed"})");
  EXPECT_EQ(exit_payload("id", {.known = true}),
            R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited without providing a reason"})");
}

TEST(Messages, InvokeFrameQuotesWhatCallersSend) {
  Invocation call;
  call.request_id = "a\"b";
  call.payload = "{}";
  const std::string bytes = invoke_head(call, 3000ms) + call.payload;
  EXPECT_EQ(bytes.substr(10), R"({"id":"a\"b","arn":"","timeoutMs":3000}{})");
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]), bytes.size() - kFrameHeaderBytes);
  EXPECT_EQ(bytes[4], 'I');
}

}  // namespace
}  // namespace parvis::functions
