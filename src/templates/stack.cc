#include "templates/stack.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "templates/property_check.h"
#include "templates/stack_hold.h"
#include "templates/stack_operation.h"
#include "templates/stack_outputs.h"

namespace parvis::templates {

StackEngine::StackEngine(aws::ResourceTypes& types, storage::Store& store, const Clock& clock, Entropy& entropy) : types_(types), store_(store), clock_(clock), entropy_(entropy), vault_{store, entropy} {}

void StackEngine::connect(aws::ApiClient& api, const SealKey& key) {
  api_ = &api;
  vault_.key = &key;
}

std::vector<Diagnostic> StackEngine::check(const Document& document, const Evaluator& evaluator, std::vector<Diagnostic>& warnings) const {
  return check_resources(types_, document, evaluator, warnings);
}

awaitable<StackExpected<bool>> StackEngine::remove(std::string name, aws::CallContext call, RemoveOptions options) {
  std::string failed;
  try {
    const Hold hold(*this, stack_key(call.scope, name));
    if (!hold) co_return std::unexpected(std::vector{plain_error(fmt::format("another operation on stack {} is under way", name), "wait until it has ended")});
    StackOperation operation(*this, name, call);
    operation.client_token = options.client_token;
    co_await operation.load();
    if (!operation.exists()) co_return true;
    const std::string in_use = export_in_use(co_await list(call.scope), to_stack(operation.state()), {});
    if (!in_use.empty()) co_return std::unexpected(std::vector{plain_error(in_use, "remove the import first")});
    // What an operation meant to clean up goes with the rest; what it had only half made is undone first.
    if (operation.state().interrupted() && !operation.state().only_cleanup_left() && !co_await operation.roll_back()) {
      operation.status("DELETE_FAILED", "an earlier operation could not be undone");
      operation.state().record["status"] = "UPDATE_ROLLBACK_FAILED";
      co_await operation.save();
      co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: an earlier operation could not be undone", name), "see the stack's events and try again")});
    }
    operation.status("DELETE_IN_PROGRESS", "User Initiated");
    operation.retire_vanished({}, false);
    json::array& cleanup = operation.state().list("cleanup");
    for (const auto& kept : operation.state().list("detached")) cleanup.insert(cleanup.begin(), kept);
    operation.state().list("detached").clear();
    for (json::value& record : cleanup) {
      if (options.retain.contains(member(record.as_object(), "logical"))) record.as_object()["retain"] = true;
    }
    co_await operation.save();
    if (options.on_started) options.on_started(to_stack(operation.state()));
    std::vector<std::string> left;
    while (!cleanup.empty()) {
      const json::object record = cleanup.back().as_object();
      const std::string id = member(record, "logical");
      if (record.contains("retain")) {
        operation.event(id, member(record, "physical"), member(record, "type"), "DELETE_SKIPPED");
      } else if (!co_await operation.try_remove(id, record)) {
        json::object back = record;
        back.erase("logical");
        back["status"] = "DELETE_FAILED";
        operation.state().part("resources")[id] = std::move(back);
        left.push_back(id);
      }
      cleanup.pop_back();
      co_await operation.save();
    }
    if (left.empty()) {
      operation.status("DELETE_COMPLETE");
      co_await operation.erase();
      co_return true;
    }
    const std::string why = fmt::format("The following resource(s) failed to delete: [{}]. ", fmt::join(left, ", "));
    operation.status("DELETE_FAILED", why);
    co_await operation.save();
    failed = why;
  } catch (const StoreFailed& error) {
    failed = error.what();
  }
  co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: {}", name, failed), "see the stack's events and try again")});
}

awaitable<StackExpected<Stack>> StackEngine::review(std::string name, json::object details, aws::CallContext call) {
  std::string failed;
  try {
    const Hold hold(*this, stack_key(call.scope, name));
    StackOperation operation(*this, name, std::move(call));
    co_await operation.load();
    if (operation.exists()) co_return to_stack(operation.state());
    if (!hold) co_return std::unexpected(std::vector{plain_error(fmt::format("another operation on stack {} is under way", name), "wait until it has ended")});
    operation.begin();
    operation.state().record["details"] = std::move(details);
    operation.status("REVIEW_IN_PROGRESS", "User Initiated");
    co_await operation.save();
    co_return to_stack(operation.state());
  } catch (const StoreFailed& error) {
    failed = error.what();
  }
  co_return std::unexpected(std::vector{plain_error(fmt::format("stack {}: {}", name, failed), "try again")});
}

awaitable<bool> StackEngine::annotate(aws::Scope scope, std::string name, json::object details) {
  const std::string key = stack_key(scope, name);
  const Hold hold(*this, key);
  StackState state = co_await load_stack(vault_, key);
  if (!hold || !state.version) co_return false;
  state.complete();
  for (auto& [member, value] : details) state.part("details")[member] = value;
  co_await save_stack(vault_, key, state, {});
  co_return true;
}

awaitable<StackExpected<std::vector<std::string>>> StackEngine::prune(std::string name, aws::CallContext call) {
  std::string failed;
  try {
    std::vector<std::string> removed;
    const Hold hold(*this, stack_key(call.scope, name));
    if (!hold) co_return std::unexpected(std::vector{plain_error(fmt::format("another operation on stack {} is under way", name), "wait until it has ended")});
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
  std::string id;
  if (name.starts_with("arn:")) {  // arn:aws:cloudformation:region:account:stack/name/uuid
    id = name;
    const std::size_t from = name.find(":stack/");
    if (from == name.npos) co_return std::nullopt;
    name = name.substr(from + 7);
    name = name.substr(0, name.find('/'));
  }
  StackState state = co_await load_stack(vault_, stack_key(scope, name));
  if (state.version && (id.empty() || state.text("id") == id)) co_return to_stack(state);
  if (id.empty()) co_return std::nullopt;
  state = co_await load_stack(vault_, deleted_key(scope, id));
  if (!state.version) co_return std::nullopt;
  co_return to_stack(state);
}

awaitable<std::vector<Stack>> StackEngine::stacks_under(std::string prefix) {
  std::vector<Stack> out;
  storage::ScanOptions options{.begin = prefix, .end = storage::prefix_end(prefix)};
  auto snapshot = store_.snapshot();
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      if (auto record = vault_.open(entry.value, entry.key)) out.push_back(to_stack(StackState{std::move(*record), entry.version}));
    }
    if (!page.more || page.entries.empty()) co_return out;
    options.begin = page.entries.back().key + '\0';
  }
}

awaitable<std::vector<Stack>> StackEngine::list(aws::Scope scope) { co_return co_await stacks_under(stack_prefix(scope)); }
awaitable<std::vector<Stack>> StackEngine::deleted(aws::Scope scope) { co_return co_await stacks_under(deleted_prefix(scope)); }

awaitable<std::vector<StackEvent>> StackEngine::events(aws::Scope scope, std::string stack_id) {
  std::vector<StackEvent> out;
  const std::string prefix = event_prefix(scope, stack_id);
  storage::ScanOptions options{.begin = prefix, .end = storage::prefix_end(prefix)};
  auto snapshot = store_.snapshot();
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      const json::object from = json::parse(entry.value).as_object();
      out.push_back({member(from, "id"), member(from, "logical"), member(from, "physical"), member(from, "type"), member(from, "status"), member(from, "reason"),
                     member(from, "token"), Millis(std::chrono::milliseconds(from.at("time").as_int64()))});
    }
    if (!page.more || page.entries.empty()) co_return out;
    options.begin = page.entries.back().key + '\0';
  }
}

}  // namespace parvis::templates
