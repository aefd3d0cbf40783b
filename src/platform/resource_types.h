// platform/resource_types.h: which resource types templates can use.
//
// For what only asks what the types say of properties (`parvis validate`, the page of differences) there is a set without a
// platform behind it.
#pragma once

#include "aws/resource_type.h"
#include "services/apigateway/api_catalog.h"

namespace parvis::platform {

// Adds the types of every service. `api` and `apis` outlive them.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api, apigateway::ApiCatalog& apis);

// Their names and rules; making one of them throws. Thread-safe.
const aws::ResourceTypes& described_resource_types();

}  // namespace parvis::platform
