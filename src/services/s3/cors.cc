#include "services/s3/cors.h"

#include <algorithm>

#include <fmt/format.h>

#include "aws/s3_host.h"
#include "core/ascii.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::vector<std::string> header_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) names.push_back(to_lower(name));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

http::Response refusal(unsigned status, std::string_view code, std::string_view message, bool object = false) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", "application/xml");
  response.body = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>", code, message);
  if (status == 403) response.body += fmt::format("<Method>OPTIONS</Method><ResourceType>{}</ResourceType>", object ? "OBJECT" : "BUCKET");
  response.body += "</Error>";
  return response;
}

void allow(const CorsRule& rule, std::string_view origin, http::Headers& out) {
  const bool anyone = std::ranges::find(rule.origins, "*") != rule.origins.end();
  out.add("Access-Control-Allow-Origin", anyone ? "*" : std::string(origin));
  out.add("Access-Control-Allow-Methods", joined(rule.methods));
  if (!rule.exposed.empty()) out.add("Access-Control-Expose-Headers", joined(rule.exposed));
  if (rule.max_age_seconds) out.add("Access-Control-Max-Age", std::to_string(*rule.max_age_seconds));
  if (!anyone) out.add("Access-Control-Allow-Credentials", "true");
  out.add("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
}

http::Response preflight(const std::vector<CorsRule>& rules, const http::Request& request, bool object) {
  const std::string_view origin = request.headers.get("Origin");
  const std::string_view method = request.headers.get("Access-Control-Request-Method");
  if (origin.empty()) return refusal(400, "BadRequest", "Insufficient information. Origin request header needed.");
  if (method.empty()) return refusal(400, "BadRequest", "Invalid Access-Control-Request-Method: null");
  if (rules.empty()) return refusal(403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", object);
  const auto headers = header_names(request.headers.get("Access-Control-Request-Headers"));
  const CorsRule* rule = find_rule(rules, origin, method, headers);
  if (!rule) {
    return refusal(403, "AccessForbidden",
                   "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
                   "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.", object);
  }
  http::Response response;
  allow(*rule, origin, response.headers);
  if (!headers.empty()) response.headers.add("Access-Control-Allow-Headers", joined(headers));
  return response;
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text, bool ignore_case) {
  if (ignore_case) return matches_wildcard(to_lower(pattern), to_lower(text));
  const std::size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == text;
  const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
  return text.size() >= before.size() + after.size() && text.starts_with(before) && text.ends_with(after);
}

const CorsRule* find_rule(const std::vector<CorsRule>& rules, std::string_view origin, std::string_view method,
                          const std::vector<std::string>& headers) {
  for (const CorsRule& rule : rules) {
    const auto allows_header = [&](const std::string& header) {
      return std::ranges::any_of(rule.headers, [&](const std::string& pattern) { return matches_wildcard(pattern, header, true); });
    };
    if (std::ranges::any_of(rule.origins, [&](const std::string& pattern) { return matches_wildcard(pattern, origin); }) &&
        std::ranges::find(rule.methods, method) != rule.methods.end() && std::ranges::all_of(headers, allows_header)) {
      return &rule;
    }
  }
  return nullptr;
}

awaitable<std::optional<CorsAnswer>> answer_cors(Service& service, const http::Request& request) {
  const aws::S3Address address = aws::s3_address(request.host, request.path());
  if (address.bucket.empty()) co_return std::nullopt;
  const auto rules = co_await service.cors_rules(address.bucket);
  if (!rules) co_return std::nullopt;
  CorsAnswer answer;
  if (request.method == "OPTIONS") {
    answer.preflight = preflight(*rules, request, address.has_key);
    co_return answer;
  }
  const CorsRule* rule = find_rule(*rules, request.headers.get("Origin"), request.method, {});
  if (!rule) co_return std::nullopt;
  allow(*rule, request.headers.get("Origin"), answer.headers);
  co_return answer;
}

}  // namespace parvis::s3
