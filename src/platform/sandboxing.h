// platform/sandboxing.h: whether and how functions are shut in, and what this host cannot do about it.
#pragma once

#include <optional>

#include "functions/engine.h"
#include "platform/options.h"

namespace parvis::platform {

// Nothing with Sandbox::kOff. Throws StartError: with Sandbox::kStrict when this host has a gap, naming each.
std::optional<functions::SandboxOptions> sandbox_options(const Options& options);

}  // namespace parvis::platform
