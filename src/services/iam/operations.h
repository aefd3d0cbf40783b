// iam/operations.h: the part of IAM that deployments need: roles, inline and attached policies, tags.
// Source: IAM API Reference (2010-05-08).
#pragma once

#include "aws/api_call.h"
#include "aws/resource_type.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "models/iam.h"
#include "services/iam/role.h"

namespace parvis::iam {

namespace model = aws::model::iam;

class IamService {  // thread-safe; everything given outlives it
 public:
  IamService(storage::Store& store, const Clock& clock, Entropy& entropy) : roles_(store), clock_(clock), entropy_(entropy) {}
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

  RoleStore roles_;
  const Clock& clock_;
  Entropy& entropy_;
};

// AWS::IAM::Role. `api` outlives `types`.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);

}  // namespace parvis::iam
