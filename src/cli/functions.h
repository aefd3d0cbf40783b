// cli/functions.h: `parvis invoke` and `parvis logs`, on a running platform. A function is named by its name, or by its logical id in a
// stack (of `stack`, or of whichever stack has it).
#pragma once

#include <string>

#include "cli/remote.h"

namespace parvis::cli {

struct InvokeArguments {
  std::string function, stack;
  std::string event_file;  // "-": standard input; empty: {}
  bool async = false, log = false;
  RemoteOptions remote;
};
// The answer on stdout, the log on stderr. 0; 1 for a function error, a missing function or no platform; 2 for an unreadable event.
int run_invoke(const InvokeArguments& arguments);

struct LogsArguments {
  std::string source, stack;  // function, logical id or group; empty: every function's
  std::string since, filter;  // "5m"; default 10m
  bool follow = false;
  RemoteOptions remote;
};
int run_logs(const LogsArguments& arguments);

// "90s", "5m", "2h", "1d" in milliseconds; nullopt for anything else.
std::optional<std::int64_t> parse_span(std::string_view text);

}  // namespace parvis::cli
