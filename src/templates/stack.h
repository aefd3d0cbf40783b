// templates/stack.h: stacks: a template's resources, made and kept true through the resource types that services offer.
//
// A deployment is a saga. Before each call of a resource type its intent (with the token that makes the call repeatable) is
// committed, after it the result. An operation that was cut off is settled with the same tokens and rolled back at the next start
// or when the stack is touched next. Resources are made in dependency order; what vanished or was replaced is removed at the end, in reverse.
//
// Records of stacks are sealed (vault.h); events hold no values of NoEcho parameters.
// Stored under (account, region, "cloudformation", …): "stack", name → the stack as JSON; "event", stack id, number → an event as
// JSON; "deleted", stack id → what a deleted stack was, for 90 days. Two operations on one stack: the second is refused.
// Thread-safe; resource types, store, clock and entropy outlive the engine. Coroutines resume on the caller's executor.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aws/resource_type.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "storage/store.h"
#include "templates/document.h"
#include "templates/intrinsics.h"
#include "templates/references.h"
#include "templates/vault.h"

namespace parvis::templates {

struct StackOutput {
  std::string key, value, description, export_name;
};
struct StackResource {
  std::string logical_id, type, physical_id, status;
  json::object properties, attributes;
  Millis updated{};
};
struct StackEvent {
  std::string id, logical_id, physical_id, type, status, reason, client_token;
  Millis time{};
};
struct Stack {
  std::string name, id, status, reason;
  Millis created{}, updated{}, deleted{};
  std::map<std::string, std::string> parameters;  // of NoEcho parameters: "****"
  std::map<std::string, std::string> resolved;    // of parameters from Parameter Store: what was fetched
  std::vector<StackResource> resources;
  std::vector<StackResource> detached;  // kept for their data
  std::vector<StackOutput> outputs;
  std::vector<std::string> imports;  // names of other stacks' exports; those stacks may neither change nor lose them
  json::object details;              // what the caller keeps with the stack
};

enum class OnFailure { kRollBack, kNothing, kDelete };  // kDelete: of a new stack

struct DeployOptions {
  std::map<std::string, json::value> parameters = {};
  // A resource that holds data is detached instead of removed or replaced, and reattached when its logical id comes back with
  // the same properties that only a replacement could change.
  bool keep_data = false;
  // Kept with the stack: from the start when it is new, else when the deployment has succeeded. Empty: what is there stays.
  json::object details = {};
  OnFailure on_failure = OnFailure::kRollBack;
  std::string client_token = {};  // stands in the events
  std::function<void(const StackEvent&)> on_event = {};
  std::function<void(const Stack&)> on_started = {};  // the operation is recorded and goes on
};
struct RemoveOptions {
  std::set<std::string> retain = {};  // logical ids that stay, for a stack in DELETE_FAILED
  std::string client_token = {};
  std::function<void(const Stack&)> on_started = {};
};
struct PlannedChange {
  enum class Action { kAdd, kModify, kRemove };
  enum class Replacement { kNo, kYes, kConditional };  // conditional: it depends on a value that only the deployment gives
  struct Property {
    std::string name;
    Replacement replacement;
  };
  Action action;
  std::string logical_id, physical_id, type;
  Replacement replacement = Replacement::kNo;
  std::vector<Property> properties = {};
};
struct Preview {
  std::vector<PlannedChange> changes;
  std::vector<Diagnostic> warnings;
  bool outputs_changed = false;
};
struct DeployResult {
  Stack stack;
  std::vector<Diagnostic> warnings;
  std::vector<std::string> detached, reattached;  // logical ids
  bool changed = false;
};
template <class T>
using StackExpected = std::expected<T, std::vector<Diagnostic>>;

class StackEngine {
 public:
  StackEngine(aws::ResourceTypes& types, storage::Store& store, const Clock& clock, Entropy& entropy);
  // Before the first operation: what fetches values from Parameter Store, and what stored records are sealed with. Both outlive the engine.
  void connect(aws::ApiClient& api, const SealKey& key);

  // Types, properties and required properties of a transformed template. Warnings go to `warnings`.
  std::vector<Diagnostic> check(const Document& document, const Evaluator& evaluator, std::vector<Diagnostic>& warnings) const;

  // `document` has been through the SAM transform. On failure all is rolled back and the errors say what failed and where.
  awaitable<StackExpected<DeployResult>> deploy(Document document, std::string name, DeployOptions options, aws::CallContext call);
  // What deploy() would do, without doing it.
  awaitable<StackExpected<Preview>> preview(Document document, std::string name, DeployOptions options, aws::CallContext call);
  // Also removes what is detached. A stack that does not exist is removed already.
  awaitable<StackExpected<bool>> remove(std::string name, aws::CallContext call, RemoveOptions options = {});
  // A stack without resources, in REVIEW_IN_PROGRESS, for a first change set. Of an existing stack: as it is.
  awaitable<StackExpected<Stack>> review(std::string name, json::object details, aws::CallContext call);
  // Sets members of the stack's details. False: no such stack, or an operation is under way.
  awaitable<bool> annotate(aws::Scope scope, std::string name, json::object details);
  // At start: ends what was cut off in any account, with `call` in its scope, and forgets stacks deleted 90 days ago.
  awaitable<> settle(aws::CallContext call);
  // Removes what is detached; gives the logical ids.
  awaitable<StackExpected<std::vector<std::string>>> prune(std::string name, aws::CallContext call);

  // `name` may be an id; only an id finds a deleted stack.
  awaitable<std::optional<Stack>> describe(aws::Scope scope, std::string name);
  awaitable<std::vector<Stack>> list(aws::Scope scope);
  awaitable<std::vector<Stack>> deleted(aws::Scope scope);
  awaitable<std::vector<StackEvent>> events(aws::Scope scope, std::string stack_id);  // oldest first

 private:
  friend class StackOperation;
  class Hold;  // one operation at a time on a stack
  awaitable<> settle_one(std::string name, aws::CallContext call);
  awaitable<std::vector<Stack>> stacks_under(std::string prefix);

  aws::ResourceTypes& types_;
  storage::Store& store_;
  aws::ApiClient* api_ = nullptr;
  const Clock& clock_;
  Entropy& entropy_;
  Vault vault_;
  std::mutex held_mutex_;
  std::set<std::string> held_;  // keys of the stacks with an operation under way
};

}  // namespace parvis::templates
