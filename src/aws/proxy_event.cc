#include "aws/proxy_event.h"

#include <boost/algorithm/string/predicate.hpp>
#include <fmt/format.h>

#include "core/ascii.h"
#include "core/hash.h"
#include "core/utf8.h"

namespace parvis::aws {
namespace json = boost::json;
namespace {

json::object joined_values(const HttpFields& fields, const json::storage_ptr& memory) {
  json::object out(memory);
  for (const auto& [name, value] : fields) {
    json::value& text = out[name];
    if (!text.is_string()) {
      text = value;
    } else {
      text.as_string() += ",";
      text.as_string() += value;
    }
  }
  return out;
}

}  // namespace

std::string_view media_type(std::string_view header) {
  header = header.substr(0, header.find_first_of(";,"));
  while (!header.empty() && (header.front() == ' ' || header.front() == '\t')) header.remove_prefix(1);
  while (!header.empty() && (header.back() == ' ' || header.back() == '\t')) header.remove_suffix(1);
  return header;
}


bool is_text_type(std::string_view content_type) {
  const std::string type = to_lower(media_type(content_type));
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" || type == "application/javascript";
}

std::string format_clf_time(Millis time) {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000", static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

HttpFields function_headers(const http::Request& request, std::string_view trace_id, bool lower) {
  HttpFields out;
  std::string forwarded_for;
  for (const auto& [name, value] : request.headers) {
    const std::string low = to_lower(name);
    if (low == "x-forwarded-for") {
      forwarded_for.append(forwarded_for.empty() ? "" : ", ").append(value);
      continue;
    }
    if (low == "x-forwarded-port" || low == "x-forwarded-proto" || low == "x-amzn-trace-id" || low == "connection" ||
        low == "transfer-encoding" || low == "keep-alive" || low == "upgrade") {
      continue;
    }
    // One name per header, spelled as it came first.
    std::string key = to_utf8(lower ? low : name);
    for (const auto& before : out) {
      if (boost::iequals(before.first, key)) key = before.first;
    }
    out.emplace_back(std::move(key), to_utf8(value));
  }
  const auto add = [&](std::string_view name, std::string value) {
    out.emplace_back(lower ? to_lower(name) : std::string(name), std::move(value));
  };
  add("X-Amzn-Trace-Id", "Root=" + std::string(trace_id));
  add("X-Forwarded-For", to_utf8(forwarded_for.empty() ? request.remote_address : forwarded_for + ", " + request.remote_address));
  const std::size_t colon = request.host.rfind(':');
  const bool has_port = colon != std::string::npos && request.host.find(']', colon) == std::string::npos;
  add("X-Forwarded-Port", has_port ? to_utf8(request.host.substr(colon + 1)) : request.tls ? "443" : "80");
  add("X-Forwarded-Proto", request.tls ? "https" : "http");
  return out;
}

HttpFields query_fields(const http::Request& request) {
  HttpFields out = http::parse_query(request.query());
  for (auto& [name, value] : out) {
    name = to_utf8(name);
    value = to_utf8(value);
  }
  return out;
}

bool is_binary_body(const http::Request& request) {
  return !is_text_type(request.headers.get("content-type")) || request.headers.find("content-encoding") || !is_utf8(request.body);
}

std::string make_http_event(const HttpEvent& of) {
  // It lives until the event's text is made, so nothing of it is freed on its own.
  unsigned char first[8192];
  json::monotonic_resource resource(first);
  const json::storage_ptr memory(&resource);
  HttpFields headers = function_headers(of.http, of.trace_id, true);
  json::array cookies(memory);
  std::erase_if(headers, [&](const std::pair<std::string, std::string>& field) {
    if (field.first != "cookie") return false;
    std::string_view rest = field.second;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      std::string_view cookie = rest.substr(0, end);
      while (!cookie.empty() && cookie.front() == ' ') cookie.remove_prefix(1);
      while (!cookie.empty() && cookie.back() == ' ') cookie.remove_suffix(1);
      if (!cookie.empty()) cookies.emplace_back(cookie);
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return true;
  });
  json::object context({{"accountId", of.account_id},
                       {"apiId", of.api_id},
                       {"domainName", of.domain_name},
                       {"domainPrefix", of.api_id},
                       {"http", {{"method", of.http.method},
                                             {"path", of.path},
                                             {"protocol", "HTTP/1.1"},
                                             {"sourceIp", to_utf8(of.http.remote_address)},
                                             {"userAgent", to_utf8(of.http.headers.get("user-agent"))}}},
                       {"requestId", of.request_id},
                       {"routeKey", of.route_key},
                       {"stage", of.stage},
                       {"time", format_clf_time(of.now)},
                       {"timeEpoch", of.now.time_since_epoch().count()}}, memory);
  if (!of.authorizer.empty()) context["authorizer"] = of.authorizer;
  json::object event({{"version", "2.0"}, {"routeKey", of.route_key}, {"rawPath", of.path}, {"rawQueryString", to_utf8(of.http.query())}}, memory);
  if (!cookies.empty()) event["cookies"] = std::move(cookies);
  event["headers"] = joined_values(headers, memory);
  if (const HttpFields query = query_fields(of.http); !query.empty()) event["queryStringParameters"] = joined_values(query, memory);
  event["requestContext"] = std::move(context);
  const bool binary = !of.http.body.empty() && is_binary_body(of.http);
  if (!of.http.body.empty()) event["body"] = binary ? base64_encode(of.http.body) : to_utf8(of.http.body);
  if (!of.path_parameters.empty()) {
    json::object& parameters = event["pathParameters"].emplace_object();
    for (const auto& [name, value] : of.path_parameters) parameters[name] = to_utf8(value);
  }
  event["isBase64Encoded"] = binary;
  if (!of.stage_variables.empty()) {
    json::object& variables = event["stageVariables"].emplace_object();
    for (const auto& [name, value] : of.stage_variables) variables[name] = value;
  }
  return json::serialize(event);
}

}  // namespace parvis::aws
