#include "services/iam/operations.h"

#include <algorithm>

#include "core/time_format.h"
#include "http/message.h"

namespace parvis::iam {
namespace {

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

model::Role describe(const std::string& account, const Role& role, bool with_tags = true) {
  model::Role out;
  out.path = role.path;
  out.role_name = role.name;
  out.role_id = role.id;
  out.arn = role.arn(account);
  out.create_date = aws::Timestamp{to_epoch_seconds(role.created)};
  out.assume_role_policy_document = http::percent_encode(role.trust_policy);  // as the service sends documents
  if (!role.description.empty()) out.description = role.description;
  out.max_session_duration = role.max_session_seconds;
  if (!role.permissions_boundary.empty()) {
    out.permissions_boundary.emplace().permissions_boundary_type = "Policy";
    out.permissions_boundary->permissions_boundary_arn = role.permissions_boundary;
  }
  if (with_tags && !role.tags.empty()) {
    out.tags.emplace();
    for (const auto& [key, value] : role.tags) {
      model::Tag tag;
      tag.key = key;
      tag.value = value;
      out.tags->push_back(std::move(tag));
    }
  }
  return out;
}

void put_tags(Role& role, const std::optional<std::vector<model::Tag>>& tags) {
  if (tags) {
    for (const model::Tag& tag : *tags) role.tags[or_default(tag.key)] = or_default(tag.value);
  }
  if (role.tags.size() > 50) throw aws::ApiError(kLimitExceeded, "Cannot exceed quota for TagsPerRole: 50");
}

// Answers here are never cut, so a Marker can only be one that we did not give.
template <class Output>
Output whole(Output out) {
  out.is_truncated = false;
  return out;
}

}  // namespace

void IamService::bind(aws::Registry& registry) {
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) {
      return (this->*method)(std::move(call), std::move(in));
    });
  };
  bind(model::CreateRole{}, &IamService::create_role);
  bind(model::GetRole{}, &IamService::get_role);
  bind(model::DeleteRole{}, &IamService::delete_role);
  bind(model::ListRoles{}, &IamService::list_roles);
  bind(model::UpdateRole{}, &IamService::update_role);
  bind(model::UpdateAssumeRolePolicy{}, &IamService::update_trust);
  bind(model::PutRolePolicy{}, &IamService::put_policy);
  bind(model::GetRolePolicy{}, &IamService::get_policy);
  bind(model::DeleteRolePolicy{}, &IamService::delete_policy);
  bind(model::ListRolePolicies{}, &IamService::list_policies);
  bind(model::AttachRolePolicy{}, &IamService::attach);
  bind(model::DetachRolePolicy{}, &IamService::detach);
  bind(model::ListAttachedRolePolicies{}, &IamService::list_attached);
  bind(model::TagRole{}, &IamService::tag);
  bind(model::UntagRole{}, &IamService::untag);
  bind(model::ListRoleTags{}, &IamService::list_tags);
  bind(model::CreatePolicy{}, &IamService::create_managed);
  bind(model::GetPolicy{}, &IamService::get_managed);
  bind(model::DeletePolicy{}, &IamService::delete_managed);
  bind(model::ListPolicies{}, &IamService::list_managed);
  bind(model::CreatePolicyVersion{}, &IamService::create_version);
  bind(model::GetPolicyVersion{}, &IamService::get_version);
  bind(model::ListPolicyVersions{}, &IamService::list_versions);
  bind(model::DeletePolicyVersion{}, &IamService::delete_version);
  bind(model::SetDefaultPolicyVersion{}, &IamService::set_default_version);
  bind(model::ListEntitiesForPolicy{}, &IamService::list_entities);
  bind(model::TagPolicy{}, &IamService::tag_managed);
  bind(model::UntagPolicy{}, &IamService::untag_managed);
  bind(model::ListPolicyTags{}, &IamService::list_managed_tags);
}

