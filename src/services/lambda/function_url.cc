#include "services/lambda/function_url.h"

#include <algorithm>

#include <boost/algorithm/string/predicate.hpp>
#include <fmt/format.h>

#include "services/lambda/errors.h"

namespace parvis::lambda {
namespace {

using aws::model::lambda::Cors;
using List = std::optional<std::vector<std::string>>;

constexpr std::array<std::pair<std::string_view, List Cors::*>, 4> kLists = {{
    {"headers", &Cors::allow_headers}, {"methods", &Cors::allow_methods}, {"origins", &Cors::allow_origins}, {"expose", &Cors::expose_headers}}};

boost::json::object cors_to_json(const Cors& cors) {
  boost::json::object out;
  for (const auto& [name, member] : kLists) {
    if (!(cors.*member)) continue;
    boost::json::array& list = out[name].emplace_array();
    for (const std::string& text : *(cors.*member)) list.emplace_back(text);
  }
  if (cors.allow_credentials) out["credentials"] = *cors.allow_credentials;
  if (cors.max_age) out["max_age"] = *cors.max_age;
  return out;
}

Cors cors_of(const boost::json::object& o) {
  Cors cors;
  for (const auto& [name, member] : kLists) {
    const auto* list = o.if_contains(name);
    if (!list) continue;
    (cors.*member).emplace();
    for (const auto& text : list->as_array()) (cors.*member)->emplace_back(text.as_string());
  }
  if (const auto* credentials = o.if_contains("credentials")) cors.allow_credentials = credentials->as_bool();
  if (const auto* age = o.if_contains("max_age")) cors.max_age = age->to_number<int>();
  return cors;
}

bool allows(const List& list, std::string_view value) {
  return list && std::ranges::any_of(*list, [&](const std::string& each) { return each == "*" || boost::iequals(each, value); });
}

// One wildcard may stand in an origin: https://*.example.com.
bool allows_origin(const List& list, std::string_view origin) {
  return list && std::ranges::any_of(*list, [&](const std::string& each) {
    const std::size_t star = each.find('*');
    if (star == std::string::npos) return boost::iequals(each, origin);
    const std::string_view head = std::string_view(each).substr(0, star), tail = std::string_view(each).substr(star + 1);
    return origin.size() >= head.size() + tail.size() && boost::istarts_with(origin, head) && boost::iends_with(origin, tail);
  });
}

std::string joined(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, ",")); }

void add_origin(const Cors& cors, std::string_view origin, http::Headers& headers) {
  const bool credentials = cors.allow_credentials.value_or(false);
  const bool any = cors.allow_origins && std::ranges::find(*cors.allow_origins, "*") != cors.allow_origins->end();
  headers.set("Access-Control-Allow-Origin", any && !credentials ? "*" : std::string(origin));
  if (credentials) headers.set("Access-Control-Allow-Credentials", "true");
  if (!any || credentials) headers.add("Vary", "Origin");
}

}  // namespace

std::string to_json(const FunctionUrl& u) {
  boost::json::object out{{"format", 1}, {"id", u.id}, {"account", u.scope.account}, {"region", u.scope.region}, {"function", u.function},
      {"function_id", u.function_id}, {"qualifier", u.qualifier}, {"auth", u.auth_type}, {"mode", u.invoke_mode},
      {"created", u.created.time_since_epoch().count()}, {"modified", u.modified.time_since_epoch().count()}};
  if (u.cors) out["cors"] = cors_to_json(*u.cors);
  return boost::json::serialize(out);
}

std::optional<FunctionUrl> parse_function_url(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  if (o.at("format").as_int64() != 1) return std::nullopt;
  FunctionUrl u;
  u.id = text("id");
  u.scope = {text("account"), text("region")};
  u.function = text("function");
  u.function_id = text("function_id");
  u.qualifier = text("qualifier");
  u.auth_type = text("auth");
  u.invoke_mode = text("mode");
  if (const auto* cors = o.if_contains("cors")) u.cors = cors_of(cors->as_object());
  u.created = Millis{std::chrono::milliseconds{o.at("created").as_int64()}};
  u.modified = Millis{std::chrono::milliseconds{o.at("modified").as_int64()}};
  return u;
} catch (const std::exception&) {
  return std::nullopt;
}

void check_cors(const Cors& cors) {
  const bool any = cors.allow_origins && std::ranges::find(*cors.allow_origins, "*") != cors.allow_origins->end();
  if (any && cors.allow_credentials.value_or(false)) {
    throw error(kInvalidParameterValue, "AllowCredentials is not supported if AllowOrigins is *");
  }
}

std::optional<http::Response> preflight(const Cors& cors, const http::Request& request) {
  const auto origin = request.headers.find("Origin"), method = request.headers.find("Access-Control-Request-Method");
  if (request.method != "OPTIONS" || !origin || !method) return std::nullopt;
  http::Response response;
  if (!allows_origin(cors.allow_origins, *origin) || !allows(cors.allow_methods, *method)) return response;  // no header: the browser refuses
  add_origin(cors, *origin, response.headers);
  response.headers.set("Access-Control-Allow-Methods", joined(*cors.allow_methods));
  if (cors.allow_headers && !cors.allow_headers->empty()) response.headers.set("Access-Control-Allow-Headers", joined(*cors.allow_headers));
  if (cors.max_age) response.headers.set("Access-Control-Max-Age", std::to_string(*cors.max_age));
  return response;
}

void apply_cors(const Cors& cors, const http::Request& request, http::Headers& headers) {
  for (const char* name : {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
                           "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age"}) {
    headers.erase(name);
  }
  const auto origin = request.headers.find("Origin");
  if (!origin || !allows_origin(cors.allow_origins, *origin)) return;
  add_origin(cors, *origin, headers);
  if (cors.expose_headers && !cors.expose_headers->empty()) headers.set("Access-Control-Expose-Headers", joined(*cors.expose_headers));
}

}  // namespace parvis::lambda
