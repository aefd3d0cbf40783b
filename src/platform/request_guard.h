// platform/request_guard.h: who may drive an unsigned development port. A web page the developer happens to visit, or a
// DNS name rebound to 127.0.0.1, must not be able to call AWS APIs or read /_parvis/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace parvis::platform {

struct HostPort {
  std::string_view host;  // without brackets and port
  std::string_view port;  // may be empty
};
HostPort split_host(std::string_view host_header);

class RequestGuard {
 public:
  // `allowed_hosts`: names given with --allow-host, without port.
  explicit RequestGuard(std::vector<std::string> allowed_hosts) : allowed_(std::move(allowed_hosts)) {}
  // Loopback, localhost, *.localhost, or a listed one.
  bool host_allowed(std::string_view host_header) const;
  // For AWS APIs and /_parvis/: why the request is refused, or nullopt. Foreign Origin and Sec-Fetch-Site are refused.
  std::optional<std::string> refuse_api(const http::Request& request) const;

 private:
  std::vector<std::string> allowed_;
};

}  // namespace parvis::platform
