#include "templates/stack_operation.h"

#include <algorithm>

#include <fmt/format.h>

#include "templates/property_check.h"

namespace parvis::templates {

std::string member(const json::object& record, std::string_view name) { return record.contains(name) ? scalar_text(record.at(name)) : ""; }
json::object object_of(const json::object& record, std::string_view name) {
  return record.contains(name) && record.at(name).is_object() ? record.at(name).as_object() : json::object();
}
Diagnostic plain_error(std::string what, std::string hint) { return Diagnostic{Severity::kError, {}, {}, std::move(what), std::move(hint)}; }

StackOperation::StackOperation(StackEngine& engine, std::string name, aws::CallContext call)
    : engine_(engine), name_(std::move(name)), call_(std::move(call)), key_(stack_key(call_.scope, name_)) {
  call_.origin = "template";
}

awaitable<> StackOperation::load() {
  state_ = co_await load_stack(engine_.vault_, key_);
  marked_ = state_.running();
  state_.complete();
}

void StackOperation::begin() {
  if (!exists()) {
    state_.record = {{"name", name_}, {"created", now()}, {"events", 0}};
    state_.complete();
    state_.record["id"] = fmt::format("arn:aws:cloudformation:{}:{}:stack/{}/{}", call_.scope.region, call_.scope.account, name_, engine_.entropy_.uuid());
  }
  state_.record["updated"] = now();
}

void StackOperation::event(std::string logical_id, std::string physical_id, std::string type, std::string status, std::string reason) {
  StackEvent made{engine_.entropy_.uuid(), std::move(logical_id), std::move(physical_id), std::move(type), std::move(status), std::move(reason), client_token, engine_.clock_.wall()};
  const std::int64_t number = state_.record.contains("events") && state_.record["events"].is_int64() ? state_.record["events"].as_int64() : 0;
  state_.record["events"] = number + 1;
  writes_.put(event_key(call_.scope, state_.text("id"), static_cast<std::uint64_t>(number)),
              json::serialize(json::object{{"id", made.id}, {"token", made.client_token}, {"logical", made.logical_id}, {"physical", made.physical_id}, {"type", made.type}, {"status", made.status},
                                                {"reason", made.reason}, {"time", now()}}));
  if (on_event) on_event(made);
}
void StackOperation::status(std::string value, std::string reason) {
  state_.record["status"] = value;
  state_.record["reason"] = reason;
  event(name_, state_.text("id"), "AWS::CloudFormation::Stack", std::move(value), std::move(reason));
}
awaitable<> StackOperation::save() {
  storage::Commit further = std::exchange(writes_, {});
  if (state_.running() && !marked_) further.put(running_key(call_.scope, name_), "");
  if (!state_.running() && marked_) further.erase(running_key(call_.scope, name_));
  co_await save_stack(engine_.vault_, key_, state_, std::move(further));
  marked_ = state_.running();
}
awaitable<> StackOperation::erase() {
  storage::Commit further = std::exchange(writes_, {});
  state_.record["deleted"] = now();
  further.erase(running_key(call_.scope, name_));
  const std::string kept_under = deleted_key(call_.scope, state_.text("id"));
  further.put(kept_under, engine_.vault_.close(state_.record, kept_under));
  further.put(deletion_key(static_cast<std::uint64_t>(now()), call_.scope, state_.text("id")), "");
  co_await erase_stack(engine_.store_, key_, state_, std::move(further));
}

aws::ResourceRequest StackOperation::request(const std::string& logical_id, const json::object& record, const std::string& token) const {
  aws::ResourceRequest out;
  out.call = call_;
  out.stack_id = state_.text("id");
  out.stack_name = name_;
  out.logical_id = logical_id;
  out.type = member(record, "type");
  out.physical_id = member(record, "physical");
  out.properties = object_of(record, "properties");
  out.token = token;
  return out;
}

aws::ResourceType& StackOperation::type_of(const json::object& record) const {
  aws::ResourceType* type = engine_.types_.find(member(record, "type"));
  if (type == nullptr) throw std::runtime_error(fmt::format("the resource type {} is not offered any more", member(record, "type")));
  return *type;
}
awaitable<> StackOperation::intend(std::string action, const std::string& logical_id, const json::object& record, json::object old) {
  state_.record["intent"] = json::object{{"action", action}, {"logical", logical_id}, {"token", engine_.entropy_.uuid()}, {"record", record}, {"old", std::move(old)}};
  event(logical_id, member(record, "physical"), member(record, "type"), action == "create" ? "CREATE_IN_PROGRESS" : action == "update" ? "UPDATE_IN_PROGRESS" : "DELETE_IN_PROGRESS");
  co_await save();
}
awaitable<> StackOperation::fulfil() {
  const json::object intent = state_.record["intent"].as_object();
  const std::string action = member(intent, "action"), id = member(intent, "logical");
  json::object record = intent.at("record").as_object();
  const json::object old = object_of(intent, "old");
  aws::ResourceType& type = type_of(record);
  aws::ResourceRequest call = request(id, record, member(intent, "token"));
  changed = true;
  if (action == "remove") {
    co_await type.remove(std::move(call));
    state_.record["intent"] = nullptr;
    event(id, member(record, "physical"), member(record, "type"), "DELETE_COMPLETE");
    co_return;
  }
  const bool update = action == "update";
  if (update) call.old_properties = object_of(old, "properties");
  aws::ResourceResult result = update ? co_await type.update(std::move(call)) : co_await type.create(std::move(call));
  record["physical"] = result.physical_id;
  record["attributes"] = std::move(result.attributes);
  record["status"] = update ? "UPDATE_COMPLETE" : "CREATE_COMPLETE";
  record["updated"] = now();
  state_.list("journal").push_back(json::object{{"action", action}, {"logical", id}, {"old", old.empty() ? json::value() : json::value(old)}});
  event(id, member(record, "physical"), member(record, "type"), member(record, "status"));
  const bool replaced = update && member(old, "physical") != member(record, "physical");
  state_.part("resources")[id] = std::move(record);
  state_.record["intent"] = nullptr;
  if (replaced) retire(id, old, false, member(old, "replacement"));
  co_await save();
}
awaitable<> StackOperation::apply(const std::string& id, json::object wanted, bool keep_data) {
  json::object& resources = state_.part("resources");
  aws::ResourceType& type = type_of(wanted);
  if (!resources.contains(id)) {
    if (auto kept = take_detached(id, wanted, type)) {
      reattached.push_back(id);
      changed = true;
      state_.list("journal").push_back(json::object{{"action", "reattach"}, {"logical", id}, {"old", nullptr}});
      resources[id] = std::move(*kept);
    } else {
      co_await intend("create", id, wanted, {});
      co_await fulfil();
      co_return;
    }
  }
  const json::object old = resources[id].as_object();
  if (member(old, "type") == member(wanted, "type") && old.at("properties") == wanted.at("properties")) {
    for (std::string_view name : {"deletion", "replacement", "needs"}) resources[id].as_object()[name] = wanted[name];
    co_return;
  }
  const bool replace = member(old, "type") != member(wanted, "type") || needs_replacement(type, object_of(old, "properties"), object_of(wanted, "properties"));
  if (!replace) {
    wanted["physical"] = old.at("physical");
    co_await intend("update", id, wanted, old);
    co_await fulfil();
    co_return;
  }
  // A key that was changed and changed back finds its data again.
  if (auto kept = take_detached(id, wanted, type)) {
    reattached.push_back(id);
    changed = true;
    state_.list("journal").push_back(json::object{{"action", "reattach"}, {"logical", id}, {"old", old}});
    resources[id] = std::move(*kept);
    retire(id, old, keep_data, member(old, "replacement"));
    co_await apply(id, std::move(wanted), keep_data);
    co_return;
  }
  co_await intend("create", id, wanted, old);
  co_await fulfil();
  retire(id, old, keep_data, member(old, "replacement"));
}
void StackOperation::retire(const std::string& id, json::object record, bool keep_data, const std::string& policy) {
  record["logical"] = id;
  const aws::ResourceType* type = engine_.types_.find(member(record, "type"));
  if (keep_data && type != nullptr && type->holds_data()) {
    record["detach"] = true;
    detached.push_back(id);
  } else if (policy == "Retain" || policy == "RetainExceptOnCreate") {
    record["retain"] = true;
  }
  state_.list("cleanup").push_back(std::move(record));
}
awaitable<bool> StackOperation::roll_back() {
  if (state_.record["intent"].is_object()) {
    // The failed or cut-off call may have happened: repeat it by token where it made something, then undo it.
    const json::object intent = state_.record["intent"].as_object();
    const std::string action = member(intent, "action"), id = member(intent, "logical");
    if (action == "create") {
      json::object half = intent.at("record").as_object();
      bool made = true;
      try {
        aws::ResourceResult result = co_await type_of(half).create(request(id, half, member(intent, "token")));
        half["physical"] = result.physical_id;
      } catch (const std::exception&) {
        made = false;  // it cannot be made: nothing is there
      }
      if (made && !co_await try_remove(id, half)) co_return false;
    } else if (action == "update") {
      state_.list("journal").push_back(json::object{{"action", "update"}, {"logical", id}, {"old", intent.at("old")}});
      state_.part("resources")[id] = intent.at("record");
    }
    state_.record["intent"] = nullptr;
    co_await save();
  }
  json::array& journal = state_.list("journal");
  while (!journal.empty()) {
    const json::object step = journal.back().as_object();
    if (!co_await undo(member(step, "action"), member(step, "logical"), step.at("old"))) {
      co_await save();
      co_return false;
    }
    journal.pop_back();
    co_await save();
  }
  state_.list("cleanup").clear();
  detached.clear();
  reattached.clear();
  co_return true;
}
awaitable<bool> StackOperation::clean_up() {
  bool all = true;
  json::array& cleanup = state_.list("cleanup");
  while (!cleanup.empty()) {
    json::object record = cleanup.back().as_object();
    const std::string id = member(record, "logical");
    changed = true;
    if (record.contains("detach")) {
      record.erase("detach");
      state_.list("detached").push_back(std::move(record));
      event(id, "", "", "DELETE_SKIPPED", "kept for its data");
    } else if (record.contains("retain")) {
      event(id, member(record, "physical"), member(record, "type"), "DELETE_SKIPPED");
    } else {
      all = co_await try_remove(id, record) && all;
    }
    cleanup.pop_back();
    co_await save();
  }
  state_.list("cleanup").clear();
  co_return all;
}

awaitable<bool> StackOperation::try_remove(std::string id, json::object record) {
  std::string failure;
  event(id, member(record, "physical"), member(record, "type"), "DELETE_IN_PROGRESS");
  try {
    co_await type_of(record).remove(request(id, record, engine_.entropy_.uuid()));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  event(id, member(record, "physical"), member(record, "type"), failure.empty() ? "DELETE_COMPLETE" : "DELETE_FAILED", failure);
  co_return failure.empty();
}

std::int64_t StackOperation::now() const { return engine_.clock_.wall().time_since_epoch().count(); }

std::optional<json::object> StackOperation::take_detached(const std::string& id, const json::object& wanted, const aws::ResourceType& type) {
  json::array& kept = state_.list("detached");
  for (auto it = kept.begin(); it != kept.end(); ++it) {
    json::object record = it->as_object();
    if (member(record, "logical") != id || member(record, "type") != member(wanted, "type")) continue;
    if (needs_replacement(type, object_of(record, "properties"), object_of(wanted, "properties"))) continue;
    record.erase("logical");
    kept.erase(it);
    return record;
  }
  return std::nullopt;
}

awaitable<bool> StackOperation::undo(std::string action, std::string id, json::value old) {
  json::object& resources = state_.part("resources");
  const json::object present = resources.contains(id) ? resources[id].as_object() : json::object();
  if (action == "reattach") {
    json::object record = present;
    record["logical"] = id;
    state_.list("detached").push_back(std::move(record));
    if (old.is_object()) {
      resources[id] = old;
    } else {
      resources.erase(id);
    }
    co_return true;
  }
  if (action == "create") {
    // Of DeletionPolicy: RetainExceptOnCreate deletes here, Retain keeps what nobody knows any more.
    if (!keeps_data && old.is_null() && member(present, "deletion") == "Retain") event(id, member(present, "physical"), member(present, "type"), "DELETE_SKIPPED");
    else if (!co_await try_remove(id, present)) co_return false;
    if (old.is_object()) resources[id] = old;  // it was replaced; the old one is still there
    else resources.erase(id);
    co_return true;
  }
  if (member(old.as_object(), "physical") != member(present, "physical")) {  // the update had made a new one; the old one is still there
    if (!co_await try_remove(id, present)) co_return false;
    resources[id] = old;
    co_return true;
  }
  const std::string failure = co_await restore(id, old.as_object(), present);
  event(id, member(present, "physical"), member(present, "type"), failure.empty() ? "UPDATE_COMPLETE" : "UPDATE_FAILED", failure);
  if (failure.empty()) state_.part("resources")[id] = old;
  co_return failure.empty();
}

awaitable<std::string> StackOperation::restore(const std::string& id, const json::object& old, const json::object& present) {
  std::string failure;
  // The properties that failed may be such that their type cannot even read them as what was there before. Then those that differ are
  // left out, so that they are set anew; a type that cannot read that either has refused the others before it did anything.
  const json::object wanted = object_of(old, "properties"), failed = object_of(present, "properties");
  json::object common;
  for (const auto& [name, value] : wanted)
    if (failed.contains(name) && failed.at(name) == value) common.emplace(name, value);
  for (const json::object& before : {failed, common, wanted}) {
    try {
      aws::ResourceRequest call = request(id, old, engine_.entropy_.uuid());
      call.old_properties = before;
      co_await type_of(old).update(std::move(call));
      co_return std::string();
    } catch (const std::exception& error) {
      if (failure.empty()) failure = error.what();
    }
  }
  co_return failure;
}

void StackOperation::retire_vanished(const Evaluator::Graph& graph, bool keep_data) {
  json::object& resources = state_.part("resources");
  std::vector<std::string> gone, order;
  for (const auto& [id, record] : resources) if (!graph.needs.contains(std::string(id))) gone.emplace_back(id);
  std::function<void(const std::string&)> visit = [&](const std::string& id) {
    if (std::find(order.begin(), order.end(), id) != order.end() || std::find(gone.begin(), gone.end(), id) == gone.end()) return;
    const json::value* needs = resources.at(id).as_object().if_contains("needs");
    if (needs != nullptr) for (const auto& need : needs->as_array()) visit(scalar_text(need));
    order.push_back(id);
  };
  for (const std::string& id : gone) visit(id);
  for (const std::string& id : order) {
    const json::object record = resources.at(id).as_object();
    retire(id, record, keep_data, member(record, "deletion"));
    resources.erase(id);
  }
}

}  // namespace parvis::templates
