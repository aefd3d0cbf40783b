#include "templates/stack_state.h"

#include "storage/retry.h"
#include "storage/tuple.h"

namespace parvis::templates {

namespace {
constexpr int kAttemptsMax = 20;
storage::TupleWriter scoped(const aws::Scope& scope) {
  storage::TupleWriter out;
  out.string(scope.account).string(scope.region).string("cloudformation");
  return out;
}
storage::TupleWriter across(std::string_view what) {
  storage::TupleWriter out;
  out.string("*").string("cloudformation").string(what);  // no account id is a star
  return out;
}
Millis millis(const json::value* value) { return Millis(std::chrono::milliseconds(value != nullptr && value->is_int64() ? value->as_int64() : 0)); }
StackResource to_resource(std::string logical_id, const json::object& record) {
  const auto text = [&](std::string_view name) { return record.contains(name) ? scalar_text(record.at(name)) : ""; };
  const auto object = [&](std::string_view name) { return record.contains(name) && record.at(name).is_object() ? record.at(name).as_object() : json::object(); };
  return {std::move(logical_id), text("type"), text("physical"), text("status"), object("properties"), object("attributes"),
          millis(record.if_contains("updated"))};
}
}  // namespace

std::string stack_key(const aws::Scope& scope, std::string_view name) { return scoped(scope).string("stack").string(name).take(); }
std::string stack_prefix(const aws::Scope& scope) { return scoped(scope).string("stack").take(); }
std::string event_key(const aws::Scope& scope, std::string_view stack_id, std::uint64_t number) { return scoped(scope).string("event").string(stack_id).u64(number).take(); }
std::string event_prefix(const aws::Scope& scope, std::string_view stack_id) { return scoped(scope).string("event").string(stack_id).take(); }
std::string deleted_key(const aws::Scope& scope, std::string_view stack_id) { return scoped(scope).string("deleted").string(stack_id).take(); }
std::string deleted_prefix(const aws::Scope& scope) { return scoped(scope).string("deleted").take(); }
std::string running_key(const aws::Scope& scope, std::string_view name) {
  return across("running").string(scope.account).string(scope.region).string(name).take();
}
std::string running_prefix() { return across("running").take(); }
std::string deletion_key(std::uint64_t time, const aws::Scope& scope, std::string_view stack_id) {
  return across("deletion").u64(time).string(scope.account).string(scope.region).string(stack_id).take();
}
std::string deletion_prefix() { return across("deletion").take(); }

Stack to_stack(const StackState& state) {
  Stack out;
  out.name = state.text("name");
  out.id = state.text("id");
  out.status = state.text("status");
  out.reason = state.text("reason");
  out.created = millis(state.record.if_contains("created"));
  out.updated = millis(state.record.if_contains("updated"));
  out.deleted = millis(state.record.if_contains("deleted"));
  if (const json::value* parameters = state.record.if_contains("parameters"); parameters != nullptr && parameters->is_object()) {
    for (const auto& [key, value] : parameters->as_object()) out.parameters[std::string(key)] = scalar_text(value);
  }
  if (const json::value* resolved = state.record.if_contains("resolved"); resolved != nullptr && resolved->is_object()) {
    for (const auto& [key, value] : resolved->as_object()) out.resolved[std::string(key)] = scalar_text(value);
  }
  if (const json::value* details = state.record.if_contains("details"); details != nullptr && details->is_object()) out.details = details->as_object();
  if (const json::value* resources = state.record.if_contains("resources")) {
    for (const auto& [id, record] : resources->as_object()) out.resources.push_back(to_resource(std::string(id), record.as_object()));
  }
  if (const json::value* detached = state.record.if_contains("detached")) {
    for (const auto& record : detached->as_array()) out.detached.push_back(to_resource(scalar_text(record.as_object().at("logical")), record.as_object()));
  }
  if (const json::value* outputs = state.record.if_contains("outputs"); outputs != nullptr && outputs->is_array()) {
    for (const auto& output : outputs->as_array()) {
      const json::object& from = output.as_object();
      out.outputs.push_back({scalar_text(from.at("key")), scalar_text(from.at("value")), scalar_text(from.at("description")), scalar_text(from.at("export"))});
    }
  }
  if (const json::value* imports = state.record.if_contains("imports"); imports != nullptr && imports->is_array()) {
    for (const auto& name : imports->as_array()) out.imports.push_back(scalar_text(name));
  }
  return out;
}

awaitable<StackState> load_stack(const Vault& vault, std::string key) {
  StackState out;
  auto snapshot = vault.store.snapshot();
  auto found = co_await snapshot->get(key);
  if (!found) co_return out;
  auto record = vault.open(found->bytes, key);
  if (!record) throw StoreFailed("the record of a stack cannot be read");
  out.record = std::move(*record);
  out.version = found->version;
  co_return out;
}

awaitable<> save_stack(const Vault& vault, std::string key, StackState& state, storage::Commit further) {
  storage::Store& store = vault.store;
  const std::string bytes = vault.close(state.record, key);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto done = co_await storage::replace(store, {key, state.version, bytes, further});
    if (done) {
      state.version = *done;
      co_return;
    }
    const storage::StoreErrc code = done.error().code;
    if (code != storage::StoreErrc::kUnknownOutcome && code != storage::StoreErrc::kConflict && code != storage::StoreErrc::kBusy) {
      throw StoreFailed("the store refused the stack's record: " + done.error().detail);
    }
    auto snapshot = store.snapshot();
    auto found = co_await snapshot->get(key);
    const std::optional<storage::Version> now = found ? std::optional(found->version) : std::nullopt;
    if (now != state.version) throw StoreFailed("another operation on this stack is under way");
  }
  throw StoreFailed("the store did not take the stack's record");
}

awaitable<> erase_stack(storage::Store& store, std::string key, StackState& state, storage::Commit further) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (co_await storage::replace(store, {key, state.version, std::nullopt, further})) co_return;
    auto snapshot = store.snapshot();
    if (!co_await snapshot->get(key)) co_return;
  }
  throw StoreFailed("the store did not remove the stack's record");
}

}  // namespace parvis::templates
