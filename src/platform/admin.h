// platform/admin.h: what /_parvis/ does beyond reading: the copy of the store, detached resources, and the reset for tests.
//
//   GET  /_parvis/backup             the store as one file (storage/backup.h), consistent, while the platform serves
//   GET  /_parvis/detached           resources that left the template and are kept for their data
//   POST /_parvis/prune?stack=NAME   removes those of a stack, with their data
//   GET  /_parvis/usage?from=2026-11-01&to=2026-11-30   what each resource was asked to do, and what it holds (docs/usage.md)
//   POST /_parvis/reset              empties all state and answers when it is empty; `parvis dev --empty` alone
//
// Where signatures are checked these are for the root key.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "aws/pipeline.h"
#include "core/clock.h"
#include "http/message.h"
#include "platform/usage.h"
#include "services/logs/log_store.h"
#include "storage/store.h"
#include "templates/stack.h"

namespace parvis::platform {

struct AdminParts {
  storage::Store& store;
  templates::StackEngine& stacks;
  aws::Pipeline& pipeline;
  const Clock& clock;
  aws::Scope scope;                             // of `parvis dev`'s stacks
  std::string version;
  std::string reset_refusal;                    // why there is no reset here; empty: there is
  std::function<awaitable<>()> before_reset;    // what is only gathered in memory is written, so that it goes with the rest
  std::function<awaitable<>()> after_reset;     // what mirrors the store in memory is read again
  UsageMeter* usage = nullptr;
  logs::LogStore* logs = nullptr;
};

class Admin {  // thread-safe; what `parts` names outlives it
 public:
  using Handler = std::function<awaitable<http::Response>(http::Request)>;
  explicit Admin(AdminParts parts) : parts_(std::move(parts)) {}
  std::map<std::string, Handler, std::less<>> routes();  // by method and path

 private:
  awaitable<http::Response> backup();
  awaitable<http::Response> detached();
  awaitable<http::Response> prune(std::string stack);
  awaitable<http::Response> usage(http::Request request);
  awaitable<http::Response> reset();
  awaitable<> remove_functions();
  awaitable<std::size_t> wipe();
  AdminParts parts_;
  std::atomic<bool> resetting_{false};
};

}  // namespace parvis::platform
