// lambda/url_site.h: answers requests to function URLs, and downloads of packages by signed links.
// Source: Developer Guide, "Invoking Lambda function URLs" (payloads, errors), "Response streaming for Lambda functions".
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "aws/api_call.h"
#include "http/message.h"
#include "services/lambda/function_url.h"
#include "services/lambda/invoke.h"

namespace parvis::lambda {

// Who signed a request to a URL with AuthType AWS_IAM.
struct UrlCaller {
  std::string access_key_id, account, arn;
};
// nullopt: nobody that is known. Reads the request as it was sent, before its path is cut.
using UrlAuthenticator = std::function<std::optional<UrlCaller>(http::Request&)>;

class UrlSite {  // thread-safe; everything given outlives it
 public:
  UrlSite(storage::Store& store, Invoker& invoker, const Clock& clock, Entropy& entropy) : store_(store), invoker_(invoker), clock_(clock), entropy_(entropy) {}
  // `caller` is set when the request carries a signature that holds. `request.target` is the path below the URL.
  awaitable<http::Response> handle(std::string url_id, http::Request request, std::optional<UrlCaller> caller, aws::TraceContext trace);

 private:
  awaitable<std::optional<FunctionUrl>> find(std::string url_id);
  storage::Store& store_;
  Invoker& invoker_;
  const Clock& clock_;
  Entropy& entropy_;
  std::mutex mutex_;
  std::map<std::string, aws::Scope> scopes_;  // of URLs that were asked for; a URL never moves
};

}  // namespace parvis::lambda
