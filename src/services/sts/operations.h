// sts/operations.h: GetCallerIdentity. Source: STS API Reference (2011-06-15).
#pragma once

#include "aws/api_call.h"
#include "models/sts.h"

namespace parvis::sts {

// Account and ARN of the caller; an unsigned or root caller is the account's root.
aws::model::sts::GetCallerIdentityOutput caller_identity(const aws::CallContext& call);
void bind(aws::Registry& registry);

}  // namespace parvis::sts
