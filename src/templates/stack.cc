#include "templates/stack.h"

#include <algorithm>

#include <fmt/format.h>

#include "templates/property_check.h"
#include "templates/stack_state.h"

namespace parvis::templates {

namespace {

std::string member(const json::object& record, std::string_view name) { return record.contains(name) ? scalar_text(record.at(name)) : ""; }
json::object object_of(const json::object& record, std::string_view name) {
  return record.contains(name) && record.at(name).is_object() ? record.at(name).as_object() : json::object();
}

}  // namespace

// One operation on one stack.
class StackOperation {
 public:
  StackOperation(StackEngine& engine, std::string name, aws::CallContext call) : engine_(engine), name_(std::move(name)), call_(std::move(call)), key_(stack_key(call_.scope, name_)) {
    call_.origin = "template";
  }

  awaitable<> load() {
    state_ = co_await load_stack(engine_.store_, key_);
    state_.complete();
  }
  bool exists() const { return state_.version.has_value(); }
  StackState& state() { return state_; }
  std::function<void(const StackEvent&)> on_event;
  std::vector<std::string> detached, reattached;
  bool changed = false;

  void begin() {
    if (!exists()) {
      state_.record = {{"name", name_}, {"created", now()}, {"events", 0}};
      state_.complete();
      state_.record["id"] = fmt::format("arn:aws:cloudformation:{}:{}:stack/{}/{}", call_.scope.region, call_.scope.account, name_, engine_.entropy_.uuid());
    }
    state_.record["updated"] = now();
  }

  void event(std::string logical_id, std::string physical_id, std::string type, std::string status, std::string reason = {}) {
    StackEvent made{std::move(logical_id), std::move(physical_id), std::move(type), std::move(status), std::move(reason), engine_.clock_.wall()};
    const std::int64_t number = state_.record.contains("events") && state_.record["events"].is_int64() ? state_.record["events"].as_int64() : 0;
    state_.record["events"] = number + 1;
    puts_.push_back({event_key(call_.scope, state_.text("id"), static_cast<std::uint64_t>(number)),
                     json::serialize(json::object{{"logical", made.logical_id}, {"physical", made.physical_id}, {"type", made.type}, {"status", made.status},
                                                  {"reason", made.reason}, {"time", now()}})});
    if (on_event) on_event(made);
  }
  void status(std::string value, std::string reason = {}) {
    state_.record["status"] = value;
    state_.record["reason"] = reason;
    event(name_, state_.text("id"), "AWS::CloudFormation::Stack", std::move(value), std::move(reason));
  }
  awaitable<> save() {
    auto puts = std::exchange(puts_, {});
    co_await save_stack(engine_.store_, key_, state_, std::move(puts));
  }

  aws::ResourceRequest request(const std::string& logical_id, const json::object& record, const std::string& token) const {
    aws::ResourceRequest out;
    out.call = call_;
    out.stack_id = state_.text("id");
    out.stack_name = name_;
    out.logical_id = logical_id;
    out.physical_id = member(record, "physical");
    out.properties = object_of(record, "properties");
    out.token = token;
    return out;
  }

  aws::ResourceType& type_of(const json::object& record) const {
    aws::ResourceType* type = engine_.types_.find(member(record, "type"));
    if (type == nullptr) throw std::runtime_error(fmt::format("the resource type {} is not offered any more", member(record, "type")));
    return *type;
  }

  // Commits what is about to be called, so that a restart can repeat it with the same token.
  awaitable<> intend(std::string action, const std::string& logical_id, const json::object& record, json::object old) {
    state_.record["intent"] = json::object{{"action", action}, {"logical", logical_id}, {"token", engine_.entropy_.uuid()}, {"record", record}, {"old", std::move(old)}};
    event(logical_id, member(record, "physical"), member(record, "type"), action == "create" ? "CREATE_IN_PROGRESS" : action == "update" ? "UPDATE_IN_PROGRESS" : "DELETE_IN_PROGRESS");
    co_await save();
  }

