#include <algorithm>

#include <boost/algorithm/string/predicate.hpp>
#include <fmt/format.h>

#include "templates/stack_hold.h"
#include "templates/stack_operation.h"
#include "templates/stack_outputs.h"

namespace parvis::templates {

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

struct Plan {
  const Document& document;
  const Evaluator& evaluator;
  const Evaluator::Graph& graph;
  const Lookups& lookups;
  bool keep_data;
  References& references;
};

// A policy that is a function of the template's language extensions; those refer to nothing that is yet to be made.
std::string policy_of(const Plan& plan, const json::object& resource, std::string_view name, const std::string& at) {
  const json::value* given = resource.if_contains(name);
  if (given == nullptr || given->is_string()) return member(resource, name);
  const auto resolved = plan.evaluator.resolve(*given, child(at, name), plan.lookups);
  return resolved ? scalar_text(*resolved) : std::string("Retain");  // the check before has tried it; never delete on a doubt
}

// Where the property stands that a type's error speaks of: "Timeout must be …", "… at 'timeout' failed to satisfy …".
std::string place_of_failure(const json::object& resource, const std::string& at, const std::string& failure) {
  const json::value* properties = resource.if_contains("Properties");
  if (properties == nullptr || !properties->is_object()) return at;
  std::string path = failure.substr(0, failure.find_first_of(" :,;"));
  if (const auto quoted = failure.find(" at '"); quoted != std::string::npos) path = failure.substr(quoted + 5, failure.find('\'', quoted + 5) - quoted - 5);
  std::string place = at + "/Properties";
  const json::value* here = properties;
  for (std::size_t begin = 0; begin <= path.size() && here->is_object();) {
    const auto end = std::min(path.find('.', begin), path.size());
    const auto found = std::find_if(here->as_object().begin(), here->as_object().end(), [&](const auto& one) { return boost::algorithm::iequals(std::string_view(one.key()), path.substr(begin, end - begin)); });
    if (found == here->as_object().end()) break;
    place = child(place, std::string_view(found->key()));
    here = &found->value();
    begin = end + 1;
  }
  return here == properties ? at : place;
}

// What to do when the failure is about a name that another resource of the stack still has.
std::string hint_of(StackOperation& operation, const std::string& id, const std::string& failure) {
  const auto named = [&](const json::object& record) { const std::string name = member(record, "physical"); return name.size() > 2 && failure.find(name) != std::string::npos; };
  for (const auto& kept : operation.state().list("detached")) {
    if (named(kept.as_object())) return fmt::format("{}, which is kept for its data, has that name: give this one another name, or remove the kept one with `parvis prune`", member(kept.as_object(), "logical"));
  }
  for (const auto& [other, record] : operation.state().part("resources")) {
    if (!named(record.as_object())) continue;
    if (other == id) return "a resource with a name of its own cannot be replaced: rename it";
    return fmt::format("{} has that name until this deployment has succeeded: give the new one another name, or remove the other one first", std::string_view(other));
  }
  return "the stack was rolled back";
}

// Creates and updates in order. Gives the first failure, and in `failed` CloudFormation's sentence on the resource.
awaitable<std::optional<Diagnostic>> apply_all(StackOperation& operation, const Plan& plan, std::string& failed) {
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
    if (auto wrong = co_await plan.references.resolve(properties)) {
      const bool known = operation.state().part("resources").contains(id);
      operation.event(id, "", scalar_text(resource.at("Type")), known ? "UPDATE_FAILED" : "CREATE_FAILED", *wrong);
      failed = fmt::format("The following resource(s) failed to {}: [{}]. ", known ? "update" : "create", id);
      co_return plan.document.error(at + "/Properties", fmt::format("resource {}: {}", id, *wrong), "the stack was rolled back");
    }
    json::array needs;
    for (const std::string& need : plan.graph.needs.at(id)) needs.push_back(json::string(need));
    json::object wanted{{"type", resource.at("Type")}, {"physical", ""}, {"properties", std::move(properties)}, {"attributes", json::object()},
                        {"deletion", policy_of(plan, resource, "DeletionPolicy", at)}, {"replacement", policy_of(plan, resource, "UpdateReplacePolicy", at)},
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
      failure = plan.evaluator.masked(std::move(failure));
      const json::value* present = operation.state().part("resources").if_contains(id);
      operation.event(id, present != nullptr ? member(present->as_object(), "physical") : "", scalar_text(resource.at("Type")), present != nullptr ? "UPDATE_FAILED" : "CREATE_FAILED", failure);
      failed = fmt::format("The following resource(s) failed to {}: [{}]. ", present != nullptr ? "update" : "create", id);
      co_return plan.document.error(place_of_failure(resource, at, failure), fmt::format("resource {}: {}", id, failure), hint_of(operation, id, failure));
    }
  }
  co_return std::nullopt;
}

json::object shown_parameters(const Evaluator& evaluator) {
  json::object out;
  for (const auto& [key, value] : evaluator.parameters()) {
    const auto name = evaluator.ssm_names().find(std::string(key));
    if (name != evaluator.ssm_names().end()) {
      out[key] = name->second;
      continue;
    }
    std::string text = evaluator.no_echo().contains(std::string(key)) ? "****" : scalar_text(value);
    if (value.is_array() && text.empty()) for (const auto& item : value.as_array()) text += (text.empty() ? "" : ",") + scalar_text(item);
    out[key] = text;
  }
  return out;
}

