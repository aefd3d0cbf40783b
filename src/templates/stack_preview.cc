// What a deployment would do: the body of change sets.
#include <algorithm>

#include <fmt/format.h>

#include "templates/property_check.h"
#include "templates/stack_operation.h"
#include "templates/stack_outputs.h"

namespace parvis::templates {
namespace {

using Replacement = PlannedChange::Replacement;

// Values of what exists. A resource that is yet to be made or replaced gives a stand-in, and `unknown` becomes true.
struct Known {
  const json::object& resources;
  std::set<std::string> fresh = {};
  bool unknown = false;

  Lookups lookups(const std::map<std::string, std::string>& exports) {
    Lookups out;
    out.ref = [this](const std::string& id) -> std::optional<json::value> { return of(id, "physical", ""); };
    out.get_att = [this](const std::string& id, const std::string& attribute) -> std::optional<json::value> { return of(id, "attributes", attribute); };
    out.import = [&exports](const std::string& name) -> std::optional<std::string> {
      const auto found = exports.find(name);
      return found == exports.end() ? std::nullopt : std::optional(found->second);
    };
    return out;
  }

  std::optional<json::value> of(const std::string& id, std::string_view part, const std::string& attribute) {
    const json::value* found = fresh.contains(id) ? nullptr : resources.if_contains(id);
    if (found == nullptr) {
      unknown = true;
      return json::value(json::string(fmt::format("{{{{known after deployment: {} {}}}}}", id, attribute)));
    }
    if (attribute.empty()) return found->as_object().at(part);
    const json::object attributes = object_of(found->as_object(), part);
    const json::value* value = attributes.if_contains(attribute);
    return value != nullptr ? std::optional(*value) : std::nullopt;
  }
};

PlannedChange modification(const std::string& id, const json::object& old, const aws::ResourceType& type, const json::object& wanted, bool guessed) {
  PlannedChange change{PlannedChange::Action::kModify, id, member(old, "physical"), member(old, "type")};
  const json::object before = object_of(old, "properties");
  std::set<std::string> names;
  for (const auto& [name, value] : before) names.insert(std::string(name));
  for (const auto& [name, value] : wanted) names.insert(std::string(name));
  for (const std::string& name : names) {
    const json::value *had = before.if_contains(name), *has = wanted.if_contains(name);
    if (had != nullptr && has != nullptr && *had == *has) continue;
    json::object one_old, one_new;
    if (had != nullptr) one_old[name] = *had;
    if (has != nullptr) one_new[name] = *has;
    const bool guess = guessed && has != nullptr && json::serialize(*has).find("{{known after deployment: ") != std::string::npos;
    const Replacement replacement = !needs_replacement(type, one_old, one_new) ? Replacement::kNo : guess ? Replacement::kConditional : Replacement::kYes;
    if (replacement == Replacement::kYes || (replacement == Replacement::kConditional && change.replacement == Replacement::kNo)) change.replacement = replacement;
    change.properties.push_back({name, replacement});
  }
  return change;
}

}  // namespace

awaitable<StackExpected<Preview>> StackEngine::preview(Document document, std::string name, DeployOptions options, aws::CallContext call) {
  StackState state = co_await load_stack(vault_, stack_key(call.scope, name));
  state.complete();
  Environment environment;
  environment.account = call.scope.account;
  environment.region = call.scope.region;
  environment.stack_name = name;
  environment.stack_id = state.text("id");
  call.origin = "template";
  References references(api_, call);
  auto fetched = co_await references.parameters(document, options.parameters);
  if (!fetched) co_return std::unexpected(fetched.error());
  environment.fetched = std::move(*fetched);
  auto evaluator = Evaluator::make(document, environment, options.parameters);
  if (!evaluator) co_return std::unexpected(evaluator.error());
  Preview result;
  if (auto errors = check(document, *evaluator, result.warnings); !errors.empty()) co_return std::unexpected(std::move(errors));
  const auto graph = evaluator->graph();
  if (!graph) co_return std::unexpected(graph.error());
  const std::map<std::string, std::string> exports = exports_of(co_await list(call.scope), name);
  const json::object& present = state.part("resources");
  Known known{present};
  const Lookups lookups = known.lookups(exports);
  const json::object& resources = document.root.as_object().at("Resources").as_object();
  for (const std::string& id : graph->order) {
    const json::object& resource = resources.at(id).as_object();
    const std::string type_name = member(resource, "Type");
    known.unknown = false;
    json::value wanted = json::object();
    if (const json::value* given = resource.if_contains("Properties"); given != nullptr && given->is_object()) {
      auto resolved = evaluator->resolve(*given, child("/Resources", id) + "/Properties", lookups);
      if (resolved) wanted = std::move(*resolved);
      else if (!known.unknown) co_return std::unexpected(std::vector{resolved.error()});
      else wanted = nullptr;  // only the deployment can tell
      // One that is made of what is not known yet is left for the deployment.
      if (auto wrong = co_await references.resolve(wanted)) {
        if (!known.unknown) co_return std::unexpected(std::vector{document.error(child("/Resources", id) + "/Properties", fmt::format("resource {}: {}", id, *wrong))});
        wanted = nullptr;
      }
    }
    const json::value* old = present.if_contains(id);
    if (old == nullptr) {
      result.changes.push_back({PlannedChange::Action::kAdd, id, "", type_name});
      known.fresh.insert(id);
      continue;
    }
    const json::object& record = old->as_object();
    if (member(record, "type") != type_name) {
      result.changes.push_back({PlannedChange::Action::kModify, id, member(record, "physical"), type_name, Replacement::kYes});
      known.fresh.insert(id);
    } else if (!wanted.is_object()) {
      result.changes.push_back({PlannedChange::Action::kModify, id, member(record, "physical"), type_name, Replacement::kConditional});
    } else if (record.at("properties") != wanted) {
      result.changes.push_back(modification(id, record, *types_.find(type_name), wanted.as_object(), known.unknown));
      if (result.changes.back().replacement == Replacement::kYes) known.fresh.insert(id);
    }
  }
  for (const auto& [id, record] : present) {
    if (graph->needs.contains(std::string(id))) continue;
    result.changes.push_back({PlannedChange::Action::kRemove, std::string(id), member(record.as_object(), "physical"), member(record.as_object(), "type")});
  }
  known.unknown = false;
  auto outputs = outputs_of(document, *evaluator, lookups);
  if (outputs) {
    json::value values = std::move(*outputs);
    if (auto wrong = co_await references.resolve(values); wrong && !known.unknown) co_return std::unexpected(std::vector{document.error("/Outputs", *wrong)});
    *outputs = std::move(values.as_array());
  }
  if (!outputs && !known.unknown) co_return std::unexpected(outputs.error());
  result.outputs_changed = !outputs || !state.record["outputs"].is_array() || state.record["outputs"].as_array() != *outputs;
  co_return result;
}

}  // namespace parvis::templates
