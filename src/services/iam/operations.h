// iam/operations.h: the part of IAM that deployments need: roles, inline, managed and attached policies, tags.
// Source: IAM API Reference (2010-05-08).
#pragma once

#include "aws/api_call.h"
#include "aws/resource_type.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "models/iam.h"
#include "services/iam/managed_policy.h"
#include "services/iam/role.h"

namespace parvis::iam {

namespace model = aws::model::iam;

class IamService {  // thread-safe; everything given outlives it
 public:
  IamService(storage::Store& store, const Clock& clock, Entropy& entropy) : roles_(store), policies_(store), clock_(clock), entropy_(entropy) {}
  void bind(aws::Registry& registry);

 private:
  awaitable<model::CreateRoleOutput> create_role(aws::CallContext call, model::CreateRoleInput in);
  awaitable<model::GetRoleOutput> get_role(aws::CallContext call, model::GetRoleInput in);
  awaitable<model::DeleteRoleOutput> delete_role(aws::CallContext call, model::DeleteRoleInput in);
  awaitable<model::ListRolesOutput> list_roles(aws::CallContext call, model::ListRolesInput in);
  awaitable<model::UpdateRoleOutput> update_role(aws::CallContext call, model::UpdateRoleInput in);
  awaitable<model::UpdateAssumeRolePolicyOutput> update_trust(aws::CallContext call, model::UpdateAssumeRolePolicyInput in);
  awaitable<model::PutRolePolicyOutput> put_policy(aws::CallContext call, model::PutRolePolicyInput in);
  awaitable<model::GetRolePolicyOutput> get_policy(aws::CallContext call, model::GetRolePolicyInput in);
  awaitable<model::DeleteRolePolicyOutput> delete_policy(aws::CallContext call, model::DeleteRolePolicyInput in);
  awaitable<model::ListRolePoliciesOutput> list_policies(aws::CallContext call, model::ListRolePoliciesInput in);
  awaitable<model::AttachRolePolicyOutput> attach(aws::CallContext call, model::AttachRolePolicyInput in);
  awaitable<model::DetachRolePolicyOutput> detach(aws::CallContext call, model::DetachRolePolicyInput in);
  awaitable<model::ListAttachedRolePoliciesOutput> list_attached(aws::CallContext call, model::ListAttachedRolePoliciesInput in);
  awaitable<model::TagRoleOutput> tag(aws::CallContext call, model::TagRoleInput in);
  awaitable<model::UntagRoleOutput> untag(aws::CallContext call, model::UntagRoleInput in);
  awaitable<model::ListRoleTagsOutput> list_tags(aws::CallContext call, model::ListRoleTagsInput in);

  awaitable<model::CreatePolicyOutput> create_managed(aws::CallContext call, model::CreatePolicyInput in);
  awaitable<model::GetPolicyOutput> get_managed(aws::CallContext call, model::GetPolicyInput in);
  awaitable<model::DeletePolicyOutput> delete_managed(aws::CallContext call, model::DeletePolicyInput in);
  awaitable<model::ListPoliciesOutput> list_managed(aws::CallContext call, model::ListPoliciesInput in);
  awaitable<model::CreatePolicyVersionOutput> create_version(aws::CallContext call, model::CreatePolicyVersionInput in);
  awaitable<model::GetPolicyVersionOutput> get_version(aws::CallContext call, model::GetPolicyVersionInput in);
  awaitable<model::ListPolicyVersionsOutput> list_versions(aws::CallContext call, model::ListPolicyVersionsInput in);
  awaitable<model::DeletePolicyVersionOutput> delete_version(aws::CallContext call, model::DeletePolicyVersionInput in);
  awaitable<model::SetDefaultPolicyVersionOutput> set_default_version(aws::CallContext call, model::SetDefaultPolicyVersionInput in);
  awaitable<model::ListEntitiesForPolicyOutput> list_entities(aws::CallContext call, model::ListEntitiesForPolicyInput in);
  awaitable<model::TagPolicyOutput> tag_managed(aws::CallContext call, model::TagPolicyInput in);
  awaitable<model::UntagPolicyOutput> untag_managed(aws::CallContext call, model::UntagPolicyInput in);
  awaitable<model::ListPolicyTagsOutput> list_managed_tags(aws::CallContext call, model::ListPolicyTagsInput in);

  struct Holders {
    std::vector<Role> roles;
    storage::RangeGuard guard;  // that no role has changed since
  };
  awaitable<Holders> holders(std::string account, std::string arn);  // roles that have the policy attached

  RoleStore roles_;
  PolicyStore policies_;
  const Clock& clock_;
  Entropy& entropy_;
};

// AWS::IAM::Role, Policy, ManagedPolicy, RolePolicy. `api` outlives `types`.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);
void add_policy_types(aws::ResourceTypes& types, aws::ApiClient& api);  // called by add_resource_types

}  // namespace parvis::iam
