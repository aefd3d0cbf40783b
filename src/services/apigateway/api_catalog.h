// apigateway/api_catalog.h: all APIs of the installation: durable in the Store, compiled in memory for the request path.
//
// Every change is one commit of the API's one value, checked against the version that was read, and is served once that
// commit is durable. The compiled form is immutable; a request keeps the one it began with. One process per store: a second
// node would need a version check here (README).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/entropy.h"
#include "services/apigateway/router.h"
#include "storage/store.h"

namespace parvis::apigateway {

// What one stage serves. Points into the Api it was compiled from.
struct CompiledStage {
  const Stage* stage;
  const Definition* definition;
  Router router;
};
struct CompiledApi {
  Api api;
  std::map<std::string, CompiledStage, std::less<>> stages;
};
std::shared_ptr<const CompiledApi> compile(Api api);

struct NewApi {
  Protocol protocol = Protocol::kRest;
  std::string name, description;
  bool disable_execute_api_endpoint = false;
  std::map<std::string, std::string> tags;
  std::string token;  // the same token gives the same API again; empty: always a new one
  // Reads the definition once the id is known (REST resource ids depend on it). May throw ApiError.
  std::function<Definition(const std::string& api_id)> define;
  std::vector<Stage> stages = {};  // made with it
};

class ApiCatalog {  // thread-safe; `store`, `clock`, `entropy` outlive it
 public:
  ApiCatalog(storage::Store& store, const Clock& clock, Entropy& entropy);

  // Reads every API of the store. Call once, before serving. Throws std::runtime_error that names a value it cannot read.
  awaitable<> load();

  // The request path: no store access. nullptr: no such API.
  std::shared_ptr<const CompiledApi> find(std::string_view api_id) const;
  std::vector<std::shared_ptr<const CompiledApi>> list() const;
  // Throws NotFoundException ("Invalid API identifier specified 123456789012:abc").
  std::shared_ptr<const CompiledApi> get(const aws::Scope& scope, std::string_view api_id) const;

  awaitable<Api> create(aws::Scope scope, NewApi details);
  Millis now() const { return clock_.wall(); }
  // Applies `change` to the stored API and commits; `change` may run again after a conflict. Throws NotFoundException,
  // whatever `change` throws, ServiceUnavailableException when the store gives up.
  awaitable<Api> update(aws::Scope scope, std::string api_id, std::function<void(Api&)> change);
  awaitable<> remove(aws::Scope scope, std::string api_id);  // of something gone: succeeds

  // Freezes the current definition. With `stage_name` the stage is made or moved to it, and `adjust` may change it. Idempotent by token.
  awaitable<Deployment> deploy(aws::Scope scope, std::string api_id, std::string description, std::string stage_name, std::string token,
                               std::function<void(Stage&)> adjust = {});
  // Throws BadRequestException while another stage than the one it made points at it.
  awaitable<> remove_deployment(aws::Scope scope, std::string api_id, std::string deployment_id);
  awaitable<> put_stage(aws::Scope scope, std::string api_id, Stage stage, bool create);
  // As put_stage, but throws ConflictException for a name that is taken.
  awaitable<Stage> add_stage(aws::Scope scope, std::string api_id, Stage stage);
  awaitable<> remove_stage(aws::Scope scope, std::string api_id, std::string name);

 private:
  using Map = std::map<std::string, std::shared_ptr<const CompiledApi>, std::less<>>;
  struct Stored {
    Api api;
    storage::Version version = 0;
  };
  awaitable<std::optional<Stored>> read(aws::Scope scope, std::string api_id);
  awaitable<bool> write(const Api& api, std::optional<storage::Version> before);  // false: conflict
  void publish(std::shared_ptr<const CompiledApi> api, const std::string& id, storage::Stamp stamp);
  std::string make_id(const aws::Scope& scope, std::string_view token, std::size_t length, unsigned attempt);
  std::shared_ptr<const Map> current() const;

  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
  // Guards the pointer alone, for the time of a copy; never held across a wait.
  mutable std::mutex mutex_;
  std::shared_ptr<const Map> apis_ = std::make_shared<Map>();
  std::map<std::string, storage::Stamp> published_;  // the stamp of what each id shows
};

// Throws BadRequestException for a name that no stage may have.
void check_stage(Protocol protocol, const Stage& stage);

}  // namespace parvis::apigateway
