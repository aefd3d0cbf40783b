// platform/resource_types.h: which resource types templates can use.
#pragma once

#include "aws/resource_type.h"
#include "services/apigateway/api_catalog.h"

namespace parvis::platform {

// Adds the types of every service. `api` and `apis` outlive them.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api, apigateway::ApiCatalog& apis);

}  // namespace parvis::platform
