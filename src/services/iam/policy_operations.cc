// Customer managed policies. Source: IAM API Reference (2010-05-08).
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "core/time_format.h"
#include "http/message.h"
#include "services/iam/operations.h"

namespace parvis::iam {
namespace {

constexpr std::ptrdiff_t kDocumentMax = 6144;  // characters without white space
constexpr int kAttemptsMax = 10;

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

void check_document(const std::string& document) {
  check_policy_document(document);
  if (std::ranges::count_if(document, [](unsigned char c) { return !std::isspace(c); }) > kDocumentMax) {
    throw aws::ApiError(kLimitExceeded, fmt::format("Cannot exceed quota for PolicySize: {}", kDocumentMax));
  }
}

std::vector<model::Tag> tag_list(const ManagedPolicy& policy) {
  std::vector<model::Tag> out;
  for (const auto& [key, value] : policy.tags) {
    model::Tag& tag = out.emplace_back();
    tag.key = key;
    tag.value = value;
  }
  return out;
}

void put_tags(ManagedPolicy& policy, const std::optional<std::vector<model::Tag>>& tags) {
  if (tags) for (const model::Tag& tag : *tags) policy.tags[or_default(tag.key)] = or_default(tag.value);
  if (policy.tags.size() > 50) throw aws::ApiError(kLimitExceeded, "Cannot exceed quota for TagsPerPolicy: 50");
}

model::Policy describe(const std::string& account, const ManagedPolicy& policy, int attachments, bool whole) {
  model::Policy out;
  out.policy_name = policy.name;
  out.policy_id = policy.id;
  out.arn = policy.arn(account);
  out.path = policy.path;
  out.default_version_id = fmt::format("v{}", policy.default_version);
  out.attachment_count = attachments;
  out.permissions_boundary_usage_count = 0;
  out.is_attachable = true;
  out.create_date = aws::Timestamp{to_epoch_seconds(policy.created)};
  out.update_date = aws::Timestamp{to_epoch_seconds(policy.updated)};
  if (whole && !policy.description.empty()) out.description = policy.description;
  if (whole) out.tags = tag_list(policy);
  return out;
}

model::PolicyVersion describe(const ManagedPolicy& policy, const PolicyVersion& version, bool with_document) {
  model::PolicyVersion out;
  if (with_document) out.document = http::percent_encode(version.document);
  out.version_id = fmt::format("v{}", version.number);
  out.is_default_version = version.number == policy.default_version;
  out.create_date = aws::Timestamp{to_epoch_seconds(version.created)};
  return out;
}

std::vector<PolicyVersion>::iterator find_version(ManagedPolicy& policy, const std::string& id) {
  int number = 0;
  if (id.starts_with('v')) std::from_chars(id.data() + 1, id.data() + id.size(), number);
  const auto found = std::ranges::find(policy.versions, number, &PolicyVersion::number);
  if (found == policy.versions.end()) throw aws::ApiError(kNoSuchEntity, fmt::format("Policy version {} does not exist for this policy.", id));
  return found;
}

}  // namespace

awaitable<IamService::Holders> IamService::holders(std::string account, std::string arn) {
  Holders out;
  for (std::string after;;) {
    const RoleStore::Page page = co_await roles_.list(account, after, 1000);
    if (after.empty()) out.guard = page.guard;
    for (const Role& role : page.roles) if (std::ranges::find(role.attached, arn) != role.attached.end()) out.roles.push_back(role);
    if (!page.more || page.roles.empty()) co_return out;
    after = page.roles.back().name;
  }
}

awaitable<model::CreatePolicyOutput> IamService::create_managed(aws::CallContext call, model::CreatePolicyInput in) {
  ManagedPolicy policy;
  policy.name = or_default(in.policy_name);
  policy.id = "ANPA" + entropy_.token(17, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
  policy.path = or_default<std::string>(in.path, "/");
  policy.description = or_default(in.description);
  policy.created = policy.updated = clock_.wall();
  policy.versions.push_back({1, or_default(in.policy_document), policy.created});
  check_document(policy.versions.front().document);
  put_tags(policy, in.tags);
  co_await policies_.create(call.scope.account, policy);
  model::CreatePolicyOutput out;
  out.policy = describe(call.scope.account, policy, 0, false);
  if (!policy.tags.empty()) out.policy->tags = tag_list(policy);
  co_return out;
}

awaitable<model::GetPolicyOutput> IamService::get_managed(aws::CallContext call, model::GetPolicyInput in) {
  const auto found = co_await policies_.get(call.scope.account, or_default(in.policy_arn));
  const Holders holding = co_await holders(call.scope.account, or_default(in.policy_arn));
  model::GetPolicyOutput out;
  out.policy = describe(call.scope.account, found.policy, static_cast<int>(holding.roles.size()), true);
  co_return out;
}

awaitable<model::DeletePolicyOutput> IamService::delete_managed(aws::CallContext call, model::DeletePolicyInput in) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto found = co_await policies_.get(call.scope.account, or_default(in.policy_arn));
    Holders holding = co_await holders(call.scope.account, or_default(in.policy_arn));
    if (!holding.roles.empty()) throw aws::ApiError(kDeleteConflict, "Cannot delete a policy attached to entities.");
    if (found.policy.versions.size() > 1) {
      throw aws::ApiError(kDeleteConflict, "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.");
    }
    if (co_await policies_.remove(std::move(found), std::move(holding.guard))) co_return model::DeletePolicyOutput{};
  }
  throw aws::ApiError(kConcurrentModification, "The policy is being changed by another request.");
}

