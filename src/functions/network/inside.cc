#include "functions/network/inside.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "functions/sandbox/clone.h"
#include "functions/sandbox/steps.h"

namespace parvis::network {
namespace {

// What the child does and what came of it; it makes system calls only.
struct Work {
  int pidfd;
  bool prepare, all_local;
  std::span<InsideSocket> sockets;
  int* made;  // as many numbers as sockets
  const char* failed = nullptr;
  int cause = 0;
};

// As `ip route add local 0.0.0.0/0 dev lo`. Source: rtnetlink(7).
bool route_all_to_loopback() noexcept {
  struct {
    nlmsghdr header;
    rtmsg route;
    rtattr attribute;
    std::uint32_t interface;
  } request{};
  request.header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, .nlmsg_seq = 1, .nlmsg_pid = 0};
  request.route.rtm_family = AF_INET;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_STATIC;
  request.route.rtm_scope = RT_SCOPE_HOST;
  request.route.rtm_type = RTN_LOCAL;
  request.attribute = {.rta_len = RTA_LENGTH(sizeof request.interface), .rta_type = RTA_OIF};
  request.interface = 1;  // the loopback interface of every network namespace
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return false;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } reply{};
  bool done = send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request) && recv(fd, &reply, sizeof reply, 0) >= static_cast<ssize_t>(sizeof reply.header + sizeof reply.error);
  int saved = errno;
  close(fd);
  if (done && reply.error.error != 0) done = false, saved = -reply.error.error;
  errno = saved;
  return done;
}

int open_socket(const InsideSocket& wanted) noexcept {
  const int fd = socket(AF_INET, wanted.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || !wanted.listens) return fd;
  const int yes = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(wanted.port);
  address.sin_addr.s_addr = htonl(wanted.address);
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      (wanted.type != SOCK_STREAM || listen(fd, 128) == 0)) {
    return fd;
  }
  const int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

void do_inside(Work& work) noexcept {
  const auto fail = [&](const char* what) { work.failed = what, work.cause = errno; };
  if (setns(work.pidfd, CLONE_NEWUSER | CLONE_NEWNET) != 0) return fail("the worker's network namespace cannot be entered");
  if (work.prepare && !sandbox::raise_loopback()) return fail("the worker's loopback interface cannot be raised");
  if (work.prepare && work.all_local && !route_all_to_loopback()) return fail("the worker's connections cannot be turned to the platform");
  for (std::size_t i = 0; i < work.sockets.size(); ++i) {
    if ((work.made[i] = open_socket(work.sockets[i])) < 0) return fail("a socket cannot be opened in the worker's network namespace");
  }
}

}  // namespace

std::expected<void, std::string> open_inside(int pidfd, bool prepare, bool all_local, std::span<InsideSocket> sockets) {
  constexpr std::size_t kSocketsMax = 16;
  int made[kSocketsMax];
  for (int& fd : made) fd = -1;
  if (sockets.size() > kSocketsMax) return std::unexpected("too many sockets at once");
  Work work{.pidfd = pidfd, .prepare = prepare, .all_local = all_local, .sockets = sockets, .made = made};
  auto run = [&work]() noexcept { do_inside(work); };
  if (!sandbox::run_in_child(CLONE_FILES, run)) return std::unexpected(std::string("clone: ") + std::strerror(errno));
  for (std::size_t i = 0; i < sockets.size(); ++i) sockets[i].fd = Fd(made[i]);
  if (!work.failed) return {};
  for (InsideSocket& socket : sockets) socket.fd.reset();
  return std::unexpected(std::string(work.failed) + ": " + std::strerror(work.cause));
}

}  // namespace parvis::network
