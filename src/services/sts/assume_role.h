// sts/assume_role.h: credentials of a role, for a caller that the role trusts.
#pragma once

#include "services/sts/operations.h"

namespace parvis::sts {

// Throws AccessDenied when the role is not there or does not trust the caller (AWS does not say which), ValidationError.
// Session policies, tags, MFA, source identities and roles of other accounts are refused by name.
awaitable<aws::model::sts::AssumeRoleOutput> assume_role(const Dependencies& with, aws::CallContext call, aws::model::sts::AssumeRoleInput in);

}  // namespace parvis::sts
