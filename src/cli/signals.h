// cli/signals.h: SIGINT and SIGTERM ask a running platform to stop; SIGPIPE means nothing to a server.
#pragma once

namespace parvis::cli {

void catch_signals();
bool stop_requested();
void wait_for_stop();

}  // namespace parvis::cli
