// platform/edge.h: the first look at every request of the main port: which door it takes.
//
//   /_parvis/health, /_parvis/events, /_parvis/metrics, …    the platform itself
//   /_parvis/custom-resource/…    answers of functions behind custom resources
//   {apiId}.execute-api.*  or  /_aws/execute-api/{apiId}/…    a team's API
//   function URLs and links to packages      function_urls.h
//   everything else                          an AWS API call
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/json.hpp>

#include "core/async.h"
#include "http/message.h"
#include "platform/event_stream.h"
#include "platform/request_guard.h"

namespace parvis::platform {

struct EdgeRoutes {
  std::function<awaitable<http::Response>(http::Request)> aws_api;
  // API id, the request with its path below the API (its stage still in front).
  std::function<awaitable<http::Response>(std::string, http::Request)> api;
  std::function<awaitable<http::Response>(http::Request)> function_url;  // what FunctionUrls::takes()
  std::function<boost::json::object()> health;
  // Where signatures are checked: whether the root key has signed this request to /_parvis/; throws ApiError when nobody known
  // has. Not set: the guard decides from Host and Origin.
  std::function<bool(http::Request&)> authenticate = {};
  // Further paths below /_parvis/, by method and path; for the root key alone.
  std::map<std::string, std::function<awaitable<http::Response>(http::Request)>, std::less<>> admin = {};
  std::function<awaitable<http::Response>(http::Request)> custom_resource = {};  // its path is its credential
  std::function<std::string()> metrics;  // Prometheus text
  // A request with an Origin, or OPTIONS: the answer of a bucket whose own CORS rules have a say in it; nullopt, with the
  // request untouched, for all else. Not asked for hosts that the guard refuses.
  std::function<awaitable<std::optional<http::Response>>(http::Request&)> bucket_cors = {};
};

// Functions reach the platform under AWS's names, and no page can speak for them: the guard has nothing to say.
enum class Caller { kAnyone, kFunction };

class Edge {  // thread-safe; `events` outlives it
 public:
  Edge(RequestGuard guard, EventStream& events, EdgeRoutes routes)
      : guard_(std::move(guard)), events_(events), routes_(std::move(routes)) {}
  awaitable<http::Response> handle(http::Request request, Caller caller = Caller::kAnyone);
  // Whether handle() would take this for an AWS API call; all else wants its body whole.
  static bool is_api_call(const http::Request& head);

 private:
  awaitable<http::Response> own(http::Request request);
  awaitable<http::Response> page(http::Request request);
  awaitable<http::Response> api_call(http::Request request);
  std::optional<std::string> refuse_own(http::Request& request, bool root_alone) const;
  http::Response event_stream();
  RequestGuard guard_;
  EventStream& events_;
  EdgeRoutes routes_;
};

http::Response json_response(unsigned status, const boost::json::value& body);

}  // namespace parvis::platform
