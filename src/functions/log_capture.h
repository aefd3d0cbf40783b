// functions/log_capture.h: cuts what a worker prints into lines, bounds it per call and finds the end-of-call mark.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "functions/log_format.h"

namespace parvis::functions {

// Not thread-safe. Within a line a carriage return stands for a newline: the Node.js client sends console messages of
// several lines that way, so that each stays one log event.
inline constexpr char kExtensionMark = '\x01';  // begins a line of an extension; `on_line` sees it, the log does not have it

class LogCapture {
 public:
  using OnLine = std::function<void(std::string_view)>;
  static constexpr std::size_t kCallBytesMax = 1u << 20;    // kept per call; the rest is counted and dropped
  static constexpr std::size_t kLineBytesMax = 256u << 10;  // a CloudWatch Logs event

  explicit LogCapture(std::string mark) : mark_(std::move(mark)) {}
  // Of JSON logs: lines below this level are dropped as if they had not been printed.
  void keep_from(LogLevel level) { level_min_ = level; }
  // Takes bytes as read from the pipe. True once the mark was in them; what follows the mark waits for the next call.
  bool feed(std::string_view bytes, const OnLine& on_line);
  // Ends an unfinished line and returns everything since the last take(), a line about dropped bytes included.
  std::string take(const OnLine& on_line);

 private:
  void consume(std::string_view bytes, const OnLine& on_line);
  void end_line(const OnLine& on_line);

  std::string mark_, carry_, line_, log_;
  std::uint64_t dropped_ = 0;
  LogLevel level_min_ = LogLevel::kTrace;
};

}  // namespace parvis::functions
