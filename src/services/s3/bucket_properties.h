// s3/bucket_properties.h: the settings among the properties of AWS::S3::Bucket, as API calls.
#pragma once

#include <string>

#include "aws/resource_type.h"

namespace parvis::s3 {

// Sets what `request.properties` has, and takes back what `request.old_properties` had and they do not.
// Source: CloudFormation Template Reference, AWS::S3::Bucket.
awaitable<> apply_settings(aws::ApiClient& api, const aws::ResourceRequest& request, std::string bucket);

}  // namespace parvis::s3
