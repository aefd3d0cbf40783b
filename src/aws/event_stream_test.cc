#include "aws/event_stream.h"

#include <gtest/gtest.h>

#include "core/hash.h"

namespace parvis::aws {
namespace {

// Worked out with botocore's own encoder test vectors in mind: lengths and both checksums frame the message.
TEST(EventStreamMessage, IsFramedWithLengthsAndChecksums) {
  const std::string message = encode_message({{":event-type", "PayloadChunk"}}, "abc");
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(message[i]);
    return value;
  };
  const std::size_t headers = 1 + 11 + 1 + 2 + 12;
  ASSERT_EQ(message.size(), 16 + headers + 3);
  EXPECT_EQ(number(0), message.size());
  EXPECT_EQ(number(4), headers);
  EXPECT_EQ(number(8), crc32(std::string_view(message).substr(0, 8)));
  EXPECT_EQ(number(message.size() - 4), crc32(std::string_view(message).substr(0, message.size() - 4)));
  EXPECT_EQ(message.substr(12, 12), "\x0b:event-type");
  EXPECT_EQ(message.substr(24, 3), std::string("\x07\x00\x0c", 3));
  EXPECT_EQ(message.substr(message.size() - 7, 3), "abc");
}

}  // namespace
}  // namespace parvis::aws
