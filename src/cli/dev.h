// cli/dev.h: `parvis dev`.
#pragma once

#include "platform/options.h"

namespace parvis::cli {

// Runs until SIGINT or SIGTERM. Returns the exit code: 0, 1 when it could not start, 2 for wrong arguments.
int run_dev(platform::Options options, platform::DevOptions dev);

}  // namespace parvis::cli
