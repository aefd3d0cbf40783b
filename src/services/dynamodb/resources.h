// dynamodb/resources.h: the CloudFormation resource types of DynamoDB.
#pragma once

#include "aws/resource_type.h"

namespace parvis::dynamodb {

// AWS::DynamoDB::Table. `client` outlives the types.
void register_resource_types(aws::ResourceTypes& types, aws::ApiClient& client);

}  // namespace parvis::dynamodb
