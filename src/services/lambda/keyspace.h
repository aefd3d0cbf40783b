// lambda/keyspace.h: what this service stores, and under which keys.
//
//   (account, region, "lambda", "function", name)            the function's record, JSON (function.h)
//   (account, region, "lambda", "package") and on           deployment packages, as storage/blob_store.h lays blobs out
//   (account, region, "lambda", "loose", blob id)            a package that no record names: on its way in, or out (code.h)
//   (account, region, "lambda", "event", event id)           an asynchronous event of an earlier version: it becomes a task
//
// Keys are tuples of strings (storage/tuple.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "storage/tuple.h"

namespace parvis::lambda {

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
inline std::string package_prefix(std::string_view account, std::string_view region) {
  return tuple_key({account, region, "lambda", "package"});
}
inline std::string loose_package_prefix(std::string_view account, std::string_view region) {
  return tuple_key({account, region, "lambda", "loose"});
}
inline std::string loose_package_key(std::string_view account, std::string_view region, std::string_view blob_id) {
  return tuple_key({account, region, "lambda", "loose", blob_id});
}
inline std::string event_prefix(std::string_view account, std::string_view region) {
  return tuple_key({account, region, "lambda", "event"});
}
inline std::string event_key(std::string_view account, std::string_view region, std::string_view id) {
  return tuple_key({account, region, "lambda", "event", id});
}

}  // namespace parvis::lambda
