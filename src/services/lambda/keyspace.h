// lambda/keyspace.h: what this service stores, and under which keys.
//
//   (account, region, "lambda", "function", name)            the function's record, JSON (function.h)
//   (account, region, "lambda", "code", code id, chunk)      one piece of a deployment package, <= kCodeChunkBytes
//   (account, region, "lambda", "event", event id)           one accepted asynchronous event, JSON (event_queue.h)
//
// Keys are tuples of strings (storage/tuple.h); `chunk` is 4 bytes, big-endian, at the end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "storage/tuple.h"

namespace parvis::lambda {

inline constexpr std::size_t kCodeChunkBytes = 256u << 10;

inline std::string tuple_key(std::initializer_list<std::string_view> parts) {
  storage::TupleWriter out;
  for (std::string_view part : parts) out.string(part);
  return out.take();
}

inline std::string scope_prefix(std::string_view account, std::string_view region) { return tuple_key({account, region}); }
inline std::string function_prefix(std::string_view account, std::string_view region) {
  return tuple_key({account, region, "lambda", "function"});
}
inline std::string function_key(std::string_view account, std::string_view region, std::string_view name) {
  return tuple_key({account, region, "lambda", "function", name});
}
inline std::string code_prefix(std::string_view account, std::string_view region, std::string_view code_id) {
  return tuple_key({account, region, "lambda", "code", code_id});
}
inline std::string code_chunk_key(std::string_view account, std::string_view region, std::string_view code_id, std::uint32_t chunk) {
  std::string key = code_prefix(account, region, code_id);
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(chunk >> shift));
  return key;
}
inline std::string event_prefix(std::string_view account, std::string_view region) {
  return tuple_key({account, region, "lambda", "event"});
}
inline std::string event_key(std::string_view account, std::string_view region, std::string_view id) {
  return tuple_key({account, region, "lambda", "event", id});
}

}  // namespace parvis::lambda
