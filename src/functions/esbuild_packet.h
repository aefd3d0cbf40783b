// functions/esbuild_packet.h: the packets of esbuild's long-running process, both ways: a length (u32, little endian), the
// number of the exchange with the kind in its lowest bit, then one value. Values are JSON's, and bytes, which are read as strings.
// Source: the encoding that esbuild 0.28's own JavaScript API uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

namespace parvis::functions {

struct EsbuildPacket {
  std::uint32_t id = 0;
  bool is_request = true;
  boost::json::value value;
};

inline constexpr std::size_t kEsbuildPacketBytesMax = 1u << 30;

std::string encode(const EsbuildPacket& packet);  // with its length
// `bytes` is what follows the length. nullopt: it is no packet.
std::optional<EsbuildPacket> decode(std::string_view bytes);

}  // namespace parvis::functions
