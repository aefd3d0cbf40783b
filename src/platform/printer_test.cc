#include "platform/printer.h"

#include <gmock/gmock.h>

namespace parvis::platform {
namespace {

using boost::json::object;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kTime = "2026-11-25T10:00:00.000Z", kTrace = "1-5759e988-bd862e3fe1be46a994272793";
const std::string kArn = "arn:aws:lambda:us-east-1:000000000000:function:f";

struct PrinterTest : testing::Test {
  object log(std::string line) { return {{"type", "log"}, {"time", kTime}, {"source", "f"}, {"requestId", "r"}, {"traceId", kTrace}, {"line", line}}; }
  object invocation(bool cold) {
    return {{"type", "invocation"}, {"time", kTime}, {"function", "f"}, {"functionArn", kArn + ":$LATEST"}, {"requestId", "r"}, {"traceId", kTrace},
            {"outcome", "ok"}, {"cold", cold}, {"durationMs", 12.5}, {"initMs", 8.0}};
  }
  object request() {
    return {{"type", "request"}, {"time", kTime}, {"method", "GET"}, {"path", "/a"}, {"status", 200}, {"durationMs", 13.0},
            {"functionArn", kArn}, {"requestId", "x"}, {"traceId", kTrace}, {"error", ""}};
  }
  std::string out;
  Printer printer{PrinterOptions{}, [this](std::string_view text) { out += text; }};
  Printer::Steady::time_point now{};
};

TEST_F(PrinterTest, OutputStandsUnderTheLineOfItsRequest) {
  printer.event(log("START RequestId: r"), now);
  printer.event(log("hello"), now);
  EXPECT_EQ(out, "");
  printer.event(invocation(true), now);
  printer.event(request(), now);
  EXPECT_EQ(out, "10:00:00.000 200 GET    /a  13.0 ms  cold, init 8.0 ms\n             f hello\n");
}

TEST_F(PrinterTest, AnInvocationWithoutRequestHasALineOfItsOwn) {
  printer.event(log("hello"), now);
  printer.event(invocation(false), now);
  printer.tick(now + 40ms);
  EXPECT_EQ(out, "");
  printer.tick(now + 60ms);
  EXPECT_EQ(out, "10:00:00.000 ok invoke f  12.5 ms  warm\n             f hello\n");
}

TEST_F(PrinterTest, OutputOfASlowCallIsShownAsItComes) {
  printer.event(log("one"), now);
  printer.tick(now + 1100ms);
  EXPECT_EQ(out, "             f one\n");
  printer.event(log("two"), now + 1200ms);
  EXPECT_THAT(out, HasSubstr("two"));
  printer.event(invocation(false), now + 2000ms);
  printer.event(request(), now + 2000ms);
  EXPECT_THAT(out, HasSubstr("GET    /a  13.0 ms  warm"));
}

TEST_F(PrinterTest, ForeignTextCannotDriveTheTerminal) {
  printer.event(log("a\x1b[2Jb\x7f"), now);
  printer.event(invocation(false), now);
  printer.tick(now + 60ms);
  EXPECT_THAT(out, HasSubstr("a\\x1b[2Jb\\x7f"));
}

TEST_F(PrinterTest, FloodsAreNotHeldBack) {
  for (std::size_t i = 0; i < Printer::kLinesMax; ++i) printer.event(log("line"), now);
  EXPECT_THAT(out, HasSubstr("line"));
}

TEST_F(PrinterTest, MistakesNameFileLineAndColumn) {
  printer.event({{"type", "error"}, {"time", kTime}, {"message", "wrong; do this"}, {"file", "t.yaml"}, {"line", 3}, {"column", 5}}, now);
  printer.event({{"type", "error"}, {"time", kTime}, {"message", "no file"}, {"file", ""}, {"line", 0}, {"column", 0}}, now);
  EXPECT_EQ(out, "10:00:00.000 error t.yaml:3:5: wrong; do this\n10:00:00.000 error no file\n");
}

}  // namespace
}  // namespace parvis::platform
