// templates/stack_state.h: a stack as it is stored. Internal.
#pragma once

#include <string>

#include "aws/api_call.h"
#include "core/entropy.h"
#include "storage/store.h"
#include "templates/stack.h"

namespace parvis::templates {

std::string stack_key(const aws::Scope& scope, std::string_view name);
std::string stack_prefix(const aws::Scope& scope);
std::string event_key(const aws::Scope& scope, std::string_view stack_id, std::uint64_t number);
std::string event_prefix(const aws::Scope& scope, std::string_view stack_id);
std::string deleted_key(const aws::Scope& scope, std::string_view stack_id);
std::string deleted_prefix(const aws::Scope& scope);
// Marks, across all accounts, a stack with an operation under way: what a start of the platform looks for.
std::string running_key(const aws::Scope& scope, std::string_view name);
std::string running_prefix();
// Lists deleted stacks of all accounts by the time of their deletion in ms: what a start of the platform forgets after 90 days.
std::string deletion_key(std::uint64_t time, const aws::Scope& scope, std::string_view stack_id);
std::string deletion_prefix();

// The record of a stack:
//   name, id, status, reason, created, updated, events, parameters {…}, outputs [{key, value, description, export}], imports [export names]
//   resources {logical id: {type, physical, properties, attributes, deletion, replacement, status, needs [ids]}}
//   intent    {action, logical, token, record, properties}: the call that may or may not have happened
//   journal   [{action, logical, old}]: what the running operation has done, to undo from the end
//   cleanup   [record with "logical"]: to remove when the running operation has succeeded
//   detached  [record with "logical"]
//   resolved  {name: value} of parameters from Parameter Store
//   details   what the caller keeps with the stack: template, tags and the like; the engine does not read it
struct StackState {
  json::object record;
  std::optional<storage::Version> version;  // nullopt: not stored yet

  json::object& part(std::string_view name) { return ensure(name, json::object()).as_object(); }
  json::array& list(std::string_view name) { return ensure(name, json::array()).as_array(); }
  std::string text(std::string_view name) const { return record.contains(name) ? scalar_text(record.at(name)) : ""; }
  bool interrupted() const {
    const auto filled = [&](std::string_view name) { return record.contains(name) && record.at(name).is_array() && !record.at(name).as_array().empty(); };
    return (record.contains("intent") && record.at("intent").is_object()) || filled("journal") || filled("cleanup");
  }
  // An operation is under way; a stack under review waits for its first change set.
  bool running() const { return text("status").ends_with("_IN_PROGRESS") && !reviewed(); }
  bool reviewed() const { return text("status") == "REVIEW_IN_PROGRESS"; }
  // What was cut off had already succeeded, or was a removal: `cleanup` is finished, not undone.
  bool only_cleanup_left() const { return text("status").ends_with("CLEANUP_IN_PROGRESS") || text("status").starts_with("DELETE_"); }
  // Makes every member, so that none is inserted or erased later: references to one outlive changes of the others.
  void complete() {
    record.reserve(32);
    for (std::string_view name : {"resources", "details"}) part(name);
    for (std::string_view name : {"journal", "cleanup", "detached"}) list(name);
    for (std::string_view name : {"intent", "status", "reason", "outputs", "imports", "parameters", "resolved", "updated", "events", "id"}) record.emplace(name, nullptr);
  }

 private:
  json::value& ensure(std::string_view name, json::value empty) {
    if (!record.contains(name)) record[name] = std::move(empty);
    return record[name];
  }
};

Stack to_stack(const StackState& state);
awaitable<StackState> load_stack(const Vault& vault, std::string key);
struct StoreFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// Commits the record with further writes. Survives unknown outcomes. Throws StoreFailed: another operation was faster, or the store is ill.
awaitable<> save_stack(const Vault& vault, std::string key, StackState& state, storage::Commit further);
// The same for a record that goes.
awaitable<> erase_stack(storage::Store& store, std::string key, StackState& state, storage::Commit further);

}  // namespace parvis::templates