awaitable<model::ListPoliciesOutput> IamService::list_managed(aws::CallContext call, model::ListPoliciesInput in) {
  const auto limit = static_cast<std::size_t>(std::clamp(or_default(in.max_items, 100), 1, 1000));
  const auto page = co_await policies_.list(call.scope.account, or_default(in.marker), limit);
  model::ListPoliciesOutput out;
  out.policies.emplace();
  for (const ManagedPolicy& policy : page.policies) {
    if (!policy.path.starts_with(or_default<std::string>(in.path_prefix, "/"))) continue;
    const Holders holding = co_await holders(call.scope.account, policy.arn(call.scope.account));
    if (or_default(in.only_attached) && holding.roles.empty()) continue;
    out.policies->push_back(describe(call.scope.account, policy, static_cast<int>(holding.roles.size()), false));
  }
  out.is_truncated = page.more && !page.policies.empty();
  if (*out.is_truncated) out.marker = page.policies.back().name;
  co_return out;
}

awaitable<model::CreatePolicyVersionOutput> IamService::create_version(aws::CallContext call, model::CreatePolicyVersionInput in) {
  check_document(or_default(in.policy_document));
  model::CreatePolicyVersionOutput out;
  co_await policies_.modify(call.scope.account, or_default(in.policy_arn), [&](ManagedPolicy& policy) {
    if (policy.versions.size() >= kPolicyVersionsMax) {
      throw aws::ApiError(kLimitExceeded, "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.");
    }
    policy.versions.push_back({policy.next_version++, or_default(in.policy_document), clock_.wall()});
    policy.updated = policy.versions.back().created;
    if (or_default(in.set_as_default)) policy.default_version = policy.versions.back().number;
    out.policy_version = describe(policy, policy.versions.back(), false);
  });
  co_return out;
}

awaitable<model::GetPolicyVersionOutput> IamService::get_version(aws::CallContext call, model::GetPolicyVersionInput in) {
  auto found = co_await policies_.get(call.scope.account, or_default(in.policy_arn));
  model::GetPolicyVersionOutput out;
  out.policy_version = describe(found.policy, *find_version(found.policy, or_default(in.version_id)), true);
  co_return out;
}

awaitable<model::ListPolicyVersionsOutput> IamService::list_versions(aws::CallContext call, model::ListPolicyVersionsInput in) {
  const auto found = co_await policies_.get(call.scope.account, or_default(in.policy_arn));
  model::ListPolicyVersionsOutput out;
  out.versions.emplace();
  for (auto version = found.policy.versions.rbegin(); version != found.policy.versions.rend(); ++version) out.versions->push_back(describe(found.policy, *version, false));
  out.is_truncated = false;
  co_return out;
}

awaitable<model::DeletePolicyVersionOutput> IamService::delete_version(aws::CallContext call, model::DeletePolicyVersionInput in) {
  co_await policies_.modify(call.scope.account, or_default(in.policy_arn), [&](ManagedPolicy& policy) {
    const auto found = find_version(policy, or_default(in.version_id));
    if (found->number == policy.default_version) throw aws::ApiError(kDeleteConflict, "Cannot delete the default version of a policy.");
    policy.versions.erase(found);
  });
  co_return model::DeletePolicyVersionOutput{};
}

awaitable<model::SetDefaultPolicyVersionOutput> IamService::set_default_version(aws::CallContext call, model::SetDefaultPolicyVersionInput in) {
  co_await policies_.modify(call.scope.account, or_default(in.policy_arn), [&](ManagedPolicy& policy) {
    policy.default_version = find_version(policy, or_default(in.version_id))->number;
    policy.updated = clock_.wall();
  });
  co_return model::SetDefaultPolicyVersionOutput{};
}

awaitable<model::ListEntitiesForPolicyOutput> IamService::list_entities(aws::CallContext call, model::ListEntitiesForPolicyInput in) {
  const std::string arn = or_default(in.policy_arn);
  if (!arn.starts_with(kAwsPolicyPrefix)) co_await policies_.get(call.scope.account, arn);
  const Holders holding = co_await holders(call.scope.account, arn);
  model::ListEntitiesForPolicyOutput out;
  out.policy_groups.emplace();
  out.policy_users.emplace();
  out.policy_roles.emplace();
  const std::string kind = or_default<std::string>(in.entity_filter, "Role");
  for (const Role& role : holding.roles) {
    if (kind != "Role" || !role.path.starts_with(or_default<std::string>(in.path_prefix, "/"))) continue;
    auto& entry = out.policy_roles->emplace_back();
    entry.role_name = role.name;
    entry.role_id = role.id;
  }
  out.is_truncated = false;
  co_return out;
}

awaitable<model::TagPolicyOutput> IamService::tag_managed(aws::CallContext call, model::TagPolicyInput in) {
  co_await policies_.modify(call.scope.account, or_default(in.policy_arn), [&](ManagedPolicy& policy) { put_tags(policy, in.tags); });
  co_return model::TagPolicyOutput{};
}

awaitable<model::UntagPolicyOutput> IamService::untag_managed(aws::CallContext call, model::UntagPolicyInput in) {
  co_await policies_.modify(call.scope.account, or_default(in.policy_arn), [&](ManagedPolicy& policy) {
    for (const std::string& key : or_default(in.tag_keys)) policy.tags.erase(key);
  });
  co_return model::UntagPolicyOutput{};
}

awaitable<model::ListPolicyTagsOutput> IamService::list_managed_tags(aws::CallContext call, model::ListPolicyTagsInput in) {
  const auto found = co_await policies_.get(call.scope.account, or_default(in.policy_arn));
  model::ListPolicyTagsOutput out;
  out.tags = tag_list(found.policy);
  out.is_truncated = false;
  co_return out;
}

}  // namespace parvis::iam
