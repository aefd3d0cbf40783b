// functions/sandbox/seccomp.h: the system calls that no worker makes. They fail with EPERM; clone3 with ENOSYS, because its
// flags lie in memory where a filter cannot look, and the C libraries then fall back to clone.
// Source: seccomp(2), libseccomp; the choice follows what container runtimes refuse by default.
#pragma once

#include <linux/filter.h>

#include <expected>
#include <string>
#include <vector>

namespace parvis::sandbox {

// The filter's program, made once. With `watch_connects` each connect() waits for an answer on the descriptor that
// seccomp_install_watching gives. The error is a sentence.
std::expected<std::vector<sock_filter>, std::string> seccomp_program(bool watch_connects);

// In the child, last before exec, after no_new_privs.
bool seccomp_install(const std::vector<sock_filter>& program) noexcept;
// `listener` becomes the descriptor of seccomp_unotify(2); it closes on exec.
bool seccomp_install_watching(const std::vector<sock_filter>& program, int& listener) noexcept;

}  // namespace parvis::sandbox
