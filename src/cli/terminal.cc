#include "cli/terminal.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace parvis::cli {

Terminal::~Terminal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Terminal::write(std::string_view text) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + text.size() > kBytesMax) {
      left_out_ += text.size();
      return;
    }
    waiting_ += text;
    wake = std::exchange(idle_, false);
  }
  if (wake) changed_.notify_one();
}

void Terminal::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !waiting_.empty()) {
    if (waiting_.empty()) {
      idle_ = true;
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      idle_ = false;
      continue;
    }
    std::string text = std::exchange(waiting_, {});
    if (const std::size_t bytes = std::exchange(left_out_, 0)) text += fmt::format("[{} bytes of output left out: it was not read in time]\n", bytes);
    lock.unlock();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    lock.lock();
    // A flood is written in pieces of 10 ms: a wake-up for every line would cost more than the line.
    changed_.wait_for(lock, std::chrono::milliseconds(10), [this] { return stopping_; });
  }
}

}  // namespace parvis::cli
