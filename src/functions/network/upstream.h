// functions/network/upstream.h: questions that are not about the platform, asked of the host's own name servers.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "core/async.h"
#include "core/entropy.h"

namespace parvis::network {

// The first three name servers of a resolv.conf text, and its other lines that a resolver inside needs (search, options).
struct ResolvConf {
  std::vector<asio::ip::address> servers;
  std::string rest;
};
ResolvConf parse_resolv_conf(std::string_view text);

// Sends the question on under an id of its own and returns the answer under the caller's. Each server in turn has 2 s, over TCP when
// `stream`. Empty: nobody answered.
awaitable<std::string> ask_upstream(std::vector<asio::ip::address> servers, std::string query, bool stream, Entropy& entropy);

}  // namespace parvis::network
