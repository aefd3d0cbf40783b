// templates/stack.h: stacks: a template's resources, made and kept true through the resource types that services offer.
//
// A deployment is a saga. Before each call of a resource type its intent (with the token that makes the call repeatable) is
// committed, after it the result. An operation that was cut off is settled with the same tokens and rolled back when the stack is
// touched next. Resources are made in dependency order; what vanished or was replaced is removed at the end, in reverse.
//
// Stored under (account, region, "cloudformation", …): "stack", name → the stack as JSON; "event", stack id, number → an event as
// JSON. Two operations on one stack: the second fails, its commit sees the version of the first.
// Thread-safe; resource types, store, clock and entropy outlive the engine. Coroutines resume on the caller's executor.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/resource_type.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "storage/store.h"
#include "templates/document.h"
#include "templates/intrinsics.h"

namespace parvis::templates {

struct StackOutput {
  std::string key, value, description, export_name;
};
struct StackResource {
  std::string logical_id, type, physical_id, status;
  json::object properties, attributes;
};
struct StackEvent {
  std::string logical_id, physical_id, type, status, reason;
  Millis time{};
};
struct Stack {
  std::string name, id, status, reason;
  Millis created{}, updated{};
  std::map<std::string, std::string> parameters;  // of NoEcho parameters: "****"
  std::vector<StackResource> resources;
  std::vector<StackResource> detached;  // kept for their data
  std::vector<StackOutput> outputs;
  std::vector<std::string> imports;  // names of other stacks' exports; those stacks may neither change nor lose them
};

struct DeployOptions {
  std::map<std::string, json::value> parameters = {};
  // A resource that holds data is detached instead of removed or replaced, and reattached when its logical id comes back with
  // the same properties that only a replacement could change.
  bool keep_data = false;
  std::function<void(const StackEvent&)> on_event = {};
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

  // Types, properties and required properties of a transformed template. Warnings go to `warnings`.
  std::vector<Diagnostic> check(const Document& document, const Evaluator& evaluator, std::vector<Diagnostic>& warnings) const;

  // `document` has been through the SAM transform. On failure all is rolled back and the errors say what failed and where.
  awaitable<StackExpected<DeployResult>> deploy(Document document, std::string name, DeployOptions options, aws::CallContext call);
  // Also removes what is detached. A stack that does not exist is removed already.
  awaitable<StackExpected<bool>> remove(std::string name, aws::CallContext call);
  // Removes what is detached; gives the logical ids.
  awaitable<StackExpected<std::vector<std::string>>> prune(std::string name, aws::CallContext call);

  awaitable<std::optional<Stack>> describe(aws::Scope scope, std::string name);
  awaitable<std::vector<Stack>> list(aws::Scope scope);
  awaitable<std::vector<StackEvent>> events(aws::Scope scope, std::string name);  // oldest first

 private:
  friend class StackOperation;
  aws::ResourceTypes& types_;
  storage::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
};

}  // namespace parvis::templates
