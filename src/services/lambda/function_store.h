// lambda/function_store.h: records of functions in the store.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/async.h"
#include "services/lambda/function.h"
#include "storage/store.h"

namespace parvis::lambda {

struct StoredFunction {
  FunctionRecord record;
  storage::Version version = 0;
};

class FunctionStore {  // thread-safe; `store` outlives it
 public:
  explicit FunctionStore(storage::Store& store) : store_(store) {}
  awaitable<std::optional<StoredFunction>> find(FunctionRef ref);
  awaitable<StoredFunction> get(FunctionRef ref);  // throws ResourceNotFoundException
  // Names in order, those after `after`; at most `limit` records.
  struct Page { std::vector<FunctionRecord> records; bool more = false; };
  awaitable<Page> list(aws::Scope scope, std::string after, std::size_t limit);
  // Writes the record when the stored one still carries `expected` (nullopt: there is none), in one commit with `with`.
  // False: it does not.
  awaitable<bool> write(FunctionRecord record, std::optional<storage::Version> expected, storage::Commit with = {});
  awaitable<bool> erase(FunctionRef ref, storage::Version expected, storage::Commit with = {});
  storage::Store& store() { return store_; }

 private:
  storage::Store& store_;
};

// Every account and Region that has anything in the store: for what is done once, at start.
awaitable<std::vector<aws::Scope>> stored_scopes(storage::Store& store);

// A commit without checks: writing it twice is the same as once, so an unknown outcome is simply tried again.
// Throws TooManyRequestsException when the store is busy, ServiceException when it fails.
awaitable<> commit_plain(storage::Store& store, storage::Commit commit);
// The one place where a failure of the store becomes an error of this service (kConflict is not one: callers handle it).
aws::ApiError to_api_error(const storage::StoreError& failed);

}  // namespace parvis::lambda
