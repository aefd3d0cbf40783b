#include "platform/function_urls.h"

#include "aws/router.h"
#include "platform/request_guard.h"

namespace parvis::platform {
namespace {

constexpr std::string_view kUrlPath = "/_aws/lambda-url/", kCodePath = "/_aws/lambda-code/";

// The id of "{id}.lambda-url.…", or empty.
std::string_view url_of_host(std::string_view host) {
  const auto dot = host.find('.');
  if (dot == std::string_view::npos || !host.substr(dot).starts_with(".lambda-url.")) return {};
  return host.substr(0, dot);
}

}  // namespace

bool FunctionUrls::takes(const http::Request& request) {
  return !url_of_host(split_host(request.host).host).empty() || request.target.starts_with(kUrlPath) || request.target.starts_with(kCodePath);
}

std::optional<lambda::UrlCaller> FunctionUrls::caller_of(http::Request& request) const {
  aws::ClaimedScope claimed = aws::claimed_scope(request);
  const std::string key = claimed.access_key_id;
  if (key.empty()) return std::nullopt;
  if (!authenticator_) {
    const aws::Identity identity = aws::identity_of(std::move(claimed), defaults_);
    return lambda::UrlCaller{key, identity.scope.account, identity.principal.arn};
  }
  try {
    const aws::Identity identity = authenticator_->authenticate(request, "lambda");
    return lambda::UrlCaller{key, identity.scope.account, identity.principal.arn};
  } catch (const aws::ApiError&) {
    return std::nullopt;
  }
}

awaitable<http::Response> FunctionUrls::handle(http::Request request) {
  if (request.target.starts_with(kCodePath)) {
    const std::string path(request.path().substr(kCodePath.size())), query(request.query());
    co_return co_await functions_.download(path, query);
  }
  std::optional<lambda::UrlCaller> caller = caller_of(request);  // before the path is cut: it is what was signed
  std::string id(url_of_host(split_host(request.host).host));
  if (id.empty()) {
    const std::string_view rest = std::string_view(request.target).substr(kUrlPath.size());
    const auto end = rest.find_first_of("/?");
    id = rest.substr(0, end);
    std::string target(end == std::string_view::npos ? "/" : rest.substr(end));
    request.target = target.starts_with('/') ? std::move(target) : "/" + target;
  }
  auto trace = aws::TraceContext::parse(request.headers.get("X-Amzn-Trace-Id"));
  if (!trace) trace = pipeline_.make_context({defaults_.default_account, defaults_.default_region}, "url").trace;
  trace->lineage.clear();  // a page or a server begins a chain of its own
  co_return co_await functions_.answer_url(std::move(id), std::move(request), std::move(caller), std::move(*trace));
}

}  // namespace parvis::platform
