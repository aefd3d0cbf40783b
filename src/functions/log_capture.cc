#include "functions/log_capture.h"

#include <algorithm>

#include <fmt/format.h>

namespace parvis::functions {

bool LogCapture::feed(std::string_view bytes, const OnLine& on_line) {
  std::string joined;
  if (!carry_.empty()) {
    joined = std::move(carry_);
    joined += bytes;
    bytes = joined;
  }
  carry_.clear();
  if (const std::size_t at = bytes.find(mark_); at != std::string_view::npos) {
    consume(bytes.substr(0, at), on_line);
    if (!line_.empty()) end_line(on_line);
    carry_ = bytes.substr(at + mark_.size());
    return true;
  }
  // A mark may have been cut by the read: its first part waits for the rest.
  std::size_t keep = std::min(mark_.size() - 1, bytes.size());
  while (keep > 0 && !std::string_view(mark_).starts_with(bytes.substr(bytes.size() - keep))) --keep;
  consume(bytes.substr(0, bytes.size() - keep), on_line);
  carry_ = bytes.substr(bytes.size() - keep);
  return false;
}

void LogCapture::consume(std::string_view bytes, const OnLine& on_line) {
  const std::size_t used = log_.size() + line_.size();
  const std::size_t room = used >= kCallBytesMax ? 0 : kCallBytesMax - used;
  if (bytes.size() > room) {
    dropped_ += bytes.size() - room;
    bytes = bytes.substr(0, room);
  }
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t take = std::min(end == std::string_view::npos ? bytes.size() : end, kLineBytesMax - line_.size());
    line_ += bytes.substr(0, take);
    const bool ended = take == end;
    bytes.remove_prefix(ended ? take + 1 : take);
    if (ended || line_.size() >= kLineBytesMax) end_line(on_line);
  }
}

void LogCapture::end_line(const OnLine& on_line) {
  if (line_.ends_with('\r')) line_.pop_back();
  std::replace(line_.begin(), line_.end(), '\r', '\n');
  if (level_min_ > LogLevel::kTrace && level_of_line(line_) < level_min_) return line_.clear();
  if (on_line) on_line(line_);
  log_ += std::string_view(line_).substr(line_.starts_with(kExtensionMark) ? 1 : 0);
  log_ += '\n';
  line_.clear();
}

std::string LogCapture::take(const OnLine& on_line) {
  if (!line_.empty()) end_line(on_line);
  if (dropped_ > 0) {
    const std::string note = fmt::format("[parvis] {} bytes of log dropped: more than {} in one call", dropped_, kCallBytesMax);
    if (on_line) on_line(note);
    log_ += note + '\n';
    dropped_ = 0;
  }
  return std::exchange(log_, {});
}

}  // namespace parvis::functions
