#include "functions/frame_decoder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "functions/messages.h"

namespace parvis::functions {
namespace {

constexpr std::size_t kMax = 1u << 20;

// Gives `bytes` to the decoder in pieces; every message as "type:body". "broken" ends the list.
std::vector<std::string> decode(std::string_view bytes, std::size_t piece) {
  FrameDecoder decoder("RO", kMax);
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const auto room = decoder.room();
    const std::size_t take = std::min({piece, room.size(), bytes.size()});
    std::memcpy(room.data(), bytes.data(), take);
    decoder.commit(take);
    bytes.remove_prefix(take);
    FrameView view;
    FrameDecoder::State state;
    while ((state = decoder.next(view)) == FrameDecoder::State::kFrame) out.push_back(std::string(1, view.type) + ":" + std::string(view.body));
    if (state == FrameDecoder::State::kBroken) {
      out.push_back("broken");
      return out;
    }
  }
  return out;
}

struct DecodeCase {
  const char* name;
  std::string bytes;
  std::vector<std::string> want;
};
struct Decoding : testing::TestWithParam<DecodeCase> {};
TEST_P(Decoding, GivesTheSameMessagesHoweverTheyArrive) {
  for (const std::size_t piece : {std::size_t(1), std::size_t(5), std::size_t(7), std::size_t(4096), kMax * 2}) EXPECT_EQ(decode(GetParam().bytes, piece), GetParam().want) << piece;
}
const std::string kLarge(kMax, 'x');
INSTANTIATE_TEST_SUITE_P(Frames, Decoding, testing::Values(
    DecodeCase{"one", frame('O', "hello"), {"O:hello"}},
    DecodeCase{"empty_body", frame('R', ""), {"R:"}},
    DecodeCase{"three_together", frame('R', "") + frame('O', "a") + frame('O', std::string("b\0c", 3)), {"R:", "O:a", "O:" + std::string("b\0c", 3)}},
    DecodeCase{"unfinished", frame('O', "a") + frame('O', "bc").substr(0, 7), {"O:a"}},
    DecodeCase{"header_only", frame('O', "").substr(0, 5), {}},
    DecodeCase{"largest", frame('O', kLarge) + frame('R', ""), {"O:" + kLarge, "R:"}},
    DecodeCase{"too_large", frame('O', kLarge + "y"), {"broken"}},
    DecodeCase{"unknown_type", frame('O', "a") + frame('x', "b"), {"O:a", "broken"}},
    DecodeCase{"garbage", std::string(64, '\xff'), {"broken"}}),
    [](const auto& info) { return info.param.name; });

// A length that promises much must not take memory before the bytes are there.
TEST(FrameDecoder, ALengthAloneTakesNoMemory) {
  FrameDecoder decoder("O", 16u << 20);
  const auto room = decoder.room();
  std::memcpy(room.data(), "\xff\xff\xff\x00O\x00", 6);
  decoder.commit(6);
  FrameView view;
  EXPECT_EQ(decoder.next(view), FrameDecoder::State::kMore);
  EXPECT_LE(decoder.room().size(), 128u << 10);
}

}  // namespace
}  // namespace parvis::functions
