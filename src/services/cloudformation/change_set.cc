#include "services/cloudformation/change_set.h"

#include "storage/tuple.h"

namespace parvis::cloudformation {
namespace {

storage::TupleWriter prefix(const aws::Scope& scope) {
  storage::TupleWriter out;
  out.string(scope.account).string(scope.region).string("cloudformation").string("changeset");
  return out;
}

}  // namespace

awaitable<bool> ChangeSets::put(aws::Scope scope, json::object record, bool fresh) {
  const std::string key = prefix(scope).string(std::string(record.at("stack_id").as_string())).string(std::string(record.at("name").as_string())).take();
  const std::string bytes = vault_.close(record, key);
  for (int attempt = 0; attempt < 20; ++attempt) {
    storage::Commit commit;
    if (fresh) commit.check(key, std::nullopt);
    commit.put(key, bytes);
    auto done = co_await store_.commit(std::move(commit));
    if (done) co_return true;
    auto snapshot = store_.snapshot();
    const auto found = co_await snapshot->get(key);
    if (found && found->bytes == bytes) co_return true;  // the outcome was not known: it is there
    if (found && fresh) co_return false;
  }
  throw std::runtime_error("the store did not take a change set");
}

awaitable<> ChangeSets::erase(aws::Scope scope, std::string stack_id, std::string name) {
  const std::string key = prefix(scope).string(stack_id).string(name).take();
  for (int attempt = 0; attempt < 20; ++attempt) {
    storage::Commit commit;
    commit.erase(key);
    if (co_await store_.commit(std::move(commit))) co_return;
  }
  throw std::runtime_error("the store did not remove a change set");
}

awaitable<std::vector<json::object>> ChangeSets::list(aws::Scope scope, std::string stack_id) {
  std::vector<json::object> out;
  const std::string begin = stack_id.empty() ? prefix(scope).take() : prefix(scope).string(stack_id).take();
  storage::ScanOptions options{.begin = begin, .end = storage::prefix_end(begin)};
  auto snapshot = store_.snapshot();
  for (;;) {
    storage::ScanPage page = co_await snapshot->scan(options);
    for (const storage::Entry& entry : page.entries) {
      if (auto record = vault_.open(entry.value, entry.key)) out.push_back(std::move(*record));
      else throw std::runtime_error("a change set cannot be read");
    }
    if (!page.more || page.entries.empty()) co_return out;
    options.begin = page.entries.back().key + '\0';
  }
}

}  // namespace parvis::cloudformation
