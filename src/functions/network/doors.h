// functions/network/doors.h: what a worker finds in the network namespace of its own. The platform makes listening sockets in there
// and serves them itself:
//
//   127.0.0.1:53 (UDP, TCP)   names: AWS's and localhost's are 127.0.0.1; others do not exist (kPlatform), or the host's name servers
//                             are asked for their IPv4 addresses (kOutbound)
//   127.0.0.1:80, :aws_port   the platform, plain
//   127.0.0.1:443             the platform, under a certificate of the name that was asked for
//   127.0.0.1:9001            this worker's Runtime API, when it is a bootstrap
//   any other address:port    kOutbound: forwarded by TCP from the host's network, once the worker has called connect() for it; never to the
//                             host's loopback, link-local, multicast or reserved addresses. Where the far side refuses, the worker's
//                             connection is closed after it was opened.
//
// Limits per worker: 256 open connections (past it they are closed at once), 64 destinations that are listened for (the oldest goes),
// 32 questions on their way. A TLS handshake or a question by TCP has 10 s.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/async.h"
#include "core/entropy.h"
#include "core/fd.h"
#include "functions/network/authority.h"
#include "functions/network/names.h"
#include "functions/sandbox/policy.h"

namespace parvis::network {

inline constexpr std::uint16_t kRuntimeApiPort = 9001;

// Takes over a connection that carries plain HTTP. The second value is held as long as it lives.
using ServeConnection = std::function<void(Fd, std::shared_ptr<void>)>;

struct HostOptions {
  std::vector<asio::io_context*> contexts;  // one thread each; they outlive the host and its doors
  ServeConnection serve;                    // any thread
  std::shared_ptr<Authority> authority;
  std::uint16_t aws_port = 4566;
  Reach reach = Reach::kOutbound;           // what no worker goes beyond
  std::string resolv_conf = "/etc/resolv.conf", hosts = "/etc/hosts";
};

// The doors of one worker. They close with the object. Thread-safe.
class Doors {
 public:
  virtual ~Doors() = default;
  virtual void watch(Fd connects) = 0;  // functions::Process::connects; needed for kOutbound
  virtual void narrow(Reach reach) = 0;  // the worker has learnt its function; what is wider than now changes nothing
};

class Host {  // thread-safe
 public:
  explicit Host(HostOptions options);
  ~Host();
  // For the process in its namespaces, before it runs. The error is a sentence.
  std::expected<std::shared_ptr<Doors>, std::string> open(pid_t pid, ServeConnection runtime_api = {});
  // What stands under /etc in the worker's root.
  std::vector<sandbox::TextFile> files() const;
  Reach reach() const;
  const Authority& authority() const;
  // Serves the platform under certificates on a loopback port of the host, for workers without a network of their own. Throws
  // std::system_error. Returns the port.
  std::uint16_t listen_on_host();

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

// Whether outbound connections may go there (IPv4, host byte order).
bool may_leave(std::uint32_t address);

}  // namespace parvis::network
