// ssm/parameter_store.h: parameters with their versions, labels and tags. Owns the keyspace `ssm`:
//
//   (account, region, "ssm", "parameter", name)            the parameter and its newest version, JSON
//   (account, region, "ssm", "version", id, u64 version)   each version, JSON; at most kVersionsMax
//
// Values of SecureStrings are sealed (core/seal.h) with the parameter's ARN as context. Every change is one checked commit.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "core/seal.h"
#include "storage/retry.h"
#include "storage/store.h"

namespace parvis::ssm {

inline constexpr std::size_t kVersionsMax = 100, kTagsMax = 50, kLabelsMax = 10;

struct ParameterVersion {
  std::uint64_t version = 0;
  std::string type, value;  // value as stored: base64 of the sealed bytes for a SecureString
  std::string description, key_id, allowed_pattern, tier = "Standard", data_type = "text", modified_by;
  Millis modified{};
};
struct ParameterRecord {
  std::string id, name;
  std::uint64_t oldest = 1;                     // version still kept
  ParameterVersion latest;
  std::map<std::string, std::uint64_t> labels;  // to the version that carries it
  std::map<std::string, std::string> tags;
};

class ParameterStore {  // thread-safe; everything given outlives it
 public:
  ParameterStore(storage::Store& store, const SealKey& key, Entropy& entropy) : store_(store), key_(key), entropy_(entropy) {}

  struct Found {
    ParameterRecord record;
    storage::Version version = 0;
  };
  awaitable<std::optional<Found>> find(aws::Scope scope, std::string name);
  awaitable<std::optional<ParameterVersion>> version(aws::Scope scope, std::string id, std::uint64_t version);
  awaitable<std::vector<ParameterVersion>> versions(aws::Scope scope, ParameterRecord record);
  // Writes the record as it is; with `new_version` its latest version too, without the oldest one when there are too many. False:
  // the stored one no longer carries `expected`.
  awaitable<bool> write(aws::Scope scope, ParameterRecord record, std::optional<storage::Version> expected, bool new_version);
  // False: there is none.
  awaitable<bool> remove(aws::Scope scope, std::string name);
  // Changes labels or tags. Throws TooManyUpdates; false: there is no such parameter.
  awaitable<bool> modify(aws::Scope scope, std::string name, std::function<void(ParameterRecord&)> change);
  // In order of their names, from behind `after`, which begin with `prefix`.
  struct Page { std::vector<ParameterRecord> records; bool more = false; };
  awaitable<Page> list(aws::Scope scope, std::string prefix, std::string after);

  std::string seal(const std::string& plain, const std::string& arn);
  // Throws InternalServerError: sealed with another key.
  std::string open(const std::string& stored, const std::string& arn) const;

 private:
  awaitable<bool> replace(storage::Replacement replacement);

  storage::Store& store_;
  const SealKey& key_;
  Entropy& entropy_;
};

}  // namespace parvis::ssm
