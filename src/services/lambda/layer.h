// lambda/layer.h: layers: numbered packages that functions share. A version never changes; a deleted one can be neither read
// nor taken by another function, and its package stays for those that have it.
// Source: Developer Guide, "Managing Lambda dependencies with layers"; Lambda API Reference, PublishLayerVersion.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lambda/function_store.h"
#include "services/lambda/policy.h"

namespace parvis::lambda {

inline constexpr std::size_t kLayersMax = 5;  // of one function

struct LayerVersion {
  aws::Scope scope;
  std::string name;
  std::int64_t number = 0;
  std::string description, license;
  std::vector<std::string> runtimes, architectures;
  CodeRef code;
  Millis created{};
  bool deleted = false;
  Policy policy;
  std::string token;  // of the step of a stack that published it; empty for calls of the API

  std::string layer_arn() const;
  std::string arn() const;  // with the number
};

std::string to_json(const LayerVersion& version);
std::optional<LayerVersion> parse_layer_version(std::string_view json);

// A layer's name, "arn:…:layer:name" or "arn:…:layer:name:3".
struct LayerRef {
  aws::Scope scope;
  std::string name;
  std::int64_t number = 0;  // 0: none given
};
// nullopt: malformed.
std::optional<LayerRef> parse_layer_ref(const aws::Scope& caller, std::string_view text);

struct StoredLayerVersion {
  LayerVersion value;
  storage::Version version = 0;
};

class LayerStore {  // thread-safe; `functions` outlives it
 public:
  explicit LayerStore(FunctionStore& functions) : functions_(functions) {}
  // Gives it the layer's next number and writes it, together with `with`.
  static std::string key_of(const LayerRef& ref);
  awaitable<LayerVersion> publish(LayerVersion version, storage::Commit with);
  awaitable<std::optional<StoredLayerVersion>> find(LayerRef ref);  // also a deleted one
  awaitable<bool> write(LayerVersion version, storage::Version expected, storage::Commit with = {});
  awaitable<bool> erase(LayerVersion version, storage::Version expected, storage::Commit with = {});
  // Names in order, those after `after`.
  struct Names { std::vector<std::string> names; bool more = false; };
  awaitable<Names> names(aws::Scope scope, std::string after, std::size_t limit);
  // Versions that are not deleted, the newest first, those below `below` (0: all).
  awaitable<std::vector<StoredLayerVersion>> versions(aws::Scope scope, std::string name, std::int64_t below = 0, bool deleted = false);

 private:
  FunctionStore& functions_;
};

}  // namespace parvis::lambda
