#include "cli/signals.h"

#include <csignal>

#include <unistd.h>

namespace parvis::cli {
namespace {
volatile std::sig_atomic_t requested = 0;
}

void catch_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { requested = 1; });
}

bool stop_requested() { return requested != 0; }

void wait_for_stop() {
  while (!stop_requested()) ::usleep(100'000);
}

}  // namespace parvis::cli
