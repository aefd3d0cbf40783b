// cloudformation/custom_resource.h: AWS::CloudFormation::CustomResource and Custom::…: resources that a Lambda function makes.
//
// The function gets Create, Update or Delete with a ResponseURL (custom_answers.h). The step ends with its answer, or at once when
// the invocation ends in a function error, or when ServiceTimeout has passed (an hour, unless the template says less). A function that
// ended well without an answer may be answered for by others until then; with `grace` set only that long, unless the template has a ServiceTimeout.
// Source: CloudFormation User Guide, "Custom resources" (request and response objects); texts as users of AWS report them.
#pragma once

#include <chrono>
#include <optional>

#include "aws/resource_type.h"
#include "services/cloudformation/custom_answers.h"

namespace parvis::cloudformation {

struct CustomResourceOptions {
  std::optional<std::chrono::milliseconds> grace = {};
};

// Everything given outlives `types`.
void add_custom_resource_type(aws::ResourceTypes& types, aws::ApiClient& api, CustomAnswers& answers, CustomResourceOptions options);

// The request that the function gets. Scalars become text, as on AWS.
json::object custom_request(const aws::ResourceRequest& request, std::string_view kind, const std::string& url);

struct CustomAnswer {
  std::string failure;      // empty: SUCCESS
  std::string_view how = kToldAnswered;
  std::string physical_id = {};  // may be empty
  json::object data = {};        // flat, as Fn::GetAtt names it
};
// Of what was sent to the ResponseURL; everything that is wrong with it is a failure.
CustomAnswer read_custom_answer(const std::string& body, const aws::ResourceRequest& request);

}  // namespace parvis::cloudformation
