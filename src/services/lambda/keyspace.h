// lambda/keyspace.h: what this service stores, and under which keys.
//
//   (account, region, "lambda", "function", name)            the function's record, JSON (function.h): $LATEST
//   (account, region, "lambda", "part", id, kind, qualifier) what belongs to the function with this id, JSON:
//       kind "version", number of 10 digits                  a published version: a record that never changes
//       kind "alias", name                                   alias.h
//       kind "policy", "" or version or alias                policy.h
//       kind "event-invoke", "$LATEST" or version or alias   event_config.h
//       kind "runtime", "$LATEST" or version                 UpdateRuntimeOn of PutRuntimeManagementConfig
//       kind "url", "" or alias                              id of the function URL
//       kind "provisioned", version or alias                 provisioned.h
//   (account, region, "lambda", "provisioned", name)         a function that may have provisioned concurrency: for the next start
//   (account, region, "lambda", "url", url id)               the function URL, JSON (function_url.h)
//   (account, region, "lambda", "layer", name)               a layer: its next version number
//   (account, region, "lambda", "layer-version", name, number of 19 digits)   layer.h
//   (account, region, "lambda", "gone", id)                  a deleted function whose parts are still being removed
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
inline std::string parts_prefix(std::string_view account, std::string_view region, std::string_view function_id) {
  return tuple_key({account, region, "lambda", "part", function_id});
}
inline std::string part_prefix(std::string_view account, std::string_view region, std::string_view function_id, std::string_view kind) {
  return tuple_key({account, region, "lambda", "part", function_id, kind});
}
inline std::string part_key(std::string_view account, std::string_view region, std::string_view function_id, std::string_view kind,
                            std::string_view qualifier) {
  return tuple_key({account, region, "lambda", "part", function_id, kind, qualifier});
}
inline std::string gone_prefix(std::string_view account, std::string_view region) { return tuple_key({account, region, "lambda", "gone"}); }
inline std::string gone_key(std::string_view account, std::string_view region, std::string_view function_id) {
  return tuple_key({account, region, "lambda", "gone", function_id});
}
inline std::string url_key(std::string_view account, std::string_view region, std::string_view url_id) {
  return tuple_key({account, region, "lambda", "url", url_id});
}
inline std::string layer_prefix(std::string_view account, std::string_view region) { return tuple_key({account, region, "lambda", "layer"}); }
inline std::string layer_key(std::string_view account, std::string_view region, std::string_view name) {
  return tuple_key({account, region, "lambda", "layer", name});
}
inline std::string layer_versions_prefix(std::string_view account, std::string_view region, std::string_view name) {
  return tuple_key({account, region, "lambda", "layer-version", name});
}
inline std::string layer_version_key(std::string_view account, std::string_view region, std::string_view name, std::string_view number) {
  return tuple_key({account, region, "lambda", "layer-version", name, number});
}
inline std::string provisioned_prefix(std::string_view account, std::string_view region) {
  return tuple_key({account, region, "lambda", "provisioned"});
}
inline std::string provisioned_key(std::string_view account, std::string_view region, std::string_view name) {
  return tuple_key({account, region, "lambda", "provisioned", name});
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
