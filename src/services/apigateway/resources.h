// apigateway/resources.h: AWS::ApiGateway::{RestApi,Deployment,Stage} and AWS::ApiGatewayV2::{Api,Stage}.
//
// Source: CloudFormation template reference of each type; the properties are those of its resource schema.
#pragma once

#include "aws/resource_type.h"
#include "services/apigateway/api_catalog.h"

namespace parvis::apigateway {

// `catalog` outlives the types.
void add_resource_types(aws::ResourceTypes& types, ApiCatalog& catalog);

}  // namespace parvis::apigateway
