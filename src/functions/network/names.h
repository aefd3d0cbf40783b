// functions/network/names.h: which names mean the platform inside a worker. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace parvis::network {

// How far a worker's connections go; each includes the one before.
enum class Reach {
  kNone,      // nowhere; a bootstrap has its own Runtime API
  kPlatform,  // the platform's services
  kOutbound,  // what else the host reaches by TCP, but neither its own loopback services nor link-local addresses
};
// "none", "platform", "outbound"; nullopt for anything else.
constexpr std::optional<Reach> parse_reach(std::string_view text) {
  if (text == "none") return Reach::kNone;
  if (text == "platform") return Reach::kPlatform;
  if (text == "outbound") return Reach::kOutbound;
  return std::nullopt;
}

// The domains of AWS's services; code that spells them reaches the platform. Subject names of the certificates stay inside them.
inline constexpr std::string_view kPlatformDomains[] = {"amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws", "amazoncognito.com"};

// Whether `name` (any case, a trailing dot allowed) is one of these domains or lies below one.
bool is_platform_name(std::string_view name);
// "localhost" and what is below it; and what SDKs make of a platform's address when an operation has a host prefix
// ("sync-127.0.0.1"), or a bucket ("bucket.127.0.0.1").
bool is_local_name(std::string_view name);

}  // namespace parvis::network
