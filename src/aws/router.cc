#include "aws/router.h"

#include <algorithm>
#include <array>
#include <set>

#include "aws/s3_host.h"

namespace parvis::aws {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// "AKID/20260101/us-east-1/dynamodb/aws4_request"; sigv4a has no Region.
ClaimedScope parse_credential(std::string_view credential) {
  credential = credential.substr(0, 512);
  std::array<std::string_view, 5> parts;
  std::size_t count = 0;
  for (std::size_t at = 0; at <= credential.size(); ++count) {
    const std::size_t end = std::min(credential.find('/', at), credential.size());
    if (count < parts.size()) parts[count] = credential.substr(at, end - at);
    at = end + 1;
  }
  ClaimedScope scope;
  scope.access_key_id = parts[0];
  if (count == 5) { scope.region = parts[2]; scope.service = parts[3]; }
  if (count == 4) scope.service = parts[2];
  return scope;
}

// "uploads&x-id=Foo" of a URI pattern: each literal must be in the query string.
int match_query(std::string_view wanted, const std::vector<std::pair<std::string, std::string>>& query) {
  int literals = 0;
  if (wanted.empty()) return 0;
  for (std::string_view part : split(wanted, '&')) {
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = equals == part.npos ? std::string_view{} : part.substr(equals + 1);
    if (name == "x-id") continue;  // only names the operation for logs
    const bool found = std::ranges::any_of(query, [&](const auto& p) { return p.first == name && (value.empty() || p.second == value); });
    if (!found) return -1;
    ++literals;
  }
  return literals;
}

// Operations that share a path differ in the headers and parameters they require (S3: UploadPart, CopyObject).
int match_required(const OperationModel& op, const http::Request& request,
                   const std::vector<std::pair<std::string, std::string>>& query) {
  int score = 0;
  for (const Member& m : op.input->members) {
    if (!m.required || (m.location != Location::kHeader && m.location != Location::kQuery)) continue;
    const bool there = m.location == Location::kHeader
        ? request.headers.find(m.wire).has_value()
        : std::ranges::any_of(query, [&](const auto& p) { return p.first == m.wire; });
    score += there ? 1 : -4;
  }
  return score;
}

std::optional<std::string> form_value(std::string_view form, std::string_view name) {
  // Only the start is searched: Action and Version lead in every SDK, and a body may be large.
  for (auto& [key, value] : http::parse_query(form.substr(0, 64u << 10))) {
    if (key == name) return std::move(value);
  }
  return std::nullopt;
}

bool is_form(const http::Request& request) {
  return request.method == "POST" && request.headers.get("Content-Type").starts_with("application/x-www-form-urlencoded");
}

}  // namespace

ClaimedScope claimed_scope(const http::Request& request) {
  const std::string_view header = request.headers.get("Authorization");
  if (const std::size_t at = header.find("Credential="); at != header.npos) {
    std::string_view credential = header.substr(at + 11);
    return parse_credential(credential.substr(0, credential.find_first_of(", ")));
  }
  if (request.query().find("X-Amz-Credential=") != std::string_view::npos) {
    for (const auto& [name, value] : http::parse_query(request.query())) {
      if (name == "X-Amz-Credential") return parse_credential(value);
    }
  }
  return {};
}

int match_uri(std::string_view pattern, std::string_view path, std::map<std::string, std::string, std::less<>>& labels) {
  int literals = 0;
  const auto trim = [](std::string_view& text) { if (text.starts_with('/')) text.remove_prefix(1); };
  trim(pattern);
  trim(path);
  while (!pattern.empty()) {
    const std::size_t pattern_end = std::min(pattern.find('/'), pattern.size());
    const std::string_view want = pattern.substr(0, pattern_end);
    std::size_t path_end = std::min(path.find('/'), path.size());
    if (path.empty()) return -1;
    if (want.starts_with('{') && want.ends_with('}')) {
      std::string_view name = want.substr(1, want.size() - 2);
      if (name.ends_with('+')) { name.remove_suffix(1); path_end = path.size(); }
      std::string_view raw = path.substr(0, path_end);
      if (raw.empty()) return -1;
      labels[std::string(name)] = http::percent_decode(raw).value_or(std::string(raw));
    } else {
      if (path.substr(0, path_end) != want) return -1;
      ++literals;
    }
    pattern.remove_prefix(std::min(pattern_end + 1, pattern.size()));
    path.remove_prefix(std::min(path_end + 1, path.size()));
  }
  return path.empty() ? literals : -1;
}

Router::Router(const Registry& registry) : registry_(registry) {
  std::set<const ServiceModel*> seen;
  for (const auto& [key, entry] : registry) {
    if (seen.insert(entry.model->service_model).second) services_.push_back(entry.model->service_model);
  }
  for (const ServiceModel* service : services_) {
    if (service->protocol != Protocol::kJson) continue;
    for (const OperationName& op : service->operations)
      targets_.insert_or_assign(std::string(service->target_prefix).append(1, '.').append(op.name), Target{service, registry.find(service->service, op.name)});
  }
}

