// iam/managed_policy.h: customer managed policies and their versions, stored and readable; nothing is enforced yet (docs/security.md).
//
// Stored under (account, "aws-global", "iam", "policy", name) as JSON. Limits: 6,144 characters without white space, 5 versions.
// Source: IAM API Reference, CreatePolicy; IAM User Guide, quotas.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "storage/retry.h"
#include "storage/store.h"

namespace parvis::iam {

inline constexpr std::size_t kPolicyVersionsMax = 5;
inline constexpr std::string_view kAwsPolicyPrefix = "arn:aws:iam::aws:policy/";  // AWS's own: known by name alone

struct PolicyVersion {
  int number = 1;
  std::string document;
  Millis created{};
};
struct ManagedPolicy {
  std::string name, id, path = "/", description;
  Millis created{}, updated{};
  int default_version = 1, next_version = 2;
  std::vector<PolicyVersion> versions;  // oldest first
  std::map<std::string, std::string> tags;
  std::string arn(const std::string& account) const { return "arn:aws:iam::" + account + ":policy" + path + name; }
};

class PolicyStore {  // thread-safe; `store` outlives it
 public:
  explicit PolicyStore(storage::Store& store) : store_(store) {}
  struct Found {
    ManagedPolicy policy;
    storage::Check check;  // that it is still this one
  };
  awaitable<Found> get(std::string account, std::string arn);             // throws NoSuchEntity
  awaitable<> create(std::string account, ManagedPolicy policy);          // throws EntityAlreadyExists
  awaitable<> modify(std::string account, std::string arn, std::function<void(ManagedPolicy&)> change);
  // `guard`: roles as they were when none of them was found to have it attached. False: something changed meanwhile.
  awaitable<bool> remove(Found found, storage::RangeGuard guard);
  struct Page { std::vector<ManagedPolicy> policies; bool more = false; };
  awaitable<Page> list(std::string account, std::string after, std::size_t limit);

 private:
  awaitable<bool> replace(storage::Replacement replacement);
  storage::Store& store_;
};

}  // namespace parvis::iam
