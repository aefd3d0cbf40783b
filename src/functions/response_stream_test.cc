#include "functions/response_stream.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace parvis::functions {
namespace {

const std::string kNuls(8, '\0');

struct SplitCase {
  const char* name;
  std::string type;
  std::vector<std::string> pieces;
  bool has_prelude;
  std::string prelude, body;
};
struct Splitting : testing::TestWithParam<SplitCase> {};
TEST_P(Splitting, FindsThePrelude) {
  PreludeSplitter splitter(GetParam().type);
  std::optional<StreamHead> head;
  std::string body, all;
  for (const std::string& piece : GetParam().pieces) {
    if (head) {
      all += piece;
      continue;
    }
    head = splitter.feed(piece, body);
    if (head) all = body;
  }
  if (!head) {
    head = splitter.finish(body);
    all = body;
  }
  EXPECT_EQ(head->has_prelude, GetParam().has_prelude);
  EXPECT_EQ(head->prelude, GetParam().prelude);
  EXPECT_EQ(all, GetParam().body);
}
const std::string kType(kPreludeContentType);
INSTANTIATE_TEST_SUITE_P(Streams, Splitting, testing::Values(
    SplitCase{"plain", "text/plain", {"a" + kNuls, "b"}, false, "", "a" + kNuls + "b"},
    SplitCase{"whole", kType, {"{\"statusCode\":201}" + kNuls + "body"}, true, "{\"statusCode\":201}", "body"},
    SplitCase{"in_pieces", kType, {"{}", kNuls, "body"}, true, "{}", "body"},
    SplitCase{"cut_delimiter", kType, {"{}" + kNuls.substr(0, 3), kNuls.substr(3) + "x"}, true, "{}", "x"},
    SplitCase{"never_ends", kType, {"{}", kNuls.substr(0, 7)}, false, "", "{}" + kNuls.substr(0, 7)},
    SplitCase{"too_long", kType, {std::string(kPreludeBytesMax + 1, 'x'), "y"}, false, "", std::string(kPreludeBytesMax + 1, 'x') + "y"}),
    [](const auto& info) { return info.param.name; });

TEST(StreamPipe, PausesTheProducerUntilTheConsumerHasCaughtUp) {
  asio::io_context context;
  StreamPipe pipe;
  int resumed = 0;
  const auto resume = [&] { ++resumed; };
  pipe.push(std::string(StreamPipe::kHighBytes, 'x'));
  EXPECT_FALSE(pipe.pause_when_full(resume));
  pipe.push(std::string(1, 'y'));
  EXPECT_TRUE(pipe.pause_when_full(resume));
  std::size_t got = 0;
  asio::co_spawn(context, [](StreamPipe& from, std::size_t& bytes) -> awaitable<> {
    bytes = std::get<std::string>(co_await from.next()).size();
  }(pipe, got), [](std::exception_ptr) {});
  context.run();
  EXPECT_EQ(got, StreamPipe::kHighBytes);
  EXPECT_EQ(resumed, 1);
}

TEST(StreamPipe, DroppedBytesLetTheProducerGoOn) {
  StreamPipe pipe;
  int resumed = 0;
  pipe.push(std::string(StreamPipe::kHighBytes + 1, 'x'));
  EXPECT_TRUE(pipe.pause_when_full([&] { ++resumed; }));
  pipe.drop_rest();
  EXPECT_EQ(resumed, 1);
  pipe.push(std::string(StreamPipe::kHighBytes + 1, 'x'));
  EXPECT_FALSE(pipe.pause_when_full([&] { ++resumed; }));
}

}  // namespace
}  // namespace parvis::functions
