#include "services/iam/role.h"

#include <spdlog/spdlog.h>

#include "storage/retry.h"
#include "storage/tuple.h"

namespace parvis::iam {
namespace {

constexpr int kAttemptsMax = 10;

std::string role_prefix(const std::string& account) {
  storage::TupleWriter key;
  key.string(account).string("aws-global").string("iam").string("role");
  return key.take();
}
std::string role_key(const std::string& account, const std::string& name) {
  storage::TupleWriter key(role_prefix(account));
  key.string(name);
  return key.take();
}

boost::json::object to_object(const std::map<std::string, std::string>& map) {
  boost::json::object out;
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}
std::map<std::string, std::string> to_map(const boost::json::object& object) {
  std::map<std::string, std::string> out;
  for (const auto& entry : object) out.emplace(entry.key(), entry.value().as_string());
  return out;
}

std::string to_json(const Role& r) {
  boost::json::array attached;
  for (const std::string& arn : r.attached) attached.emplace_back(arn);
  return boost::json::serialize(boost::json::object{{"format", 1}, {"name", r.name}, {"id", r.id}, {"path", r.path},
      {"description", r.description}, {"trust", r.trust_policy}, {"boundary", r.permissions_boundary}, {"session", r.max_session_seconds},
      {"created", r.created.time_since_epoch().count()}, {"policies", to_object(r.policies)}, {"attached", std::move(attached)},
      {"tags", to_object(r.tags)}});
}

Role parse(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  if (o.at("format").as_int64() != 1) throw std::runtime_error("a newer format");
  Role r;
  r.name = text("name");
  r.id = text("id");
  r.path = text("path");
  r.description = text("description");
  r.trust_policy = text("trust");
  r.permissions_boundary = text("boundary");
  r.max_session_seconds = o.at("session").to_number<int>();
  r.created = Millis{std::chrono::milliseconds{o.at("created").as_int64()}};
  r.policies = to_map(o.at("policies").as_object());
  for (const auto& arn : o.at("attached").as_array()) r.attached.emplace_back(arn.as_string());
  r.tags = to_map(o.at("tags").as_object());
  return r;
} catch (const std::exception& failed) {
  spdlog::error("iam: a stored role cannot be read: {}", failed.what());
  throw aws::ApiError(kServiceFailure, "The role could not be read.");
}

aws::ApiError no_such_role(const std::string& name) {
  return {kNoSuchEntity, "The role with name " + name + " cannot be found."};
}

}  // namespace

void check_policy_document(const std::string& document) {
  boost::json::error_code failed;
  const boost::json::value value = boost::json::parse(document, failed);
  if (failed) throw aws::ApiError(kMalformedPolicyDocument, "This policy contains invalid Json");
  if (!value.is_object() || !value.as_object().contains("Statement")) {
    throw aws::ApiError(kMalformedPolicyDocument, "Syntax errors in policy.");
  }
}

awaitable<std::optional<RoleStore::Found>> RoleStore::find(std::string account, std::string name) {
  const std::string key = role_key(account, name);
  const auto value = co_await store_.snapshot()->get(key);
  if (!value) co_return std::nullopt;
  co_return Found{parse(value->bytes), value->version};
}

awaitable<bool> RoleStore::write(std::string account, std::string name, std::optional<Role> role,
                                 std::optional<storage::Version> expected, std::optional<storage::Check> also) {
  storage::Replacement replacement{role_key(account, name), expected, std::nullopt};
  if (role) replacement.bytes = to_json(*role);
  if (also) replacement.with.checks.push_back(std::move(*also));
  const auto done = co_await storage::replace(store_, std::move(replacement));
  if (done) co_return true;
  if (done.error().code == storage::StoreErrc::kConflict) co_return false;
  spdlog::error("iam: commit failed: {}: {}", storage::to_string(done.error().code), done.error().detail);
  throw aws::ApiError(kServiceFailure, "The request processing has failed because of an unknown error, exception or failure.");
}

awaitable<Role> RoleStore::get(std::string account, std::string name) {
  auto found = co_await find(account, name);
  if (!found) throw no_such_role(name);
  co_return std::move(found->role);
}

awaitable<> RoleStore::create(std::string account, Role role) {
  const std::string name = role.name;
  if (!co_await write(account, name, std::move(role), std::nullopt)) {
    throw aws::ApiError(kEntityAlreadyExists, "Role with name " + name + " already exists.");
  }
}

awaitable<> RoleStore::modify(std::string account, std::string name, std::function<void(Role&)> change, std::optional<storage::Check> also) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto found = co_await find(account, name);
    if (!found) throw no_such_role(name);
    change(found->role);
    if (co_await write(account, name, std::move(found->role), found->version, also)) co_return;
  }
  throw aws::ApiError(kConcurrentModification, "The role is being changed by another request.");
}

awaitable<> RoleStore::remove(std::string account, std::string name) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto found = co_await find(account, name);
    if (!found) throw no_such_role(name);
    if (!found->role.attached.empty()) throw aws::ApiError(kDeleteConflict, "Cannot delete entity, must detach all policies first.");
    if (!found->role.policies.empty()) throw aws::ApiError(kDeleteConflict, "Cannot delete entity, must delete policies first.");
    if (co_await write(account, name, std::nullopt, found->version)) co_return;
  }
  throw aws::ApiError(kConcurrentModification, "The role is being changed by another request.");
}

awaitable<RoleStore::Page> RoleStore::list(std::string account, std::string after, std::size_t limit) {
  const std::string prefix = role_prefix(account);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = limit};
  if (!after.empty()) range.begin = role_key(account, after) + '\0';
  const auto snapshot = store_.snapshot();
  const storage::ScanPage page = co_await snapshot->scan(range);
  Page out{.roles = {}, .more = page.more, .guard = {prefix, storage::prefix_end(prefix), snapshot->stamp()}};
  for (const storage::Entry& entry : page.entries) out.roles.push_back(parse(entry.value));
  co_return out;
}

}  // namespace parvis::iam
