// sts/operations.h: GetCallerIdentity and AssumeRole. Nothing is stored: session tokens carry their claims (aws/session.h).
// Source: STS API Reference (2011-06-15).
#pragma once

#include <functional>

#include "aws/api_call.h"
#include "aws/session.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "models/sts.h"

namespace parvis::sts {

struct Dependencies {  // all outlive the registry
  const aws::SessionKeys& sessions;
  const Clock& clock;
  Entropy& entropy;
  std::function<aws::ApiClient&()> api;  // reads roles; asked for when a call needs it, because it is made from the registry
};

// Account and ARN of the caller; an unsigned or root caller is the account's root.
aws::model::sts::GetCallerIdentityOutput caller_identity(const aws::CallContext& call);
void bind(aws::Registry& registry, Dependencies dependencies);

}  // namespace parvis::sts
