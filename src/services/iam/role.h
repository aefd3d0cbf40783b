// iam/role.h: roles with their policies, stored and readable; nothing is enforced yet (docs/security.md).
//
// Stored under (account, "aws-global", "iam", "role", name) as JSON: IAM has no Regions.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "storage/store.h"

namespace parvis::iam {

inline constexpr aws::ErrorSpec kEntityAlreadyExists{"EntityAlreadyExists", 409, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kNoSuchEntity{"NoSuchEntity", 404, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kDeleteConflict{"DeleteConflict", 409, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kLimitExceeded{"LimitExceeded", 409, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kMalformedPolicyDocument{"MalformedPolicyDocument", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kConcurrentModification{"ConcurrentModification", 409, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kServiceFailure{"ServiceFailure", 500, aws::Fault::kServer};

struct Role {
  std::string name, id, path = "/", description, trust_policy, permissions_boundary;
  int max_session_seconds = 3600;
  Millis created{};
  std::map<std::string, std::string> policies;  // inline: name to document
  std::vector<std::string> attached;            // ARNs, in order of attachment
  std::map<std::string, std::string> tags;
  std::string arn(const std::string& account) const { return "arn:aws:iam::" + account + ":role" + path + name; }
};

class RoleStore {  // thread-safe; `store` outlives it
 public:
  explicit RoleStore(storage::Store& store) : store_(store) {}
  awaitable<Role> get(std::string account, std::string name);  // throws NoSuchEntity
  awaitable<> create(std::string account, Role role);          // throws EntityAlreadyExists
  awaitable<> modify(std::string account, std::string name, std::function<void(Role&)> change, std::optional<storage::Check> also = {});
  awaitable<> remove(std::string account, std::string name);   // throws NoSuchEntity, DeleteConflict
  struct Page {
    std::vector<Role> roles;
    bool more = false;
    storage::RangeGuard guard;  // that no role has changed since
  };
  awaitable<Page> list(std::string account, std::string after, std::size_t limit);

 private:
  struct Found { Role role; storage::Version version = 0; };
  awaitable<std::optional<Found>> find(std::string account, std::string name);
  // False: the stored one no longer carries `expected`. `role` nullopt: erases.
  awaitable<bool> write(std::string account, std::string name, std::optional<Role> role, std::optional<storage::Version> expected,
                         std::optional<storage::Check> also = {});
  storage::Store& store_;
};

// Throws MalformedPolicyDocument: not a JSON object with statements; LimitExceeded: over 10,240 characters in total is
// the caller's business. Source: IAM API Reference, CreateRole, PutRolePolicy.
void check_policy_document(const std::string& document);

}  // namespace parvis::iam