awaitable<model::CreateRoleOutput> IamService::create_role(aws::CallContext call, model::CreateRoleInput in) {
  Role role;
  role.name = or_default(in.role_name);
  role.id = "AROA" + entropy_.token(17, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
  role.path = or_default<std::string>(in.path, "/");
  role.description = or_default(in.description);
  role.trust_policy = or_default(in.assume_role_policy_document);
  role.permissions_boundary = or_default(in.permissions_boundary);
  role.max_session_seconds = or_default(in.max_session_duration, 3600);
  role.created = clock_.wall();
  check_policy_document(role.trust_policy);
  put_tags(role, in.tags);
  co_await roles_.create(call.scope.account, role);
  model::CreateRoleOutput out;
  out.role = describe(call.scope.account, role);
  co_return out;
}

awaitable<model::GetRoleOutput> IamService::get_role(aws::CallContext call, model::GetRoleInput in) {
  model::GetRoleOutput out;
  out.role = describe(call.scope.account, co_await roles_.get(call.scope.account, or_default(in.role_name)));
  co_return out;
}

awaitable<model::DeleteRoleOutput> IamService::delete_role(aws::CallContext call, model::DeleteRoleInput in) {
  co_await roles_.remove(call.scope.account, or_default(in.role_name));
  co_return model::DeleteRoleOutput{};
}

awaitable<model::ListRolesOutput> IamService::list_roles(aws::CallContext call, model::ListRolesInput in) {
  const auto limit = static_cast<std::size_t>(std::clamp(or_default(in.max_items, 100), 1, 1000));
  const RoleStore::Page page = co_await roles_.list(call.scope.account, or_default(in.marker), limit);
  model::ListRolesOutput out;
  out.roles.emplace();
  for (const Role& role : page.roles) {
    if (role.path.starts_with(or_default<std::string>(in.path_prefix, "/"))) out.roles->push_back(describe(call.scope.account, role, false));
  }
  out.is_truncated = page.more && !page.roles.empty();
  if (*out.is_truncated) out.marker = page.roles.back().name;
  co_return out;
}

awaitable<model::UpdateRoleOutput> IamService::update_role(aws::CallContext call, model::UpdateRoleInput in) {
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) {
    if (in.description) role.description = *in.description;
    if (in.max_session_duration) role.max_session_seconds = *in.max_session_duration;
  });
  co_return model::UpdateRoleOutput{};
}

awaitable<model::UpdateAssumeRolePolicyOutput> IamService::update_trust(aws::CallContext call, model::UpdateAssumeRolePolicyInput in) {
  check_policy_document(or_default(in.policy_document));
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) { role.trust_policy = *in.policy_document; });
  co_return model::UpdateAssumeRolePolicyOutput{};
}

awaitable<model::PutRolePolicyOutput> IamService::put_policy(aws::CallContext call, model::PutRolePolicyInput in) {
  check_policy_document(or_default(in.policy_document));
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) {
    role.policies[or_default(in.policy_name)] = *in.policy_document;
    std::size_t size = 0;
    for (const auto& [name, document] : role.policies) {
      size += static_cast<std::size_t>(std::ranges::count_if(document, [](unsigned char c) { return !std::isspace(c); }));
    }
    if (size > 10'240) throw aws::ApiError(kLimitExceeded, "Maximum policy size of 10240 bytes exceeded for role " + role.name);
  });
  co_return model::PutRolePolicyOutput{};
}

awaitable<model::GetRolePolicyOutput> IamService::get_policy(aws::CallContext call, model::GetRolePolicyInput in) {
  const Role role = co_await roles_.get(call.scope.account, or_default(in.role_name));
  const auto it = role.policies.find(or_default(in.policy_name));
  if (it == role.policies.end()) {
    throw aws::ApiError(kNoSuchEntity, "The role policy with name " + or_default(in.policy_name) + " cannot be found.");
  }
  model::GetRolePolicyOutput out;
  out.role_name = role.name;
  out.policy_name = it->first;
  out.policy_document = http::percent_encode(it->second);
  co_return out;
}

