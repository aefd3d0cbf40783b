#include "platform/resource_types.h"

#include "services/apigateway/resources.h"
#include "services/dynamodb/resources.h"
#include "services/iam/operations.h"
#include "services/lambda/resources.h"
#include "services/s3/operations.h"
#include "services/ssm/operations.h"

namespace parvis::platform {

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api, apigateway::ApiCatalog& apis) {
  dynamodb::register_resource_types(types, api);
  lambda::add_resource_types(types, api);
  iam::add_resource_types(types, api);
  s3::add_resource_types(types, api);
  ssm::add_resource_types(types, api);
  apigateway::add_resource_types(types, apis);
}

}  // namespace parvis::platform
