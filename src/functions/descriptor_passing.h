// functions/descriptor_passing.h: descriptors that go with a message over a Unix socket. Source: unix(7), SCM_RIGHTS; cmsg(3).
#pragma once

#include <span>
#include <string_view>

#include <sys/types.h>

#include "core/fd.h"

namespace parvis::functions {

inline constexpr std::size_t kPassedMax = 3;

// Sends `text`, which is not empty, with at most kPassedMax descriptors. System calls only: a child before exec may use it.
bool send_with(int socket, std::string_view text, std::span<const int> descriptors) noexcept;
// As recvmsg(2) with these flags. The descriptor that came, if one did, goes to `with`.
ssize_t receive_with(int socket, std::span<char> room, int flags, Fd& with);

}  // namespace parvis::functions