json::object resolved_parameters(const Evaluator& evaluator) {
  json::object out;
  for (const auto& [key, name] : evaluator.ssm_names()) {
    const json::value& value = evaluator.parameters().at(key);
    std::string text = value.is_array() ? std::string() : scalar_text(value);
    if (value.is_array()) for (const auto& item : value.as_array()) text += (text.empty() ? "" : ",") + scalar_text(item);
    out[key] = evaluator.no_echo().contains(key) ? "****" : text;
  }
  return out;
}

// Ends a failed operation as its caller asked.
awaitable<> give_up(StackOperation& operation, bool fresh, OnFailure then, std::string why) {
  if (then == OnFailure::kNothing) {
    operation.status(fresh ? "CREATE_FAILED" : "UPDATE_FAILED", why);  // the journal stays: the next operation undoes it first
    co_await operation.save();
    co_return;
  }
  const bool deletes = fresh && then == OnFailure::kDelete;
  operation.status(deletes ? "DELETE_IN_PROGRESS" : fresh ? "ROLLBACK_IN_PROGRESS" : "UPDATE_ROLLBACK_IN_PROGRESS",
                   fmt::format("{}{}", why, deletes ? "Delete requested by user." : fresh ? "Rollback requested by user." : ""));
  co_await operation.save();
  const bool undone = co_await operation.roll_back();
  if (deletes && undone) {
    operation.status("DELETE_COMPLETE");
    co_await operation.erase();
    co_return;
  }
  operation.status(deletes ? "DELETE_FAILED" : fmt::format("{}ROLLBACK_{}", fresh ? "" : "UPDATE_", undone ? "COMPLETE" : "FAILED"), undone ? "" : why);
  co_await operation.save();
}

}  // namespace

awaitable<StackExpected<DeployResult>> StackEngine::deploy(Document document, std::string name, DeployOptions options, aws::CallContext call) {
  std::vector<Diagnostic> failures;
  try {
    const aws::Scope scope = call.scope;
    const Hold hold(*this, stack_key(scope, name));
    if (!hold) co_return std::unexpected(std::vector{plain_error(fmt::format("another operation on stack {} is under way", name), "wait until it has ended")});
    StackOperation operation(*this, name, std::move(call));
    operation.on_event = options.on_event;
    operation.client_token = options.client_token;
    operation.keeps_data = options.keep_data;
    co_await operation.load();
    const bool fresh = !operation.exists() || operation.state().reviewed();
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
    References references(api_, operation.call());
    auto fetched = co_await references.parameters(document, options.parameters);
    if (!fetched) co_return std::unexpected(fetched.error());
    environment.fetched = std::move(*fetched);
    auto evaluator = Evaluator::make(document, environment, options.parameters);
    if (!evaluator) co_return std::unexpected(evaluator.error());
    DeployResult result;
    if (auto errors = check(document, *evaluator, result.warnings); !errors.empty()) co_return std::unexpected(std::move(errors));
    auto graph = evaluator->graph();
    if (!graph) co_return std::unexpected(graph.error());
    const std::vector<Stack> all = co_await list(scope);
    const std::map<std::string, std::string> exports = exports_of(all, name);
    std::set<std::string> imported;
    const Lookups lookups = lookups_of(operation.state(), exports, imported);
    const json::object before = operation.state().record;
    if (fresh) {
      operation.state().record["details"] = options.details;
      operation.state().record["parameters"] = shown_parameters(*evaluator);
      operation.state().record["resolved"] = resolved_parameters(*evaluator);
    }
    operation.status(fresh ? "CREATE_IN_PROGRESS" : "UPDATE_IN_PROGRESS", "User Initiated");
    co_await operation.save();
    if (options.on_started) options.on_started(to_stack(operation.state()));

    const Plan plan{document, *evaluator, *graph, lookups, options.keep_data, references};
    std::string failed;
    std::optional<Diagnostic> failure = co_await apply_all(operation, plan, failed);
    if (failure) failures.push_back(*failure);
    json::array outputs;
    if (failures.empty()) {
      auto made = outputs_of(document, *evaluator, lookups);
      json::value values = made ? json::value(std::move(*made)) : json::value();
      if (auto wrong = co_await references.resolve(values)) made = std::unexpected(std::vector{document.error("/Outputs", *wrong)});
      if (made) {
        outputs = std::move(values.as_array());
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
      if (failed.empty()) failed = failures.front().what;
      co_await give_up(operation, fresh, options.on_failure, failed);
      co_return std::unexpected(std::move(failures));
    }
    operation.retire_vanished(*graph, options.keep_data);
    json::object& record = operation.state().record;
    operation.changed = operation.changed || !before.contains("outputs") || before.at("outputs") != outputs;
    record["outputs"] = std::move(outputs);
    json::array imports;
    for (const std::string& import : imported) imports.push_back(json::string(import));
    record["imports"] = std::move(imports);
    record["parameters"] = shown_parameters(*evaluator);
    record["resolved"] = resolved_parameters(*evaluator);
    if (!options.details.empty()) record["details"] = options.details;
    operation.state().list("journal").clear();
    if (!fresh) {
      operation.status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
      co_await operation.save();
    }
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

}  // namespace parvis::templates
