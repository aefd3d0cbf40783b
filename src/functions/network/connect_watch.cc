#include "functions/network/connect_watch.h"

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/posix/stream_descriptor.hpp>

namespace parvis::network {
namespace {

// The IPv4 address, or what an IPv6 one stands for ("::ffff:1.2.3.4"); false for all else.
bool read_address(const seccomp_notif& call, std::uint32_t& address, std::uint16_t& port) {
  alignas(sockaddr_in6) char bytes[sizeof(sockaddr_in6)] = {};
  const std::size_t size = std::min<std::size_t>(call.data.args[2], sizeof bytes);
  const iovec here{bytes, size}, there{reinterpret_cast<void*>(call.data.args[1]), size};
  if (size < sizeof(sockaddr_in) || process_vm_readv(static_cast<pid_t>(call.pid), &here, 1, &there, 1, 0) != static_cast<ssize_t>(size)) return false;
  sa_family_t family;
  std::memcpy(&family, bytes, sizeof family);
  if (family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, bytes, sizeof four);
    address = ntohl(four.sin_addr.s_addr);
    port = ntohs(four.sin_port);
    return true;
  }
  if (family != AF_INET6 || size < sizeof(sockaddr_in6)) return false;
  sockaddr_in6 six;
  std::memcpy(&six, bytes, sizeof six);
  if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return false;
  std::memcpy(&address, six.sin6_addr.s6_addr + 12, sizeof address);
  address = ntohl(address);
  port = ntohs(six.sin6_port);
  return true;
}

class Watch final : public ConnectWatch, public std::enable_shared_from_this<Watch> {
 public:
  Watch(asio::io_context& context, Fd listener, std::function<void(std::uint32_t, std::uint16_t)> on_connect)
      : listener_(context, listener.release()), on_connect_(std::move(on_connect)) {}
  void wait() {
    listener_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](boost::system::error_code ended) {
      if (!ended && self->take_all()) self->wait();
    });
  }
  void stop() override {
    boost::system::error_code ignored;
    listener_.close(ignored);
  }

 private:
  // Answers the calls that wait, some at a time: others have this thread, too. False: no process is left that could make one.
  bool take_all() {
    for (int calls = 0; calls < 16; ++calls) {
      pollfd state{listener_.native_handle(), POLLIN, 0};
      if (::poll(&state, 1, 0) < 0) return errno == EINTR;
      if ((state.revents & POLLIN) == 0) return (state.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
      alignas(seccomp_notif) char space[512] = {};  // a newer kernel may write more than the structure that we know
      if (ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_RECV, space) != 0) {
        if (errno == ENOENT || errno == EINTR) continue;  // the caller was interrupted meanwhile
        return false;
      }
      seccomp_notif call;
      std::memcpy(&call, space, sizeof call);
      std::uint32_t address = 0;
      std::uint16_t port = 0;
      if (read_address(call, address, port)) on_connect_(address, port);
      alignas(seccomp_notif_resp) char reply[512] = {};
      const seccomp_notif_resp go_on{.id = call.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
      std::memcpy(reply, &go_on, sizeof go_on);
      ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_SEND, reply);
    }
    return true;
  }

  asio::posix::stream_descriptor listener_;
  std::function<void(std::uint32_t, std::uint16_t)> on_connect_;
};

}  // namespace

std::shared_ptr<ConnectWatch> ConnectWatch::start(asio::io_context& context, Fd listener, std::function<void(std::uint32_t, std::uint16_t)> on_connect) {
  auto watch = std::make_shared<Watch>(context, std::move(listener), std::move(on_connect));
  watch->wait();
  return watch;
}

}  // namespace parvis::network
