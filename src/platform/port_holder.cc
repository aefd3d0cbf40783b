#include "platform/port_holder.h"

#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

namespace parvis::platform {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kListening = "0A";
constexpr std::size_t kCommandBytesMax = 120;

// Inodes of the sockets that listen on the port. A row: number, local address:port in hex, remote, state, …, inode (tenth word).
std::set<std::string> listening_inodes(const fs::path& table, std::uint16_t port) {
  std::set<std::string> inodes;
  std::ifstream in(table);
  const std::string wanted = fmt::format(":{:04X}", port);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state, skipped, inode;
    words >> number >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> inode;
    if (state == kListening && local.ends_with(wanted)) inodes.insert(inode);
  }
  return inodes;
}

std::string command_of(const fs::path& process) {
  std::ifstream in(process / "cmdline", std::ios::binary);
  std::string command(std::istreambuf_iterator<char>(in), {});
  while (!command.empty() && command.back() == '\0') command.pop_back();
  for (char& letter : command)
    if (letter < ' ' || letter > '~') letter = ' ';
  if (command.size() > kCommandBytesMax) command = command.substr(0, kCommandBytesMax) + "…";
  return command;
}

bool holds(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code failed;
  for (fs::directory_iterator it(process / "fd", failed), end; !failed && it != end; it.increment(failed)) {
    std::error_code unreadable;
    const std::string link = fs::read_symlink(it->path(), unreadable).string();
    if (link.starts_with("socket:[") && inodes.contains(link.substr(8, link.size() - 9))) return true;
  }
  return false;
}

}  // namespace

std::string port_holder(std::uint16_t port, const fs::path& proc) {
  std::set<std::string> inodes = listening_inodes(proc / "net/tcp", port);
  inodes.merge(listening_inodes(proc / "net/tcp6", port));
  if (inodes.empty()) return {};
  std::error_code failed;
  for (fs::directory_iterator it(proc, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string pid = it->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos || !holds(it->path(), inodes)) continue;
    const std::string command = command_of(it->path());
    return fmt::format("process {}{}", pid, command.empty() ? "" : " (" + command + ")");
  }
  return "a process of another user";
}

std::string busy_port(const std::system_error& error, std::uint16_t port, std::string_view hint) {
  const std::string holder = error.code() == std::errc::address_in_use ? port_holder(port) : "";
  return fmt::format("{}{}; {}", error.what(), holder.empty() ? "" : ": " + holder + " listens there", hint);
}

void write_endpoint(const fs::path& data_dir, const std::string& address, std::uint16_t port) {
  const bool any = address == "0.0.0.0" || address == "::";
  const std::string host = any ? "127.0.0.1" : address.find(':') != std::string::npos ? "[" + address + "]" : address;
  std::ofstream(data_dir / kEndpointFile) << fmt::format("http://{}:{}\n", host, port);
}

std::string read_endpoint(const fs::path& data_dir) {
  std::string url;
  std::ifstream in(data_dir / kEndpointFile);
  std::getline(in, url);
  return url;
}

}  // namespace parvis::platform
