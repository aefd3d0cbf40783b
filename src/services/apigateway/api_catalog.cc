#include "services/apigateway/api_catalog.h"

#include <algorithm>
#include <stdexcept>

#include "core/hash.h"
#include "services/apigateway/errors.h"
#include "services/apigateway/keyspace.h"
#include "storage/retry.h"

namespace parvis::apigateway {
namespace json = boost::json;
namespace {

constexpr unsigned kAttemptsMax = 16;

[[noreturn]] void not_found(const aws::Scope& scope, std::string_view id) {
  throw aws::ApiError(kNotFound, fmt::format("Invalid API identifier specified {}:{}", scope.account, id));
}

void check_stage_count(const Api& api, const std::string& name) {
  if (!api.stages.contains(name) && api.stages.size() >= kStagesMax) throw aws::ApiError(kBadRequest, fmt::format("An API has at most {} stages", kStagesMax));
}

Api parse_stored(const storage::Value& value, std::string_view id) {
  try {
    return api_from_json(json::parse(value.bytes));
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("the stored API '{}' cannot be read: {}", id, error.what()));
  }
}

}  // namespace

std::shared_ptr<const CompiledApi> compile(Api api) {
  auto out = std::make_shared<CompiledApi>();
  out->api = std::move(api);
  for (const auto& [name, stage] : out->api.stages) {
    const Definition* definition = &out->api.definition;
    if (!stage.auto_deploy) {
      const auto deployment = out->api.deployments.find(stage.deployment_id);
      if (deployment == out->api.deployments.end()) continue;  // serves nothing
      definition = &deployment->second.definition;
    }
    out->stages.emplace(name, CompiledStage{&stage, definition, Router(out->api.protocol, definition->routes)});
  }
  return out;
}

ApiCatalog::ApiCatalog(storage::Store& store, const Clock& clock, Entropy& entropy) : store_(store), clock_(clock), entropy_(entropy) {}

// Keys begin with account and Region, so the walk jumps from one account and Region to the next.
awaitable<> ApiCatalog::load() {
  auto snapshot = store_.snapshot();
  auto map = std::make_shared<Map>();
  std::map<std::string, storage::Stamp> stamps;
  const std::string begin = storage::TupleWriter().string("").take().substr(0, 1);  // the tag of a string
  const std::string end = storage::prefix_end(begin);
  std::string at = begin;
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan({.begin = at, .end = end, .limit = 1});
    if (page.entries.empty()) break;
    storage::TupleReader reader(page.entries[0].key);
    const auto account = reader.string();
    const auto region = account ? reader.string() : account;
    if (!region) {  // a key of another shape
      at = page.entries[0].key + '\0';
      continue;
    }
    std::string from = apis_prefix({*account, *region});
    const std::string to = storage::prefix_end(from);
    for (bool more = true; more;) {
      page = co_await snapshot->scan({.begin = from, .end = to});
      for (storage::Entry& entry : page.entries) {
        Api api = parse_stored({std::move(entry.value), entry.version}, entry.key);
        std::string id = api.id;
        stamps[id] = entry.version;
        (*map)[id] = compile(std::move(api));
        from = entry.key + '\0';
      }
      more = page.more && !page.entries.empty();
    }
    at = storage::prefix_end(storage::TupleWriter().string(*account).string(*region).take());
  }
  const std::lock_guard lock(mutex_);
  apis_ = std::move(map);
  published_ = std::move(stamps);
}

std::shared_ptr<const ApiCatalog::Map> ApiCatalog::current() const {
  const std::lock_guard lock(mutex_);
  return apis_;
}

