// platform/function_urls.h: requests to function URLs and to links of packages: who signed them, and which function they are for.
//
//   {id}.lambda-url.*  or  /_aws/lambda-url/{id}/…    a function URL
//   /_aws/lambda-code/…                               a package, by a link that the Lambda API gave out
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aws/pipeline.h"
#include "http/message.h"
#include "platform/authenticator.h"
#include "services/lambda/operations.h"

namespace parvis::platform {

class FunctionUrls {  // thread-safe; everything given outlives it
 public:
  // Without `authenticator` signatures are needed where a URL wants them, and not checked.
  FunctionUrls(lambda::LambdaService& functions, const Authenticator* authenticator, const aws::Pipeline& pipeline, aws::PipelineOptions defaults)
      : functions_(functions), authenticator_(authenticator), pipeline_(pipeline), defaults_(std::move(defaults)) {}
  static bool takes(const http::Request& request);
  awaitable<http::Response> handle(http::Request request);

 private:
  std::optional<lambda::UrlCaller> caller_of(http::Request& request) const;
  lambda::LambdaService& functions_;
  const Authenticator* authenticator_;
  const aws::Pipeline& pipeline_;
  aws::PipelineOptions defaults_;
};

}  // namespace parvis::platform
