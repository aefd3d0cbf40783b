// platform/port_holder.h: who listens on a TCP port of this machine, from /proc; and where this platform listens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace parvis::platform {

// "process 4711 (node server.js)", or "a process of another user" when /proc does not tell; empty when nobody listens there.
// `proc` is another folder in tests.
std::string port_holder(std::uint16_t port, const std::filesystem::path& proc = "/proc");

// Why a port could not be opened, with who holds it and `hint`.
std::string busy_port(const std::system_error& error, std::uint16_t port, std::string_view hint);

// <data>/endpoint holds the URL of the platform that runs on a data directory, for `parvis backup` and `parvis prune`. A file that
// an ended process has left behind is nobody's.
inline constexpr std::string_view kEndpointFile = "endpoint";
void write_endpoint(const std::filesystem::path& data_dir, const std::string& address, std::uint16_t port);
std::string read_endpoint(const std::filesystem::path& data_dir);  // empty: none

}  // namespace parvis::platform