std::shared_ptr<const CompiledApi> ApiCatalog::find(std::string_view api_id) const {
  const auto map = current();
  const auto found = map->find(api_id);
  return found == map->end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const CompiledApi>> ApiCatalog::list() const {
  std::vector<std::shared_ptr<const CompiledApi>> out;
  for (const auto& [id, api] : *current()) out.push_back(api);
  return out;
}

std::shared_ptr<const CompiledApi> ApiCatalog::get(const aws::Scope& scope, std::string_view api_id) const {
  auto api = find(api_id);
  if (!api || api->api.scope.account != scope.account || api->api.scope.region != scope.region) not_found(scope, api_id);
  return api;
}

void ApiCatalog::publish(std::shared_ptr<const CompiledApi> api, const std::string& id, storage::Stamp stamp) {
  std::shared_ptr<const Map> old;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  storage::Stamp& shown = published_[id];
  if (stamp < shown) return;  // a later commit overtook this one
  shown = stamp;
  auto next = std::make_shared<Map>(*apis_);
  if (api) (*next)[id] = std::move(api);
  else next->erase(id);
  old = std::exchange(apis_, std::move(next));
}

awaitable<std::optional<ApiCatalog::Stored>> ApiCatalog::read(aws::Scope scope, std::string api_id) {
  const std::string key = api_key(scope, api_id);
  auto snapshot = store_.snapshot();
  const auto value = co_await snapshot->get(key);
  if (!value) co_return std::nullopt;
  co_return Stored{parse_stored(*value, api_id), value->version};
}

awaitable<bool> ApiCatalog::write(const Api& api, std::optional<storage::Version> before) {
  std::string bytes = json::serialize(to_json(api));
  auto compiled = compile(api);
  const std::string id = api.id, key = api_key(api.scope, id);
  const auto done = co_await storage::replace(store_, {key, before, std::move(bytes)});
  if (done) {
    publish(std::move(compiled), id, *done);
    co_return true;
  }
  // What is still unknown is settled by reading again: every change can be applied twice.
  if (done.error().code == storage::StoreErrc::kConflict || done.error().code == storage::StoreErrc::kUnknownOutcome) co_return false;
  if (done.error().code == storage::StoreErrc::kTooLarge) throw aws::ApiError(kBadRequest, "The API with its deployments is too large");
  spdlog::error("apigateway: commit of API {} failed: {}", id, done.error().detail);
  throw aws::ApiError(kUnavailable, "The API could not be stored; try again");
}

std::string ApiCatalog::make_id(const aws::Scope& scope, std::string_view token, std::size_t length, unsigned attempt) {
  if (token.empty()) return entropy_.token(length);
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  const Sha256Digest digest = sha256(fmt::format("{}\n{}\n{}\n{}", scope.account, scope.region, token, attempt));
  std::string id;
  for (std::size_t i = 0; i < length; ++i) id += kAlphabet[digest[i] % kAlphabet.size()];
  return id;
}

awaitable<Api> ApiCatalog::create(aws::Scope scope, NewApi details) {
  // Without a token of the caller's, one of our own tells a commit of unknown outcome from another's API.
  if (details.token.empty()) details.token = entropy_.uuid();
  unsigned attempt = 0;
  for (unsigned round = 0; round < kAttemptsMax; ++round) {
    Api api;
    api.id = make_id(scope, details.token, 10, attempt);
    // Ids are host names: unique over all accounts.
    if (const auto other = find(api.id); other && (other->api.create_token != details.token ||
                                                   other->api.scope.account != scope.account || other->api.scope.region != scope.region)) {
      ++attempt;
      continue;
    }
    if (auto stored = co_await read(scope, api.id)) {
      if (stored->api.create_token == details.token) {
        publish(compile(stored->api), api.id, stored->version);
        co_return std::move(stored->api);
      }
      ++attempt;
      continue;
    }
    api.scope = scope;
    api.protocol = details.protocol;
    api.description = details.description;
    api.disable_execute_api_endpoint = details.disable_execute_api_endpoint;
    api.tags = details.tags;
    api.created = clock_.wall();
    api.create_token = details.token;
    for (Stage stage : details.stages) {
      check_stage(api.protocol, stage);
      stage.created = stage.updated = api.created;
      api.stages[stage.name] = std::move(stage);
    }
    if (details.define) api.definition = details.define(api.id);
    api.name = details.name.empty() ? api.definition.title : details.name;
    if (api.name.empty()) throw aws::ApiError(kBadRequest, "API name is required: neither Name nor Body.info.title is given");
    if (co_await write(api, std::nullopt)) co_return api;
    // Conflict or unknown outcome: the same id again; the token tells our own API from another's.
  }
  throw aws::ApiError(kUnavailable, "No free API identifier was found; try again");
}

awaitable<Api> ApiCatalog::update(aws::Scope scope, std::string api_id, std::function<void(Api&)> change) {
  for (unsigned attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto stored = co_await read(scope, api_id);
    if (!stored) not_found(scope, api_id);
    change(stored->api);
    if (co_await write(stored->api, stored->version)) co_return std::move(stored->api);
  }
  throw aws::ApiError(kConflict, "Unable to complete operation due to concurrent modification. Please try again later.");
}

awaitable<> ApiCatalog::remove(aws::Scope scope, std::string api_id) {
  const std::string key = api_key(scope, api_id);
  for (unsigned attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const storage::Stamp seen = store_.snapshot()->stamp();
    const auto stored = co_await read(scope, api_id);
    if (!stored) {
      // An attempt of unknown outcome may have removed it: memory follows.
      const auto shown = find(api_id);
      if (shown && shown->api.scope.account == scope.account && shown->api.scope.region == scope.region) publish(nullptr, api_id, seen);
      co_return;
    }
    const auto done = co_await storage::replace(store_, {key, stored->version, std::nullopt});
    if (done) {
      publish(nullptr, api_id, *done);
      co_return;
    }
    if (done.error().code != storage::StoreErrc::kConflict && done.error().code != storage::StoreErrc::kUnknownOutcome) break;
  }
  throw aws::ApiError(kUnavailable, "The API could not be deleted; try again");
}

awaitable<Deployment> ApiCatalog::deploy(aws::Scope scope, std::string api_id, std::string description, std::string stage_name, std::string token,
                                         std::function<void(Stage&)> adjust) {
  Deployment made;
  co_await update(scope, api_id, [&](Api& api) {
    for (const auto& [id, deployment] : api.deployments) {
      if (!token.empty() && deployment.create_token == token) {
        made = deployment;
        return;
      }
    }
    if (api.deployments.size() >= kDeploymentsMax) throw aws::ApiError(kBadRequest, fmt::format("An API has at most {} deployments", kDeploymentsMax));
    if (api.definition.routes.empty()) throw aws::ApiError(kBadRequest, "The REST API doesn't contain any methods");
    std::string id;
    for (unsigned attempt = 0; id.empty() || api.deployments.contains(id); ++attempt) id = make_id(scope, token.empty() ? "" : api_id + token, 6, attempt);
    made = Deployment{id, description, clock_.wall(), token, stage_name, api.definition};
    api.deployments[id] = made;
    if (stage_name.empty()) return;
    check_stage_count(api, stage_name);
    Stage& stage = api.stages[stage_name];
    if (stage.name.empty()) stage.created = made.created;
    stage.name = stage_name;
    stage.deployment_id = id;
    stage.updated = made.created;
    if (adjust) adjust(stage);
    check_stage(api.protocol, stage);
  });
  co_return made;
}

awaitable<> ApiCatalog::remove_deployment(aws::Scope scope, std::string api_id, std::string deployment_id) {
  if (!co_await read(scope, api_id)) co_return;
  co_await update(scope, api_id, [&](Api& api) {
    const auto found = api.deployments.find(deployment_id);
    if (found == api.deployments.end()) return;
    if (const auto own = api.stages.find(found->second.stage_name); own != api.stages.end() && own->second.deployment_id == deployment_id) {
      api.stages.erase(own);
    }
    for (const auto& [name, stage] : api.stages) {
      if (stage.deployment_id == deployment_id) {
        throw aws::ApiError(kBadRequest, "Active stages pointing to this deployment must be moved or deleted");
      }
    }
    api.deployments.erase(found);
  });
}

awaitable<> ApiCatalog::put_stage(aws::Scope scope, std::string api_id, Stage stage, bool create) {
  co_await update(scope, api_id, [&](Api& api) {
    check_stage(api.protocol, stage);
    if (!stage.auto_deploy && !api.deployments.contains(stage.deployment_id)) throw aws::ApiError(kBadRequest, "Invalid deployment identifier specified");
    if (!create && !api.stages.contains(stage.name)) throw aws::ApiError(kNotFound, "Invalid stage identifier specified");
    if (create) check_stage_count(api, stage.name);
    Stage& stored = api.stages[stage.name];
    const Millis now = clock_.wall(), created = stored.name.empty() ? now : stored.created;
    stored = stage;
    stored.created = created;
    stored.updated = now;
  });
}

awaitable<Stage> ApiCatalog::add_stage(aws::Scope scope, std::string api_id, Stage stage) {
  stage.created = stage.updated = clock_.wall();
  bool tried = false;
  co_await update(scope, api_id, [&](Api& api) {
    check_stage(api.protocol, stage);
    if (!stage.auto_deploy && !api.deployments.contains(stage.deployment_id)) throw aws::ApiError(kBadRequest, "Invalid deployment identifier specified");
    check_stage_count(api, stage.name);
    if (const auto found = api.stages.find(stage.name); found != api.stages.end()) {
      // After a commit of unknown outcome the stage may be the one of the first attempt.
      if (tried && found->second.created == stage.created && found->second.deployment_id == stage.deployment_id) return;
      throw aws::ApiError(kConflict, "Stage already exists");
    }
    tried = true;
    api.stages[stage.name] = stage;
  });
  co_return stage;
}

awaitable<> ApiCatalog::remove_stage(aws::Scope scope, std::string api_id, std::string name) {
  if (!co_await read(scope, api_id)) co_return;
  co_await update(scope, api_id, [&](Api& api) { api.stages.erase(name); });
}

void check_stage(Protocol protocol, const Stage& stage) {
  const bool http_default = protocol == Protocol::kHttp && stage.name == kDefaultStage;
  const auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; };
  if (!http_default && (stage.name.empty() || stage.name.size() > 128 || !std::all_of(stage.name.begin(), stage.name.end(), allowed))) {
    throw aws::ApiError(kBadRequest, fmt::format("Stage name '{}' only allows a-zA-Z0-9_-", stage.name));
  }
  for (const auto& [name, value] : stage.variables) {
    // Source: CreateStage, variables: [A-Za-z0-9-._~:/?#&=,]+ .
    const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-._~:/?#&=,").find(c) != std::string_view::npos; };
    if (value.empty() || !std::all_of(value.begin(), value.end(), fits)) {
      throw aws::ApiError(kBadRequest, fmt::format("Stage variable '{}' has a value that does not match [A-Za-z0-9-._~:/?#&=,]+", name));
    }
  }
}

}  // namespace parvis::apigateway
