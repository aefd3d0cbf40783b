// cli/serve.h: `parvis serve`.
#pragma once

#include "platform/options.h"

namespace parvis::cli {

// Runs until SIGINT or SIGTERM. Returns the exit code: 0, or 1 when it could not start. An address other than loopback
// needs `insecure`, until there are TLS and policies.
int run_serve(platform::Options options, bool insecure);

}  // namespace parvis::cli
