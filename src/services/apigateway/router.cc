#include "services/apigateway/router.h"

namespace parvis::apigateway {

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> fixed;
  std::unique_ptr<Node> variable, greedy;
  std::map<std::string, const Route*, std::less<>> methods;

  Node& child(std::string_view segment) {
    if (is_variable(segment)) {
      auto& slot = is_greedy(segment) ? greedy : variable;
      if (!slot) slot = std::make_unique<Node>();
      return *slot;
    }
    auto found = fixed.find(segment);
    if (found == fixed.end()) found = fixed.emplace(std::string(segment), std::make_unique<Node>()).first;
    return *found->second;
  }
  const Route* find(std::string_view method) const {
    if (const auto found = methods.find(method); found != methods.end()) return found->second;
    if (const auto any = methods.find("ANY"); any != methods.end()) return any->second;
    return nullptr;
  }
};

// One search, depth first. A node is reached by one way only, so the search is linear in the tree.
struct Router::Walk {
  Protocol protocol;
  std::string_view method;
  const std::vector<std::string_view>& segments;
  const Route* found = nullptr;

  // True: the search is over, with or without a route.
  bool visit(const Node& node, std::size_t depth) {
    if (depth == segments.size()) return decide(node);
    const std::string_view segment = segments[depth];
    if (const auto next = node.fixed.find(segment); next != node.fixed.end() && visit(*next->second, depth + 1)) return true;
    if (segment.empty() && depth + 1 == segments.size()) return false;
    if (node.variable && !segment.empty() && visit(*node.variable, depth + 1)) return true;
    return node.greedy && decide(*node.greedy);
  }
  bool decide(const Node& node) {
    // A resource that exists only as part of a longer path has no methods and decides nothing.
    if (node.methods.empty()) return false;
    found = node.find(method);
    return found != nullptr || protocol == Protocol::kRest;
  }
};

Router::Router(Protocol protocol, std::span<const Route> routes) : protocol_(protocol), root_(std::make_unique<Node>()) {
  for (const Route& route : routes) {
    if (route.path == kDefaultStage) {
      default_ = &route;
      continue;
    }
    Node* node = root_.get();
    for (const std::string_view segment : split_path(route.path)) node = &node->child(segment);
    node->methods[route.method] = &route;
  }
}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

std::optional<RouteMatch> Router::match(std::string_view method, std::string_view path) const {
  if (protocol_ == Protocol::kRest && path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::vector<std::string_view> segments = split_path(path);
  Walk walk{protocol_, method, segments};
  walk.visit(*root_, 0);
  if (!walk.found) {
    if (default_) return RouteMatch{default_, {}};
    return std::nullopt;
  }
  RouteMatch match{walk.found, {}};
  const std::vector<std::string_view> names = split_path(walk.found->path);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_variable(names[i])) continue;
    std::string_view value = segments[i];
    if (is_greedy(names[i])) value = path.substr(static_cast<std::size_t>(value.data() - path.data()));
    match.path_parameters.emplace_back(variable_name(names[i]), value);
  }
  return match;
}

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty()) return segments;
  for (;;) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_variable(std::string_view segment) { return segment.size() > 2 && segment.front() == '{' && segment.back() == '}'; }
bool is_greedy(std::string_view segment) { return is_variable(segment) && segment[segment.size() - 2] == '+'; }
std::string_view variable_name(std::string_view segment) {
  return segment.substr(1, segment.size() - (is_greedy(segment) ? 3 : 2));
}

}  // namespace parvis::apigateway
