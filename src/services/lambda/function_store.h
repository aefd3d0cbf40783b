// lambda/function_store.h: records of functions in the store, and what belongs to each of them (keyspace.h, "part").
#pragma once

#include <array>
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

// Kinds of parts.
inline constexpr std::string_view kVersionPart = "version", kAliasPart = "alias", kPolicyPart = "policy",
    kEventPart = "event-invoke", kRuntimePart = "runtime", kUrlPart = "url", kProvisionedPart = "provisioned";
// Those that a version or an alias takes with it when it is deleted.
inline constexpr std::array kQualifiedParts = {kPolicyPart, kEventPart, kRuntimePart, kUrlPart, kProvisionedPart};

// A part of one function: what its qualifier carries. Versions are spelled as numbers here, in ten digits in the key.
struct PartId {
  std::string_view kind;
  std::string qualifier;
};
struct Part {
  std::string qualifier, bytes;
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
  awaitable<> each(aws::Scope scope, std::function<void(const FunctionRecord&)> visit);
  // Writes the record when the stored one still carries `expected` (nullopt: there is none), in one commit with `with`.
  // False: it does not.
  awaitable<bool> write(FunctionRecord record, std::optional<storage::Version> expected, storage::Commit with = {});
  awaitable<bool> erase(FunctionRef ref, storage::Version expected, storage::Commit with = {});

  // `owner` is any record of the function: its scope and id count.
  awaitable<std::optional<Part>> part(const FunctionRecord& owner, PartId id);
  static std::string key_of(const FunctionRecord& owner, const PartId& id);
  // Qualifiers in order, those after `after`.
  struct PartPage { std::vector<Part> parts; bool more = false; };
  awaitable<PartPage> parts(const FunctionRecord& owner, std::string_view kind, std::string after = {}, std::size_t limit = 1000);
  // Writes when the part still carries `expected` and `owner` is still the function of its name at `owner_version`.
  awaitable<bool> write_part(const StoredFunction& owner, PartId id, std::string bytes, std::optional<storage::Version> expected,
                             storage::Commit with = {});
  awaitable<bool> erase_part(const StoredFunction& owner, PartId id, storage::Version expected, storage::Commit with = {});

  // nullopt: there is no such version. Throws ServiceException when its record cannot be read.
  awaitable<std::optional<FunctionRecord>> published(const FunctionRecord& owner, std::string number);
  // True: committed. False: a check failed. Unknown outcomes are resolved by looking at what was to be written.
  awaitable<bool> commit(storage::Commit commit);
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
