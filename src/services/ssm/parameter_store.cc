#include "services/ssm/parameter_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "services/ssm/errors.h"
#include "storage/tuple.h"

namespace parvis::ssm {
namespace {

using boost::json::object;
constexpr int kAttemptsMax = 10;
constexpr std::size_t kTupleEndBytes = 2;  // what closes a string element: without it the key is a prefix of longer names

storage::TupleWriter tuple(const aws::Scope& scope, std::string_view kind) {
  storage::TupleWriter key;
  key.string(scope.account).string(scope.region).string("ssm").string(kind);
  return key;
}
std::string record_key(const aws::Scope& scope, std::string_view name) { return tuple(scope, "parameter").string(name).take(); }
std::string version_key(const aws::Scope& scope, std::string_view id, std::uint64_t version) {
  return tuple(scope, "version").string(id).u64(version).take();
}

object to_object(const ParameterVersion& v) {
  return {{"version", v.version}, {"type", v.type}, {"value", v.value}, {"description", v.description}, {"keyId", v.key_id},
          {"pattern", v.allowed_pattern}, {"tier", v.tier}, {"dataType", v.data_type}, {"by", v.modified_by},
          {"modified", v.modified.time_since_epoch().count()}};
}
ParameterVersion to_version(const object& o) {
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  return {o.at("version").to_number<std::uint64_t>(), text("type"), text("value"), text("description"), text("keyId"), text("pattern"),
          text("tier"), text("dataType"), text("by"), Millis{std::chrono::milliseconds{o.at("modified").as_int64()}}};
}

std::string to_json(const ParameterRecord& r) {
  object labels, tags;
  for (const auto& [label, version] : r.labels) labels[label] = version;
  for (const auto& [key, value] : r.tags) tags[key] = value;
  return boost::json::serialize(object{{"format", 1}, {"id", r.id}, {"name", r.name}, {"oldest", r.oldest}, {"latest", to_object(r.latest)},
                                       {"labels", std::move(labels)}, {"tags", std::move(tags)}});
}

[[noreturn]] void unreadable(std::string_view why) {
  spdlog::error("ssm: a stored parameter cannot be read: {}", why);
  throw aws::ApiError(errors::kInternalServerError, "The parameter could not be read.");
}

ParameterRecord parse_record(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const object& o = value.as_object();
  if (o.at("format").as_int64() != 1) throw std::runtime_error("a newer format");
  ParameterRecord r;
  r.id = o.at("id").as_string();
  r.name = o.at("name").as_string();
  r.oldest = o.at("oldest").to_number<std::uint64_t>();
  r.latest = to_version(o.at("latest").as_object());
  for (const auto& entry : o.at("labels").as_object()) r.labels.emplace(entry.key(), entry.value().to_number<std::uint64_t>());
  for (const auto& entry : o.at("tags").as_object()) r.tags.emplace(entry.key(), entry.value().as_string());
  return r;
} catch (const std::exception& failed) {
  unreadable(failed.what());
}

ParameterVersion parse_version(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  return to_version(value.as_object());
} catch (const std::exception& failed) {
  unreadable(failed.what());
}

}  // namespace

std::string ParameterStore::seal(const std::string& plain, const std::string& arn) { return base64_encode(key_.seal(plain, arn, entropy_)); }

std::string ParameterStore::open(const std::string& stored, const std::string& arn) const {
  const auto sealed = base64_decode(stored);
  auto plain = sealed ? key_.open(*sealed, arn) : std::nullopt;
  if (!plain) {
    spdlog::error("ssm: {} was sealed with another key; is the data directory's seal-key the one it was written with?", arn);
    throw aws::ApiError(errors::kInternalServerError, "The parameter's value could not be decrypted.");
  }
  return std::move(*plain);
}

awaitable<std::optional<ParameterStore::Found>> ParameterStore::find(aws::Scope scope, std::string name) {
  const std::string key = record_key(scope, name);
  const auto value = co_await store_.snapshot()->get(key);
  if (!value) co_return std::nullopt;
  co_return Found{parse_record(value->bytes), value->version};
}

awaitable<std::optional<ParameterVersion>> ParameterStore::version(aws::Scope scope, std::string id, std::uint64_t version) {
  const std::string key = version_key(scope, id, version);
  const auto value = co_await store_.snapshot()->get(key);
  if (!value) co_return std::nullopt;
  co_return parse_version(value->bytes);
}

awaitable<std::vector<ParameterVersion>> ParameterStore::versions(aws::Scope scope, ParameterRecord record) {
  const std::string prefix = tuple(scope, "version").string(record.id).take();
  const storage::ScanPage page = co_await store_.snapshot()->scan({.begin = prefix, .end = storage::prefix_end(prefix), .limit = kVersionsMax + 1, .bytes_max = 4u << 20});
  std::vector<ParameterVersion> out;
  for (const storage::Entry& entry : page.entries) out.push_back(parse_version(entry.value));
  co_return out;
}

awaitable<bool> ParameterStore::replace(storage::Replacement replacement) {
  const auto done = co_await storage::replace(store_, std::move(replacement));
  if (done) co_return true;
  if (done.error().code == storage::StoreErrc::kConflict) co_return false;
  spdlog::error("ssm: commit failed: {}: {}", storage::to_string(done.error().code), done.error().detail);
  throw aws::ApiError(errors::kInternalServerError, "The parameter could not be written.");
}

awaitable<bool> ParameterStore::write(aws::Scope scope, ParameterRecord record, std::optional<storage::Version> expected, bool new_version) {
  storage::Commit change;
  if (new_version) {
    change.put(version_key(scope, record.id, record.latest.version), boost::json::serialize(to_object(record.latest)));
    while (record.latest.version - record.oldest >= kVersionsMax) change.erase(version_key(scope, record.id, record.oldest++));
  }
  co_return co_await replace({record_key(scope, record.name), expected, to_json(record), std::move(change)});
}

awaitable<bool> ParameterStore::remove(aws::Scope scope, std::string name) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto found = co_await find(scope, name);
    if (!found) co_return false;
    storage::Commit change;
    for (std::uint64_t v = found->record.oldest; v <= found->record.latest.version; ++v) change.erase(version_key(scope, found->record.id, v));
    if (co_await replace({record_key(scope, name), found->version, std::nullopt, std::move(change)})) co_return true;
  }
  throw aws::ApiError(errors::kInternalServerError, "The parameter is being changed by other requests.");
}

awaitable<bool> ParameterStore::modify(aws::Scope scope, std::string name, std::function<void(ParameterRecord&)> change) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto found = co_await find(scope, name);
    if (!found) co_return false;
    change(found->record);
    if (co_await write(scope, std::move(found->record), found->version, false)) co_return true;
  }
  throw aws::ApiError(errors::kTooManyUpdates, "There are concurrent updates for a resource that supports one update at a time.");
}

awaitable<ParameterStore::Page> ParameterStore::list(aws::Scope scope, std::string prefix, std::string after) {
  std::string begin = record_key(scope, prefix);
  begin.resize(begin.size() - kTupleEndBytes);
  storage::ScanOptions range{.begin = begin, .end = storage::prefix_end(begin), .limit = 200};
  if (!after.empty()) range.begin = std::max(range.begin, record_key(scope, after) + '\0');
  const storage::ScanPage page = co_await store_.snapshot()->scan(range);
  Page out{.records = {}, .more = page.more};
  for (const storage::Entry& entry : page.entries) out.records.push_back(parse_record(entry.value));
  co_return out;
}

}  // namespace parvis::ssm
