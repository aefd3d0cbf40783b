// lambda/code_signing.h: there is no code signing here, and these operations say so in the service's own words: no configuration
// exists, none can be found, no function has one. Creating one stays without a handler (501), so that nobody relies on it.
// Source: Lambda API Reference; error texts as recorded from AWS by other implementations' tests.
#pragma once

#include "aws/api_call.h"
#include "models/lambda.h"
#include "services/lambda/function_store.h"

namespace parvis::lambda {

class CodeSigning {  // thread-safe; `functions` outlives it
 public:
  explicit CodeSigning(FunctionStore& functions) : functions_(functions) {}
  void bind(aws::Registry& registry);

 private:
  template <class Op>
  using Answer = awaitable<typename Op::Output>;
  Answer<aws::model::lambda::GetFunctionCodeSigningConfig> get_of_function(aws::CallContext call, aws::model::lambda::GetFunctionCodeSigningConfigInput in);
  Answer<aws::model::lambda::DeleteFunctionCodeSigningConfig> delete_of_function(aws::CallContext call, aws::model::lambda::DeleteFunctionCodeSigningConfigInput in);
  Answer<aws::model::lambda::PutFunctionCodeSigningConfig> put_of_function(aws::CallContext call, aws::model::lambda::PutFunctionCodeSigningConfigInput in);
  FunctionStore& functions_;
};

}  // namespace parvis::lambda
