// lambda/resources.h: AWS::Lambda::Function and AWS::Lambda::Permission. Each translates properties into API calls.
#pragma once

#include "aws/api_call.h"
#include "aws/resource_type.h"

namespace parvis::lambda {

// `api` outlives `types`.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);

}  // namespace parvis::lambda
