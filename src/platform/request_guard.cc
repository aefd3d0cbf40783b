#include "platform/request_guard.h"

#include <algorithm>

#include <fmt/format.h>

#include "functions/network/names.h"

namespace parvis::platform {

HostPort split_host(std::string_view header) {
  if (header.starts_with('[')) {  // [::1]:4566
    const auto close = header.find(']');
    if (close == std::string_view::npos) return {header, {}};
    const auto rest = header.substr(close + 1);
    return {header.substr(1, close - 1), rest.starts_with(':') ? rest.substr(1) : std::string_view{}};
  }
  const auto colon = header.rfind(':');
  if (colon == std::string_view::npos) return {header, {}};
  return {header.substr(0, colon), header.substr(colon + 1)};
}

bool RequestGuard::host_allowed(std::string_view header) const {
  const std::string_view host = split_host(header).host;
  if (host == "localhost" || host == "127.0.0.1" || host == "::1" || host.ends_with(".localhost")) return true;
  return std::ranges::find(allowed_, host) != allowed_.end();
}

std::optional<std::string> RequestGuard::refuse_api(const http::Request& request) const {
  // AWS's names are nobody's to point at this machine but the runtime clients'; pages say where they come from.
  const bool of_client = network::is_platform_name(split_host(request.host).host) && !request.headers.find("Origin") && !request.headers.find("Sec-Fetch-Site");
  if (!of_client && !host_allowed(request.host))
    return fmt::format("Host '{}' may not use this port; start with --allow-host {} to permit it", request.host,
                       split_host(request.host).host);
  if (const auto origin = request.headers.find("Origin"); origin && *origin != "null") {
    const auto scheme_end = origin->find("://");
    const std::string_view host = scheme_end == std::string_view::npos ? *origin : origin->substr(scheme_end + 3);
    if (!host_allowed(host))
      return fmt::format("a page of origin '{}' may not use this port; start with --allow-host {} to permit it", *origin,
                         split_host(host).host);
  } else if (origin) {
    return "a page without an origin may not use this port";
  }
  const std::string_view site = request.headers.get("Sec-Fetch-Site");
  if (site == "cross-site" && !request.headers.find("Origin"))
    return "a page of another site may not use this port";
  return std::nullopt;
}

}  // namespace parvis::platform
