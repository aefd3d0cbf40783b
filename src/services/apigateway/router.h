// apigateway/router.h: which route serves a method and a path. Built once per stage, then read by any thread.
//
// Both kinds of API walk one tree of path segments, static before {name} before {name+}. A path variable takes exactly one
// segment that is not empty, a greedy one the rest of the path (at least one character).
// - REST: the first resource that fits decides; it must have the method or ANY, or nothing is found. One slash at the end
//   of the path is ignored. Source: API Gateway Developer Guide, "Methods for REST APIs", and the observed 403.
// - HTTP: the most specific route that has the method (before ANY) decides; $default takes what is left.
//   Source: Developer Guide, "Create routes for HTTP APIs", "API routes selection".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "services/apigateway/api.h"

namespace parvis::apigateway {

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<NamedValue> path_parameters;  // in the order of the path
};

class Router {
 public:
  // `routes` outlive the router. Cost of a match: at most one visit per node of the tree.
  Router(Protocol protocol, std::span<const Route> routes);
  ~Router();
  Router(Router&&) noexcept;
  // `path` without stage and query: as sent for REST, percent-decoded for HTTP APIs.
  std::optional<RouteMatch> match(std::string_view method, std::string_view path) const;

 private:
  struct Node;
  struct Walk;
  Protocol protocol_;
  std::unique_ptr<Node> root_;
  const Route* default_ = nullptr;
};

// "/a/b" -> {"a", "b"}; "/" -> {}; "/a/" -> {"a", ""}.
std::vector<std::string_view> split_path(std::string_view path);
bool is_variable(std::string_view segment);  // {name} or {name+}
bool is_greedy(std::string_view segment);    // {name+}
std::string_view variable_name(std::string_view segment);

}  // namespace parvis::apigateway
