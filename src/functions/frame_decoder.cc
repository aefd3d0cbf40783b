#include "functions/frame_decoder.h"

#include <algorithm>
#include <cstring>

#include "functions/messages.h"

namespace parvis::functions {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;
constexpr std::size_t kFirstBytes = 8u << 10;     // most workers never need more
constexpr std::size_t kKeptBytes = 256u << 10;    // a larger buffer is given back when it is empty

std::size_t body_bytes(const char* header) {
  std::size_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(header[i]);
  return value;
}

}  // namespace

std::span<char> FrameDecoder::room() {
  if (start_ == end_) {
    start_ = end_ = 0;
    if (buffer_.size() > kKeptBytes) std::vector<char>().swap(buffer_);
  }
  if (buffer_.empty()) buffer_.resize(kFirstBytes);
  // Large bodies get their place at once, so that they are read in large pieces and copied at most once.
  const std::size_t held = end_ - start_;
  std::size_t wanted = held + kFirstBytes / 2;
  if (held >= kFrameHeaderBytes) {
    const std::size_t whole = kFrameHeaderBytes + std::min(body_bytes(buffer_.data() + start_), body_bytes_max_);
    if (whole > held) wanted = std::max(wanted, std::min(whole, std::max(held * 2, held + kReadBytes)));
  }
  if (start_ > 0 && start_ + wanted > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + start_, held);
    start_ = 0;
    end_ = held;
  }
  if (wanted > buffer_.size()) buffer_.resize(wanted);
  return {buffer_.data() + end_, buffer_.size() - end_};
}

FrameDecoder::State FrameDecoder::next(FrameView& frame) {
  if (broken_) return State::kBroken;
  const std::size_t held = end_ - start_;
  if (held < kFrameHeaderBytes) return State::kMore;
  const char* header = buffer_.data() + start_;
  const std::size_t body = body_bytes(header);
  if (body > body_bytes_max_ || types_.find(header[4]) == std::string_view::npos) {
    broken_ = true;
    return State::kBroken;
  }
  if (held < kFrameHeaderBytes + body) return State::kMore;
  frame = {header[4], static_cast<unsigned char>(header[5]), {header + kFrameHeaderBytes, body}};
  start_ += kFrameHeaderBytes + body;
  return State::kFrame;
}

}  // namespace parvis::functions
