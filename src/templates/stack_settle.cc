// What a start of the platform does for stacks: ends what was cut off, forgets what was deleted long ago.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "storage/tuple.h"
#include "templates/stack_hold.h"
#include "templates/stack_operation.h"

namespace parvis::templates {
namespace {

constexpr std::chrono::hours kDeletedKept{90 * 24};
constexpr std::string_view kReason = "The platform stopped during the operation.";

awaitable<std::vector<std::string>> keys_between(storage::Store& store, std::string begin, std::string end) {
  std::vector<std::string> out;
  storage::ScanOptions options{.begin = std::move(begin), .end = std::move(end)};
  auto snapshot = store.snapshot();
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) out.push_back(entry.key);
    if (!page.more || page.entries.empty()) co_return out;
    options.begin = page.entries.back().key + '\0';
  }
}

awaitable<> erase_all(storage::Store& store, std::vector<std::string> keys) {
  constexpr std::size_t kOneCommit = 500;  // keys
  for (std::size_t from = 0; from < keys.size(); from += kOneCommit) {
    storage::Commit commit;
    for (std::size_t i = from; i < std::min(keys.size(), from + kOneCommit); ++i) commit.erase(keys[i]);
    co_await store.commit(std::move(commit));  // what stays is found again at the next start
  }
}

}  // namespace

awaitable<> StackEngine::settle(aws::CallContext call) {
  const std::string running = running_prefix();
  for (const std::string& key : co_await keys_between(store_, running, storage::prefix_end(running))) {
    storage::TupleReader reader(std::string_view(key).substr(running.size()));
    const auto account = reader.string(), region = reader.string(), stack = reader.string();
    if (!account || !region || !stack) continue;
    call.scope.account = *account;
    call.scope.region = *region;
    std::string name = *stack;
    try {
      co_await settle_one(std::move(name), call);
    } catch (const std::exception& error) {
      spdlog::error("a stack of account {} in {} was left in the middle of an operation and could not be settled: {}", call.scope.account, call.scope.region, error.what());
    }
  }
  const auto before = std::chrono::duration_cast<std::chrono::milliseconds>((clock_.wall() - kDeletedKept).time_since_epoch()).count();
  const std::string old = deletion_prefix();
  for (const std::string& key : co_await keys_between(store_, old, deletion_key(before > 0 ? static_cast<std::uint64_t>(before) : 0, {}, ""))) {
    storage::TupleReader reader(std::string_view(key).substr(old.size()));
    const auto time = reader.u64();
    const auto account = reader.string(), region = reader.string(), id = reader.string();
    if (!time || !account || !region || !id) continue;
    aws::Scope scope;
    scope.account = *account;
    scope.region = *region;
    const std::string events = event_prefix(scope, *id);
    std::vector<std::string> keys = co_await keys_between(store_, events, storage::prefix_end(events));
    keys.push_back(deleted_key(scope, *id));
    keys.push_back(key);  // last: until then the rest is found again
    co_await erase_all(store_, std::move(keys));
  }
}

awaitable<> StackEngine::settle_one(std::string name, aws::CallContext call) {
  StackOperation operation(*this, name, call);
  co_await operation.load();
  StackState& state = operation.state();
  if (!operation.exists() || !state.running()) co_return co_await erase_all(store_, {running_key(call.scope, name)});
  const std::string status = state.text("status");
  spdlog::warn("stack {} was left in {}; it is settled now", name, status);
  if (status.starts_with("DELETE_")) {
    if (auto removed = co_await remove(name, call); !removed) spdlog::error("stack {}: {}", name, removed.error().front().what);
    co_return;
  }
  const Hold hold(*this, stack_key(call.scope, name));
  if (!hold) co_return;
  if (state.only_cleanup_left()) {
    const bool clean = co_await operation.clean_up();
    operation.status("UPDATE_COMPLETE", clean ? "" : "Update successful. One or more resources could not be deleted.");
    co_return co_await operation.save();
  }
  const std::string_view update = status == "CREATE_IN_PROGRESS" || status == "ROLLBACK_IN_PROGRESS" ? "" : "UPDATE_";
  if (!status.ends_with("ROLLBACK_IN_PROGRESS")) {
    operation.status(fmt::format("{}ROLLBACK_IN_PROGRESS", update), std::string(kReason));
    co_await operation.save();
  }
  const bool undone = co_await operation.roll_back();
  operation.status(fmt::format("{}ROLLBACK_{}", update, undone ? "COMPLETE" : "FAILED"), std::string(kReason));
  co_await operation.save();
}

}  // namespace parvis::templates