  // Makes the intended call and commits its result. Throws what the resource type throws; the intent then stays.
  awaitable<> fulfil() {
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
    state_.list("journal").push_back(json::object{{"action", action}, {"logical", id}, {"old", old.empty() ? json::value() : json::value(old)}});
    event(id, member(record, "physical"), member(record, "type"), member(record, "status"));
    state_.part("resources")[id] = std::move(record);
    state_.record["intent"] = nullptr;
    co_await save();
  }

  // Brings one resource to the state that the template wants. Throws on failure.
  awaitable<> apply(const std::string& id, json::object wanted, bool keep_data) {
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

  // What is no longer in the template: removed later, kept for its data, or left alone.
  void retire(const std::string& id, json::object record, bool keep_data, const std::string& policy) {
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

  // Undoes the running operation. False: something could not be undone; the journal keeps the rest.
  awaitable<bool> roll_back() {
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

  // Removes what the finished operation left behind. A failure is an event and does not fail the stack; false: something stayed.
  awaitable<bool> clean_up() {
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

  awaitable<bool> try_remove(std::string id, json::object record) {
    std::string failure;
    try {
      co_await type_of(record).remove(request(id, record, engine_.entropy_.uuid()));
    } catch (const std::exception& error) {
      failure = error.what();
    }
    event(id, member(record, "physical"), member(record, "type"), failure.empty() ? "DELETE_COMPLETE" : "DELETE_FAILED", failure);
    co_return failure.empty();
  }

 private:
  std::int64_t now() const { return engine_.clock_.wall().time_since_epoch().count(); }

  std::optional<json::object> take_detached(const std::string& id, const json::object& wanted, const aws::ResourceType& type) {
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

  awaitable<bool> undo(std::string action, std::string id, json::value old) {
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
      if (!co_await try_remove(id, present)) co_return false;
      if (old.is_object()) resources[id] = old;  // it was replaced; the old one is still there
      else resources.erase(id);
      co_return true;
    }
    std::string failure;
    try {
      aws::ResourceRequest call = request(id, old.as_object(), engine_.entropy_.uuid());
      call.old_properties = object_of(present, "properties");
      co_await type_of(old.as_object()).update(std::move(call));
    } catch (const std::exception& error) {
      failure = error.what();
    }
    event(id, member(present, "physical"), member(present, "type"), failure.empty() ? "UPDATE_COMPLETE" : "UPDATE_FAILED", failure);
    if (failure.empty()) state_.part("resources")[id] = old;
    co_return failure.empty();
  }

  StackEngine& engine_;
  const std::string name_;
  aws::CallContext call_;
  const std::string key_;
  StackState state_;
  std::vector<storage::Put> puts_;
};

namespace {

// `imported` takes the names of the exports that were asked for.
Lookups lookups_of(StackState& state, std::map<std::string, std::string> exports, std::set<std::string>& imported) {
  Lookups out;
  out.ref = [&state](const std::string& id) -> std::optional<json::value> {
    const json::value* found = state.part("resources").if_contains(id);
    if (found == nullptr) return std::nullopt;
    return found->as_object().at("physical");
  };
  out.get_att = [&state](const std::string& id, const std::string& attribute) -> std::optional<json::value> {
    const json::value* found = state.part("resources").if_contains(id);
    if (found == nullptr) return std::nullopt;
    const json::object attributes = object_of(found->as_object(), "attributes");
    const json::value* value = attributes.if_contains(attribute);
    return value != nullptr ? std::optional(*value) : std::nullopt;
  };
  out.import = [exports = std::move(exports), &imported](const std::string& name) -> std::optional<std::string> {
    auto it = exports.find(name);
    if (it != exports.end()) imported.insert(name);
    return it == exports.end() ? std::nullopt : std::optional(it->second);
  };
  return out;
}

// Why `stack` may not end with `outputs`: another stack imports what would vanish or change. Empty: nothing is against it.
std::string export_in_use(const std::vector<Stack>& all, const Stack& stack, const json::array& outputs) {
  for (const StackOutput& had : stack.outputs) {
    if (had.export_name.empty()) continue;
    const auto kept = std::find_if(outputs.begin(), outputs.end(), [&](const json::value& output) { return member(output.as_object(), "export") == had.export_name; });
    if (kept != outputs.end() && member(kept->as_object(), "value") == had.value) continue;
    for (const Stack& other : all) {
      if (other.name == stack.name || std::find(other.imports.begin(), other.imports.end(), had.export_name) == other.imports.end()) continue;
      return fmt::format("Export {} cannot be {} as it is in use by {}", had.export_name, kept == outputs.end() ? "deleted" : "updated", other.name);
    }
  }
  return {};
}

std::string attribute_text(const json::object& resource, std::string_view name) { return member(resource, name); }

std::expected<json::array, std::vector<Diagnostic>> outputs_of(const Document& document, const Evaluator& evaluator, const Lookups& lookups) {
  json::array out;
  std::vector<Diagnostic> errors;
  const json::value* section = document.root.as_object().if_contains("Outputs");
  if (section == nullptr) return out;
  for (const auto& [key, output] : section->as_object()) {
    const std::string at = child("/Outputs", std::string_view(key));
    if (!output.is_object() || !output.as_object().contains("Value")) {
      errors.push_back(document.error(at, fmt::format("output {} has no Value", std::string_view(key)), "add it"));
      continue;
    }
    if (!evaluator.holds(output.as_object())) continue;
    auto value = evaluator.resolve(output.as_object().at("Value"), at + "/Value", lookups);
    if (!value) { errors.push_back(value.error()); continue; }
    if (value->is_object() || value->is_array()) { errors.push_back(document.error(at, fmt::format("output {} is not text", std::string_view(key)), "use Fn::Join for lists")); continue; }
    json::object made{{"key", key}, {"value", scalar_text(*value)}, {"description", attribute_text(output.as_object(), "Description")}, {"export", ""}};
    if (const json::value* exported = output.as_object().if_contains("Export"); exported != nullptr && exported->is_object() && exported->as_object().contains("Name")) {
      auto name = evaluator.resolve(exported->as_object().at("Name"), at + "/Export/Name", lookups);
      if (!name) { errors.push_back(name.error()); continue; }
      made["export"] = scalar_text(*name);
    }
    out.push_back(std::move(made));
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return out;
}

Diagnostic plain_error(std::string what, std::string hint = {}) { return Diagnostic{Severity::kError, {}, {}, std::move(what), std::move(hint)}; }

bool mentions_dynamic_reference(const json::value& value) {
  if (value.is_string()) return std::string_view(value.as_string()).find("{{resolve:") != std::string_view::npos;
  if (value.is_array()) return std::any_of(value.as_array().begin(), value.as_array().end(), mentions_dynamic_reference);
  if (value.is_object()) return std::any_of(value.as_object().begin(), value.as_object().end(), [](const auto& item) { return mentions_dynamic_reference(item.value()); });
  return false;
}

struct Plan {
  const Document& document;
  const Evaluator& evaluator;
  const Evaluator::Graph& graph;
  const Lookups& lookups;
  bool keep_data;
};

// Creates and updates in order. Gives the first failure.
awaitable<std::optional<Diagnostic>> apply_all(StackOperation& operation, const Plan& plan) {
  const json::object& resources = plan.document.root.as_object().at("Resources").as_object();
  for (const std::string& id : plan.graph.order) {
    const json::object& resource = resources.at(id).as_object();
    const std::string at = child("/Resources", id);
    json::value properties = json::object();
    if (const json::value* given = resource.if_contains("Properties"); given != nullptr && given->is_object()) {
      auto resolved = plan.evaluator.resolve(*given, at + "/Properties", plan.lookups);
      if (!resolved) co_return resolved.error();
      properties = std::move(*resolved);
    }
    if (mentions_dynamic_reference(properties)) co_return plan.document.error(at + "/Properties", fmt::format("resource {}: dynamic references ({{{{resolve:…}}}}) are not supported", id), "use a parameter");
    json::array needs;
    for (const std::string& need : plan.graph.needs.at(id)) needs.push_back(json::string(need));
    json::object wanted{{"type", resource.at("Type")}, {"physical", ""}, {"properties", std::move(properties)}, {"attributes", json::object()},
                        {"deletion", attribute_text(resource, "DeletionPolicy")}, {"replacement", attribute_text(resource, "UpdateReplacePolicy")},
                        {"status", ""}, {"needs", std::move(needs)}};
    std::string failure;
    try {
      co_await operation.apply(id, std::move(wanted), plan.keep_data);
    } catch (const StoreFailed&) {
      throw;
    } catch (const aws::ApiError& error) {
      failure = fmt::format("{} ({})", error.message(), error.code());
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (!failure.empty()) {
      operation.event(id, "", scalar_text(resource.at("Type")), "CREATE_FAILED", failure);
      co_return plan.document.error(at, fmt::format("resource {}: {}", id, failure), "the stack was rolled back");
    }
  }
  co_return std::nullopt;
}

// Resources of the record that the template no longer has, so that each comes before what it needs when taken from the end.
void retire_vanished(StackOperation& operation, const Evaluator::Graph& graph, bool keep_data) {
  json::object& resources = operation.state().part("resources");
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
    operation.retire(id, record, keep_data, member(record, "deletion"));
    resources.erase(id);
  }
}

}  // namespace

StackEngine::StackEngine(aws::ResourceTypes& types, storage::Store& store, const Clock& clock, Entropy& entropy) : types_(types), store_(store), clock_(clock), entropy_(entropy) {}

std::vector<Diagnostic> StackEngine::check(const Document& document, const Evaluator& evaluator, std::vector<Diagnostic>& warnings) const {
  std::vector<Diagnostic> errors;
  const json::value* resources = document.root.as_object().if_contains("Resources");
  if (resources == nullptr || !resources->is_object()) return {document.error("/Resources", "the template has no resources", "add a Resources section")};
  static const json::value kEmpty = json::object();
  for (const auto& [key, resource] : resources->as_object()) {
    const std::string id(key);
    const std::string at = child("/Resources", id);
    if (!resource.is_object() || !evaluator.holds(resource.as_object())) continue;
    for (const auto& [name, value] : resource.as_object()) {
      static const std::set<std::string_view> kKnown = {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy"};
      if (!kKnown.contains(std::string_view(name))) errors.push_back(document.error(child(at, std::string_view(name)), fmt::format("resource {}: the attribute {} is not known", id, std::string_view(name)), "check its spelling"));
    }
    const std::string type_name = member(resource.as_object(), "Type");
    const aws::ResourceType* type = types_.find(type_name);
    if (type == nullptr) {
      errors.push_back(document.error(at + "/Type", fmt::format("resource {}: the type {} is not supported", id, type_name), "see the list of resource types in docs/compatibility.md"));
      continue;
    }
    const json::value* properties = resource.as_object().if_contains("Properties");
    check_rules(document, id, *type, properties != nullptr && !properties->is_null() ? *properties : kEmpty, errors, warnings);
  }
  return errors;
}

awaitable<StackExpected<DeployResult>> StackEngine::deploy(Document document, std::string name, DeployOptions options, aws::CallContext call) {
  std::vector<Diagnostic> failures;
  try {
    const aws::Scope scope = call.scope;
    StackOperation operation(*this, name, std::move(call));
    operation.on_event = options.on_event;
    co_await operation.load();
    const bool fresh = !operation.exists();
    operation.begin();
    if (operation.state().interrupted()) {
      if (operation.state().only_cleanup_left()) co_await operation.clean_up();
      else if (!co_await operation.roll_back()) {
        operation.status("UPDATE_ROLLBACK_FAILED", "an earlier operation could not be undone");
        co_await operation.save();
        co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: an earlier operation could not be undone", name), "see the stack's events")});
      }
    }
    Environment environment;
    environment.account = scope.account;
    environment.region = scope.region;
    environment.stack_name = name;
    environment.stack_id = operation.state().text("id");
    auto evaluator = Evaluator::make(document, environment, options.parameters);
    if (!evaluator) co_return std::unexpected(evaluator.error());
    DeployResult result;
    if (auto errors = check(document, *evaluator, result.warnings); !errors.empty()) co_return std::unexpected(std::move(errors));
    auto graph = evaluator->graph();
    if (!graph) co_return std::unexpected(graph.error());
    std::map<std::string, std::string> exports;
    const std::vector<Stack> all = co_await list(scope);
    for (const Stack& other : all) {
      if (other.name == name) continue;
      for (const StackOutput& output : other.outputs) if (!output.export_name.empty()) exports[output.export_name] = output.value;
    }
    std::set<std::string> imported;
    const Lookups lookups = lookups_of(operation.state(), exports, imported);
    const json::object before = operation.state().record;
    operation.status(fresh ? "CREATE_IN_PROGRESS" : "UPDATE_IN_PROGRESS");
    co_await operation.save();

    const Plan plan{document, *evaluator, *graph, lookups, options.keep_data};
    std::optional<Diagnostic> failure = co_await apply_all(operation, plan);
    if (failure) failures.push_back(*failure);
    json::array outputs;
    if (failures.empty()) {
      auto made = outputs_of(document, *evaluator, lookups);
      if (made) {
        outputs = std::move(*made);
        for (const auto& output : outputs) {
          const std::string exported = member(output.as_object(), "export");
          if (!exported.empty() && exports.contains(exported)) failures.push_back(document.error("/Outputs", fmt::format("the export '{}' belongs to another stack", exported), "use another name"));
        }
        if (std::string why = export_in_use(all, to_stack(operation.state()), outputs); !why.empty()) failures.push_back(document.error("/Outputs", why, "remove the import first"));
      } else {
        failures = std::move(made.error());
      }
    }
    if (!failures.empty()) {
      operation.status(fresh ? "ROLLBACK_IN_PROGRESS" : "UPDATE_ROLLBACK_IN_PROGRESS", failures.front().what);
      co_await operation.save();
      const bool undone = co_await operation.roll_back();
      operation.status(fmt::format("{}ROLLBACK_{}", fresh ? "" : "UPDATE_", undone ? "COMPLETE" : "FAILED"), failures.front().what);
      co_await operation.save();
      co_return std::unexpected(std::move(failures));
    }
    retire_vanished(operation, *graph, options.keep_data);
    json::object& record = operation.state().record;
    operation.changed = operation.changed || !before.contains("outputs") || before.at("outputs") != outputs;
    record["outputs"] = std::move(outputs);
    json::array imports;
    for (const std::string& import : imported) imports.push_back(json::string(import));
    record["imports"] = std::move(imports);
    json::object parameters;
    for (const auto& [key, value] : evaluator->parameters()) {
      std::string text = evaluator->no_echo().contains(std::string(key)) ? "****" : scalar_text(value);
      if (value.is_array() && text.empty()) for (const auto& item : value.as_array()) text += (text.empty() ? "" : ",") + scalar_text(item);
      parameters[key] = text;
    }
    record["parameters"] = std::move(parameters);
    operation.state().list("journal").clear();
    operation.status(fresh ? "CREATE_COMPLETE_CLEANUP_IN_PROGRESS" : "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    co_await operation.save();
    // CloudFormation's own words: the update stands, and the events name what stayed.
    const bool clean = co_await operation.clean_up();
    operation.status(fresh ? "CREATE_COMPLETE" : "UPDATE_COMPLETE", clean ? "" : "Update successful. One or more resources could not be deleted.");
    co_await operation.save();
    result.stack = to_stack(operation.state());
    result.detached = operation.detached;
    result.reattached = operation.reattached;
    result.changed = operation.changed;
    co_return result;
  } catch (const StoreFailed& failed) {
    failures.push_back(plain_error(fmt::format("stack {}: {}", name, failed.what()), "try again"));
  }
  co_return std::unexpected(std::move(failures));
}

awaitable<StackExpected<bool>> StackEngine::remove(std::string name, aws::CallContext call) {
  std::string failed;
  try {
    StackOperation operation(*this, name, call);
    co_await operation.load();
    if (!operation.exists()) co_return true;
    const std::string in_use = export_in_use(co_await list(call.scope), to_stack(operation.state()), {});
    if (!in_use.empty()) co_return std::unexpected(std::vector{plain_error(in_use, "remove the import first")});
    if (operation.state().interrupted()) {
      if (operation.state().only_cleanup_left()) co_await operation.clean_up();
      else if (!co_await operation.roll_back()) {
        operation.status("DELETE_FAILED", "an earlier operation could not be undone");
        operation.state().record["status"] = "UPDATE_ROLLBACK_FAILED";
        co_await operation.save();
        co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: an earlier operation could not be undone", name), "see the stack's events and try again")});
      }
    }
    operation.status("DELETE_IN_PROGRESS");
    co_await operation.save();
    Evaluator::Graph none;
    retire_vanished(operation, none, false);
    json::array& cleanup = operation.state().list("cleanup");
    for (const auto& kept : operation.state().list("detached")) cleanup.insert(cleanup.begin(), kept);
    operation.state().list("detached").clear();
    json::array left;
    while (failed.empty() && !cleanup.empty()) {
      const json::object record = cleanup.back().as_object();
      const std::string id = member(record, "logical");
      if (!record.contains("retain") && !co_await operation.try_remove(id, record)) {
        json::object back = record;
        back.erase("logical");
        operation.state().part("resources")[id] = std::move(back);
        left.push_back(json::string(id));
      }
      cleanup.pop_back();
      co_await operation.save();
    }
    if (left.empty() && failed.empty()) {
      co_await erase_stack(store_, stack_key(call.scope, name), operation.state());
      co_return true;
    }
    operation.status("DELETE_FAILED", fmt::format("not removed: {}", json::serialize(left)));
    co_await operation.save();
    failed = fmt::format("{} resources could not be removed: {}", left.size(), json::serialize(left));
  } catch (const StoreFailed& error) {
    failed = error.what();
  }
  co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: {}", name, failed), "see the stack's events and try again")});
}

awaitable<StackExpected<std::vector<std::string>>> StackEngine::prune(std::string name, aws::CallContext call) {
  std::string failed;
  try {
    std::vector<std::string> removed;
    StackOperation operation(*this, name, call);
    co_await operation.load();
    if (!operation.exists()) co_return removed;
    json::array& kept = operation.state().list("detached");
    while (failed.empty() && !kept.empty()) {
      const json::object record = kept.back().as_object();
      if (!co_await operation.try_remove(member(record, "logical"), record)) failed = fmt::format("{} could not be removed", member(record, "logical"));
      else {
        removed.push_back(member(record, "logical"));
        kept.pop_back();
      }
      co_await operation.save();
    }
    if (failed.empty()) co_return removed;
  } catch (const StoreFailed& error) {
    failed = error.what();
  }
  co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: {}", name, failed), "see the stack's events")});
}

awaitable<std::optional<Stack>> StackEngine::describe(aws::Scope scope, std::string name) {
  StackState state = co_await load_stack(store_, stack_key(scope, name));
  if (!state.version) co_return std::nullopt;
  co_return to_stack(state);
}

awaitable<std::vector<Stack>> StackEngine::list(aws::Scope scope) {
  std::vector<Stack> out;
  const std::string prefix = stack_prefix(scope);
  storage::ScanOptions options{.begin = prefix, .end = storage::prefix_end(prefix)};
  auto snapshot = store_.snapshot();
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      json::error_code error;
      json::value parsed = json::parse(entry.value, error);
      if (!error && parsed.is_object()) out.push_back(to_stack(StackState{std::move(parsed.as_object()), entry.version}));
    }
    if (!page.more || page.entries.empty()) co_return out;
    options.begin = page.entries.back().key + '\0';
  }
}

awaitable<std::vector<StackEvent>> StackEngine::events(aws::Scope scope, std::string name) {
  std::vector<StackEvent> out;
  const auto stack = co_await describe(scope, name);
  if (!stack) co_return out;
  const std::string prefix = event_prefix(scope, stack->id);
  storage::ScanOptions options{.begin = prefix, .end = storage::prefix_end(prefix)};
  auto snapshot = store_.snapshot();
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      const json::object from = json::parse(entry.value).as_object();
      out.push_back({member(from, "logical"), member(from, "physical"), member(from, "type"), member(from, "status"), member(from, "reason"),
                     Millis(std::chrono::milliseconds(from.at("time").as_int64()))});
    }
    if (!page.more || page.entries.empty()) co_return out;
    options.begin = page.entries.back().key + '\0';
  }
}

}  // namespace parvis::templates
