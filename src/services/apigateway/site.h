// apigateway/site.h: answers the requests of clients to the teams' own APIs.
//
// Per request: stage -> route -> event -> function -> answer. Deadlines: the integration's timeout (REST 29 s, HTTP 30 s at
// most); when it passes the client has its 504/503 at once and the function goes on, as on AWS.
// Limits: body 10 MB (413). Source: API Gateway Developer Guide, quotas; see events.h and responses.h for the shapes.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "http/message.h"
#include "services/apigateway/api_catalog.h"
#include "services/apigateway/responses.h"

namespace parvis::apigateway {

inline constexpr std::size_t kBodyBytesMax = 10u << 20;

struct InvokeAnswer {
  enum class Kind {
    kOk,             // `payload` is the function's answer
    kFunctionError,  // it failed, ran out of its own time or ended; `payload` is Lambda's error object
    kThrottled,
    kNotFound,       // no such function, or it cannot be invoked
    kTooLarge,       // the event is over Lambda's 6 MB
    kFailed,         // the platform failed
  };
  Kind kind = Kind::kOk;
  std::string payload;
};

// How this service calls functions; bound in platform/. Must outlive every call, also those whose client gave up.
struct FunctionInvoker {
  virtual ~FunctionInvoker() = default;
  // `deadline`: after this the answer is of no use to the caller; the function may go on.
  virtual awaitable<InvokeAnswer> invoke(aws::CallContext call, std::string function_arn, std::string payload,
                                         std::chrono::milliseconds deadline) = 0;
};

// One answered request, for the event stream and the meter.
struct RequestRecord {
  aws::Scope scope;
  std::string api_id, api_name, stage;
  std::string route;         // "GET /a/{id}", "$default", empty when none fitted
  std::string method, path;  // path behind the stage
  unsigned status = 0;
  std::chrono::microseconds latency{0}, integration_latency{0};
  std::string function_arn;  // empty when none was called
  std::string request_id, trace_id;
  std::string error;         // why the gateway answered by itself, empty otherwise
  std::size_t request_bytes = 0, response_bytes = 0;
};

class ApiSite {  // thread-safe
 public:
  using Observer = std::function<void(const RequestRecord&)>;
  // All references outlive the site and every open request (open() is 0).
  ApiSite(const ApiCatalog& catalog, FunctionInvoker& functions, const Clock& clock, Entropy& entropy, Observer observer = {});

  // With `stage_from_url` the request's target is the path behind the stage. Without it the stage is looked for in the
  // path: REST takes the first segment; HTTP takes it when it names a stage, and else $default.
  // Runs on an executor that runs one thing at a time (an io_context of one thread, or a strand).
  awaitable<http::Response> handle(std::string api_id, std::string stage_from_url, http::Request request, aws::TraceContext trace);

  // Integrations have all the time that their functions take: a developer looks at them in a debugger. Before the first request.
  void lift_time_limits() { time_limits_ = false; }
  // Function calls under way, with those whose client has gone.
  unsigned open() const { return open_->load(); }

 private:
  struct Running;
  awaitable<InvokeAnswer> call(const ProxyRequest& request, const LambdaProxy& lambda, std::chrono::milliseconds timeout,
                               aws::TraceContext trace, std::string function_arn, bool& timed_out);
  awaitable<http::Response> integrate(const ProxyRequest& request, aws::TraceContext trace, RequestRecord& record);

  const ApiCatalog& catalog_;
  FunctionInvoker& functions_;
  const Clock& clock_;
  Entropy& entropy_;
  Observer observer_;
  bool time_limits_ = true;
  std::shared_ptr<std::atomic<unsigned>> open_ = std::make_shared<std::atomic<unsigned>>(0);
};

}  // namespace parvis::apigateway
