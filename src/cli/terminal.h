// cli/terminal.h: standard output behind a thread of its own, so that no request waits for a terminal, a pipe or a disk.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace parvis::cli {

// Thread-safe. What comes within 10 ms is written at once. While nobody reads the output 4 MB are kept; what is more is left
// out, and the output says how much. The destructor writes what is left.
class Terminal {
 public:
  static constexpr std::size_t kBytesMax = 4u << 20;
  Terminal() : thread_([this] { run(); }) {}
  ~Terminal();
  void write(std::string_view text);

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  std::size_t left_out_ = 0;
  bool idle_ = true, stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace parvis::cli
