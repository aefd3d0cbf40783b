// functions/sandbox/landlock.h: rules on files, signals and abstract sockets that a process gives itself for ever.
// Source: landlock(7); kernel documentation "Landlock: unprivileged access control", ABI versions 1 to 7.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "core/fd.h"
#include "functions/sandbox/policy.h"

namespace parvis::sandbox {

// The kernel's version of the interface; 0: it has none, or it is switched off.
int landlock_abi();

// A ruleset that shuts off abstract sockets of, and signals to, processes outside (ABI 6). With `views` it also
// allows no file but those. An empty descriptor: the kernel can do neither.
std::expected<Fd, std::string> landlock_rules(const std::vector<View>* views);

// In the child: adds its own /proc/self, of which nobody knows the number earlier. What it starts itself has another, which it does not see.
bool landlock_allow_own_proc(int ruleset_fd) noexcept;

// In the child, after no_new_privs.
bool landlock_restrict(int ruleset_fd) noexcept;

}  // namespace parvis::sandbox
