// templates/stack_operation.h: one operation on one stack: its record, its events and the steps that make, change and undo resources. Internal.
//
// Every call of a resource type is between two commits: the intent before it, the result after it. Not thread-safe: one coroutine.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "templates/stack_state.h"

namespace parvis::templates {

std::string member(const json::object& record, std::string_view name);         // "" when it is not there
json::object object_of(const json::object& record, std::string_view name);     // empty when it is not there
Diagnostic plain_error(std::string what, std::string hint = {});               // without a place in a file

class StackOperation {
 public:
  StackOperation(StackEngine& engine, std::string name, aws::CallContext call);

  awaitable<> load();
  bool exists() const { return state_.version.has_value(); }
  StackState& state() { return state_; }
  const aws::CallContext& call() const { return call_; }
  void begin();  // makes the record of a new stack

  // Both are committed by the next save().
  void event(std::string logical_id, std::string physical_id, std::string type, std::string status, std::string reason = {});
  void status(std::string value, std::string reason = {});
  awaitable<> save();
  awaitable<> erase();  // the stack goes; what it was stays readable under its id

  // Brings one resource to the state that the template wants. Throws on failure.
  awaitable<> apply(const std::string& id, json::object wanted, bool keep_data);
  // What is no longer in the template: removed later, kept for its data, or left alone.
  void retire(const std::string& id, json::object record, bool keep_data, const std::string& policy);
  // Retires the resources that `graph` does not have, so that each comes before what it needs when taken from the end.
  void retire_vanished(const Evaluator::Graph& graph, bool keep_data);
  // Undoes the running operation. False: something could not be undone; the journal keeps the rest.
  awaitable<bool> roll_back();
  // Removes what the finished operation left behind. A failure is an event and does not fail the stack; false: something stayed.
  awaitable<bool> clean_up();
  awaitable<bool> try_remove(std::string id, json::object record);

  bool keeps_data = false;  // what a rolled back creation made goes, whatever its DeletionPolicy: `dev` makes it again at once
  std::function<void(const StackEvent&)> on_event;
  std::string client_token;
  std::vector<std::string> detached, reattached;
  bool changed = false;

 private:
  aws::ResourceRequest request(const std::string& logical_id, const json::object& record, const std::string& token) const;
  aws::ResourceType& type_of(const json::object& record) const;
  // Commits what is about to be called, so that a restart can repeat it with the same token.
  awaitable<> intend(std::string action, const std::string& logical_id, const json::object& record, json::object old);
  // Makes the intended call and commits its result. Throws what the resource type throws; the intent then stays.
  awaitable<> fulfil();
  std::optional<json::object> take_detached(const std::string& id, const json::object& wanted, const aws::ResourceType& type);
  awaitable<std::string> restore(const std::string& id, const json::object& old, const json::object& present);  // "" or the failure
  awaitable<bool> undo(std::string action, std::string id, json::value old);
  std::int64_t now() const;  // ms since 1970

  StackEngine& engine_;
  const std::string name_;
  aws::CallContext call_;
  const std::string key_;
  StackState state_;
  storage::Commit writes_;  // events, for the next save
  bool marked_ = false;     // the running mark is stored
};

}  // namespace parvis::templates
