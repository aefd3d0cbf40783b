// apigateway/api.h: one API as this service keeps it: its definition, its deployments and its stages. Plain values.
//
// A REST API serves, per stage, the definition that was frozen by the stage's deployment; an HTTP API with automatic
// deployment always serves the current one. to_json/api_from_json are the stored form (version kFormatVersion).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/json.hpp>

#include "aws/api_call.h"
#include "core/clock.h"

namespace parvis::apigateway {

inline constexpr int kFormatVersion = 1;
// Quotas: 300 resources per REST API, 300 routes per HTTP API, 10 stages per API; we count routes (a REST resource has up
// to 8). Source: API Gateway Developer Guide, quotas.
inline constexpr std::size_t kRoutesMax = 2400;
inline constexpr std::size_t kStagesMax = 10;
inline constexpr std::size_t kDeploymentsMax = 500;
inline constexpr std::string_view kDefaultStage = "$default";

enum class Protocol { kRest, kHttp };
using NamedValue = std::pair<std::string, std::string>;

// Lambda proxy. `function_arn` may hold ${stageVariables.NAME}.
struct LambdaProxy {
  std::string function_arn;
  bool payload_v2 = false;
  bool operator==(const LambdaProxy&) const = default;
};
// An answer made by the gateway itself: what SAM writes for CORS preflights of REST APIs.
struct MockAnswer {
  unsigned status = 200;
  std::vector<NamedValue> headers;
  std::string body;
  bool operator==(const MockAnswer&) const = default;
};
struct Integration {
  std::variant<LambdaProxy, MockAnswer> target;
  std::chrono::milliseconds timeout{29'000};
  bool operator==(const Integration&) const = default;
};

struct Route {
  std::string method;       // "GET" … or "ANY"
  std::string path;         // "/a/{id}/{rest+}", or "$default" (HTTP APIs)
  std::string resource_id;  // REST
  Integration integration;
  std::string key() const;  // "GET /a/{id}", "$default"
  bool operator==(const Route&) const = default;
};

struct Cors {  // HTTP APIs
  std::vector<std::string> allow_origins, allow_methods, allow_headers, expose_headers;
  bool allow_credentials = false;
  std::optional<std::int64_t> max_age_s;
  bool operator==(const Cors&) const = default;
};

// REST: replaces the gateway's own error answer of one type (DEFAULT_4XX, MISSING_AUTHENTICATION_TOKEN, …).
struct GatewayResponse {
  std::optional<unsigned> status;
  std::vector<NamedValue> headers;          // value: 'literal' without quotes, or "method.request.header.NAME"
  std::map<std::string, std::string> templates;  // by content type
  bool operator==(const GatewayResponse&) const = default;
};

struct Definition {
  std::string title, version, description;
  std::vector<Route> routes;
  std::optional<Cors> cors;
  std::vector<std::string> binary_media_types;  // REST
  std::map<std::string, GatewayResponse> gateway_responses;
  bool operator==(const Definition&) const = default;
};

struct Deployment {
  std::string id, description;
  Millis created{};
  std::string create_token;
  std::string stage_name;  // the stage this deployment made or moved, may be empty
  Definition definition;
};

struct Stage {
  std::string name = {};
  std::string deployment_id = {};  // empty with auto_deploy
  bool auto_deploy = false;
  std::string description = {};
  std::map<std::string, std::string> variables = {}, tags = {};
  Millis created = {}, updated = {};  // zero in values stored before they were kept
};

struct Api {
  std::string id;  // 10 characters [a-z0-9]
  aws::Scope scope;
  Protocol protocol = Protocol::kRest;
  std::string name, description;
  bool disable_execute_api_endpoint = false;
  std::map<std::string, std::string> tags;
  Millis created{};
  std::string create_token;
  Definition definition;
  std::map<std::string, Deployment> deployments;
  std::map<std::string, Stage> stages;

  std::string root_resource_id() const;
  std::string domain_name() const;  // {id}.execute-api.{region}.amazonaws.com
};

// The id of the REST resource at `path`: the same at every import. 10 characters for "/", else 6, as AWS makes them.
std::string resource_id_of(std::string_view api_id, std::string_view path);

boost::json::value to_json(const Api& api);
// Throws std::runtime_error that names what is wrong: bytes from the disk are not trusted.
Api api_from_json(const boost::json::value& stored);

}  // namespace parvis::apigateway
