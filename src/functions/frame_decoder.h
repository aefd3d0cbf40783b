// functions/frame_decoder.h: cuts the bytes of a worker's channel into messages. Pure; every byte is untrusted.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace parvis::functions {

struct FrameView {
  char type = 0;
  unsigned flags = 0;
  std::string_view body;  // valid until the next call of room()
};

// Memory: what has arrived, at most one largest frame and one read more.
class FrameDecoder {
 public:
  enum class State { kFrame, kMore, kBroken };

  // `types`: the letters that the peer may send. A longer body than `body_bytes_max` or another letter is kBroken, for good.
  FrameDecoder(std::string_view types, std::size_t body_bytes_max) : types_(types), body_bytes_max_(body_bytes_max) {}

  std::span<char> room();  // where to read to
  void commit(std::size_t bytes) { end_ += bytes; }
  State next(FrameView& frame);

 private:
  std::string_view types_;
  std::size_t body_bytes_max_;
  std::vector<char> buffer_;
  std::size_t start_ = 0, end_ = 0;
  bool broken_ = false;
};

}  // namespace parvis::functions