Route Router::find(const http::Request& request) const {
  Route route;
  route.claimed = claimed_scope(request);
  route.service_name = route.claimed.service;
  if (const std::string_view target = request.headers.get("X-Amz-Target"); !target.empty()) {
    find_target(target, route);
    return route;
  }
  if (!find_action(request, route)) find_path(request, route);
  if (!route.service && route.operation.empty()) find_signed(route);
  bind(route);
  return route;
}

void Router::find_target(std::string_view target, Route& route) const {
  route.protocol = Protocol::kJson;
  const std::size_t dot = target.rfind('.');
  if (const auto known = targets_.find(target); known != targets_.end()) {
    route.service = known->second.service;
    route.entry = known->second.entry;
    route.known_operation = true;
    route.service_name = route.service->service;
    route.operation = target.substr(dot + 1);
    return;
  }
  const std::string_view prefix = target.substr(0, dot);
  route.operation = dot == target.npos ? std::string() : std::string(target.substr(dot + 1, 200));
  for (const ServiceModel* service : services_) {
    if (service->protocol == Protocol::kJson && service->target_prefix == prefix) route.service = service;
  }
  if (!route.service) find_signed(route);
  if (route.service) route.service_name = route.service->service;
  else if (route.service_name.empty()) route.service_name = prefix.substr(0, 200);
}

void Router::find_signed(Route& route) const {
  for (const ServiceModel* service : services_) {
    if (service->protocol != Protocol::kJson || service->signing_name != route.claimed.service) continue;
    if (route.service && service->service != route.claimed.service) continue;  // DynamoDB Streams signs as DynamoDB
    route.service = service;
    route.service_name = service->service;
    route.protocol = Protocol::kJson;
  }
}

bool Router::find_action(const http::Request& request, Route& route) const {
  std::string_view form = is_form(request) ? std::string_view(request.body) : std::string_view{};
  std::optional<std::string> action = form_value(form, "Action");
  if (!action) { form = request.query(); action = form_value(form, "Action"); }
  if (!action) return false;
  const std::string version = form_value(form, "Version").value_or("");
  for (const ServiceModel* service : services_) {
    if (service->protocol != Protocol::kQuery) continue;
    const bool named = route.claimed.service == service->signing_name;
    const bool by_version = route.claimed.service.empty() && version == service->api_version;
    const bool has = std::ranges::any_of(service->operations, [&](const auto& op) { return op.name == *action; });
    if (named || (by_version && has)) route.service = service;
  }
  // A query parameter named Action is no query call for a service that has a path protocol.
  if (!route.service && !is_form(request) && !route.claimed.service.empty()) {
    for (const ServiceModel* service : services_) if (service->signing_name == route.claimed.service) return false;
  }
  route.protocol = Protocol::kQuery;
  route.operation = action->substr(0, 200);
  return true;
}

void Router::find_path(const http::Request& request, Route& route) const {
  const auto query = http::parse_query(request.query());
  int best = -1000;
  // A bucket in the host stands in front of the path, for S3 alone: the request keeps its target, which is what was signed.
  const std::string_view bucket = bucket_of_host(request.host);
  const std::string s3_path = bucket.empty() ? std::string(request.path()) : "/" + std::string(bucket) + std::string(request.path());
  const ServiceModel* only = nullptr;  // a service that the scope names, for the error when no path matches
  for (const ServiceModel* service : services_) {
    if (service->protocol != Protocol::kRestJson && service->protocol != Protocol::kRestXml) continue;
    const bool named = service->signing_name == route.claimed.service;
    if (!route.claimed.service.empty() && !named) continue;
    if (named) only = service;
    // S3's patterns match anything: without a scope every other service goes first.
    const bool is_s3 = service->endpoint_prefix == "s3";
    const int handicap = !named && is_s3 ? -500 : 0;
    for (const OperationName& op : service->operations) {
      if (op.method != request.method) continue;
      const std::size_t mark = op.uri.find('?');
      std::map<std::string, std::string, std::less<>> labels;
      const int path_score = match_uri(op.uri.substr(0, mark), is_s3 ? std::string_view(s3_path) : request.path(), labels);
      if (path_score < 0) continue;
      const int query_score = match_query(mark == op.uri.npos ? std::string_view{} : op.uri.substr(mark + 1), query);
      if (query_score < 0) continue;
      const Registry::Entry* entry = registry_.find(service->service, op.name);
      const int score = handicap + path_score * 32 + query_score * 8 + (entry ? 1 + match_required(*entry->model, request, query) * 2 : 0);
      if (score <= best) continue;
      best = score;
      route.service = service;
      route.operation = op.name;
      route.labels = std::move(labels);
    }
  }
  if (!route.service) route.service = only;
  if (!route.service) route.protocol = Protocol::kRestJson;
}

void Router::bind(Route& route) const {
  if (!route.service) return;
  route.protocol = route.service->protocol;
  route.service_name = route.service->service;
  route.entry = registry_.find(route.service->service, route.operation);
  route.known_operation =
      std::ranges::any_of(route.service->operations, [&](const auto& op) { return op.name == route.operation; });
}

}  // namespace parvis::aws
