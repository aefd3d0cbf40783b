#include "services/iam/managed_policy.h"

#include <spdlog/spdlog.h>

#include "services/iam/role.h"
#include "storage/tuple.h"

namespace parvis::iam {
namespace {

using boost::json::object;
constexpr int kAttemptsMax = 10;

std::string policy_prefix(const std::string& account) {
  storage::TupleWriter key;
  key.string(account).string("aws-global").string("iam").string("policy");
  return key.take();
}
std::string policy_key(const std::string& account, std::string_view name) {
  storage::TupleWriter key(policy_prefix(account));
  key.string(name);
  return key.take();
}

std::int64_t ms(Millis time) { return time.time_since_epoch().count(); }
Millis at(const boost::json::value& value) { return Millis{std::chrono::milliseconds{value.as_int64()}}; }

std::string to_json(const ManagedPolicy& p) {
  boost::json::array versions;
  for (const PolicyVersion& v : p.versions) versions.push_back(object{{"number", v.number}, {"document", v.document}, {"created", ms(v.created)}});
  object tags;
  for (const auto& [key, value] : p.tags) tags[key] = value;
  return boost::json::serialize(object{{"format", 1}, {"name", p.name}, {"id", p.id}, {"path", p.path}, {"description", p.description},
      {"created", ms(p.created)}, {"updated", ms(p.updated)}, {"default", p.default_version}, {"next", p.next_version},
      {"versions", std::move(versions)}, {"tags", std::move(tags)}});
}

ManagedPolicy parse(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const object& o = value.as_object();
  if (o.at("format").as_int64() != 1) throw std::runtime_error("a newer format");
  ManagedPolicy p;
  p.name = o.at("name").as_string();
  p.id = o.at("id").as_string();
  p.path = o.at("path").as_string();
  p.description = o.at("description").as_string();
  p.created = at(o.at("created"));
  p.updated = at(o.at("updated"));
  p.default_version = o.at("default").to_number<int>();
  p.next_version = o.at("next").to_number<int>();
  for (const auto& v : o.at("versions").as_array()) p.versions.push_back({v.at("number").to_number<int>(), std::string(v.at("document").as_string()), at(v.at("created"))});
  for (const auto& tag : o.at("tags").as_object()) p.tags.emplace(tag.key(), tag.value().as_string());
  return p;
} catch (const std::exception& failed) {
  spdlog::error("iam: a stored policy cannot be read: {}", failed.what());
  throw aws::ApiError(kServiceFailure, "The policy could not be read.");
}

}  // namespace

awaitable<bool> PolicyStore::replace(storage::Replacement replacement) {
  const auto done = co_await storage::replace(store_, std::move(replacement));
  if (done) co_return true;
  if (done.error().code == storage::StoreErrc::kConflict) co_return false;
  spdlog::error("iam: commit failed: {}: {}", storage::to_string(done.error().code), done.error().detail);
  throw aws::ApiError(kServiceFailure, "The request processing has failed because of an unknown error, exception or failure.");
}

awaitable<PolicyStore::Found> PolicyStore::get(std::string account, std::string arn) {
  if (arn.starts_with(kAwsPolicyPrefix)) {
    throw aws::ApiError(kNoSuchEntity, "Policy " + arn + " is one of AWS's own: it can be attached, its document is not kept on this platform.");
  }
  const std::string key = policy_key(account, arn.substr(arn.rfind('/') + 1));
  const auto value = co_await store_.snapshot()->get(key);
  std::optional<ManagedPolicy> policy;
  if (value) policy = parse(value->bytes);
  if (!policy || policy->arn(account) != arn) throw aws::ApiError(kNoSuchEntity, "Policy " + arn + " was not found.");
  co_return Found{std::move(*policy), {key, value->version}};
}

awaitable<> PolicyStore::create(std::string account, ManagedPolicy policy) {
  if (!co_await replace({policy_key(account, policy.name), std::nullopt, to_json(policy)})) {
    throw aws::ApiError(kEntityAlreadyExists, "A policy called " + policy.name + " already exists. Duplicate names are not allowed.");
  }
}

awaitable<> PolicyStore::modify(std::string account, std::string arn, std::function<void(ManagedPolicy&)> change) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Found found = co_await get(account, arn);
    change(found.policy);
    if (co_await replace({found.check.key, found.check.version, to_json(found.policy)})) co_return;
  }
  throw aws::ApiError(kConcurrentModification, "The policy is being changed by another request.");
}

awaitable<bool> PolicyStore::remove(Found found, storage::RangeGuard guard) {
  storage::Commit with;
  with.guards.push_back(std::move(guard));
  co_return co_await replace({found.check.key, found.check.version, std::nullopt, std::move(with)});
}

awaitable<PolicyStore::Page> PolicyStore::list(std::string account, std::string after, std::size_t limit) {
  const std::string prefix = policy_prefix(account);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = limit};
  if (!after.empty()) range.begin = policy_key(account, after) + '\0';
  const storage::ScanPage page = co_await store_.snapshot()->scan(range);
  Page out{.policies = {}, .more = page.more};
  for (const storage::Entry& entry : page.entries) out.policies.push_back(parse(entry.value));
  co_return out;
}

}  // namespace parvis::iam