awaitable<model::DeleteRolePolicyOutput> IamService::delete_policy(aws::CallContext call, model::DeleteRolePolicyInput in) {
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) {
    if (role.policies.erase(or_default(in.policy_name)) == 0) {
      throw aws::ApiError(kNoSuchEntity, "The role policy with name " + or_default(in.policy_name) + " cannot be found.");
    }
  });
  co_return model::DeleteRolePolicyOutput{};
}

awaitable<model::ListRolePoliciesOutput> IamService::list_policies(aws::CallContext call, model::ListRolePoliciesInput in) {
  const Role role = co_await roles_.get(call.scope.account, or_default(in.role_name));
  model::ListRolePoliciesOutput out;
  out.policy_names.emplace();
  for (const auto& [name, document] : role.policies) out.policy_names->push_back(name);
  co_return whole(std::move(out));
}

awaitable<model::AttachRolePolicyOutput> IamService::attach(aws::CallContext call, model::AttachRolePolicyInput in) {
  const std::string arn = or_default(in.policy_arn);
  // Managed policies of AWS's own are known by name alone; one of the account must be there when the role is written.
  std::optional<storage::Check> exists;
  if (!arn.starts_with(kAwsPolicyPrefix)) {
    try {
      exists = (co_await policies_.get(call.scope.account, arn)).check;
    } catch (const aws::ApiError& error) {
      if (error.code() != kNoSuchEntity.code) throw;
    }
    if (!exists) throw aws::ApiError(kNoSuchEntity, "Policy " + arn + " does not exist or is not attachable.");
  }
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) {
    if (std::ranges::find(role.attached, arn) != role.attached.end()) return;
    if (role.attached.size() >= 20) throw aws::ApiError(kLimitExceeded, "Cannot exceed quota for PoliciesPerRole: 20");
    role.attached.push_back(arn);
  }, exists);
  co_return model::AttachRolePolicyOutput{};
}

awaitable<model::DetachRolePolicyOutput> IamService::detach(aws::CallContext call, model::DetachRolePolicyInput in) {
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) {
    if (std::erase(role.attached, or_default(in.policy_arn)) == 0) {
      throw aws::ApiError(kNoSuchEntity, "Policy " + or_default(in.policy_arn) + " was not found.");
    }
  });
  co_return model::DetachRolePolicyOutput{};
}

awaitable<model::ListAttachedRolePoliciesOutput> IamService::list_attached(aws::CallContext call, model::ListAttachedRolePoliciesInput in) {
  const Role role = co_await roles_.get(call.scope.account, or_default(in.role_name));
  model::ListAttachedRolePoliciesOutput out;
  out.attached_policies.emplace();
  for (const std::string& arn : role.attached) {
    model::AttachedPolicy policy;
    policy.policy_arn = arn;
    policy.policy_name = arn.substr(arn.rfind('/') + 1);
    out.attached_policies->push_back(std::move(policy));
  }
  co_return whole(std::move(out));
}

awaitable<model::TagRoleOutput> IamService::tag(aws::CallContext call, model::TagRoleInput in) {
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) { put_tags(role, in.tags); });
  co_return model::TagRoleOutput{};
}

awaitable<model::UntagRoleOutput> IamService::untag(aws::CallContext call, model::UntagRoleInput in) {
  co_await roles_.modify(call.scope.account, or_default(in.role_name), [&](Role& role) {
    for (const std::string& key : or_default(in.tag_keys)) role.tags.erase(key);
  });
  co_return model::UntagRoleOutput{};
}

awaitable<model::ListRoleTagsOutput> IamService::list_tags(aws::CallContext call, model::ListRoleTagsInput in) {
  const Role role = co_await roles_.get(call.scope.account, or_default(in.role_name));
  model::ListRoleTagsOutput out;
  out.tags = or_default(describe(call.scope.account, role).tags);
  co_return whole(std::move(out));
}

}  // namespace parvis::iam
