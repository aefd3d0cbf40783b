#include "functions/log_capture.h"

#include <gtest/gtest.h>

#include <vector>

namespace parvis::functions {
namespace {

const std::string kMark = std::string("\0mark\0", 6);

struct Captured {
  LogCapture capture{kMark};
  std::vector<std::string> lines;
  LogCapture::OnLine on_line = [this](std::string_view line) { lines.emplace_back(line); };
};

TEST(LogCapture, CutsLinesAcrossReads) {
  Captured c;
  EXPECT_FALSE(c.capture.feed("one\ntw", c.on_line));
  EXPECT_FALSE(c.capture.feed("o\nthree", c.on_line));
  EXPECT_EQ(c.capture.take(c.on_line), "one\ntwo\nthree\n");
  EXPECT_EQ(c.lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(LogCapture, FindsTheMarkWhereverTheReadsCutIt) {
  const std::string text = "line" + kMark + "next call\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Captured c;
    const bool first = c.capture.feed(text.substr(0, cut), c.on_line);
    const bool second = !first && c.capture.feed(text.substr(cut), c.on_line);
    ASSERT_TRUE(first || second) << cut;
    EXPECT_EQ(c.capture.take(c.on_line), "line\n") << cut;
    c.capture.feed(first ? text.substr(cut) : std::string(), c.on_line);
    EXPECT_EQ(c.capture.take(c.on_line), "next call\n") << cut;
  }
}

TEST(LogCapture, ConsoleMessagesOfSeveralLinesStayOneEvent) {
  Captured c;
  c.capture.feed("a\rb\nwindows\r\n", c.on_line);
  EXPECT_EQ(c.lines, (std::vector<std::string>{"a\nb", "windows"}));
  EXPECT_EQ(c.capture.take(c.on_line), "a\nb\nwindows\n");
}

TEST(LogCapture, KeepsABoundedPartOfAFloodAndCountsTheRest) {
  Captured c;
  const std::string block(64 << 10, 'x');
  for (int i = 0; i < 1000; ++i) c.capture.feed(block, c.on_line);
  EXPECT_TRUE(c.capture.feed(kMark, c.on_line));
  const std::string log = c.capture.take(c.on_line);
  EXPECT_LT(log.size(), LogCapture::kCallBytesMax + 200);
  const std::string_view note = std::string_view(log).substr(log.rfind("[parvis] ") + 9);
  const std::size_t dropped = std::stoull(std::string(note));
  EXPECT_NEAR(static_cast<double>(dropped), static_cast<double>(1000 * block.size() - LogCapture::kCallBytesMax), 16);  // newlines of cut lines
  c.capture.feed("after\n", c.on_line);
  EXPECT_EQ(c.capture.take(c.on_line), "after\n");
}

}  // namespace
}  // namespace parvis::functions
