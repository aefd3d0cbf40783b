// storage/retry.h: commits whose outcome was unknown are tried again until it is known.
#pragma once

#include "storage/store.h"

namespace parvis::storage {

inline constexpr int kRetryAttemptsMax = 10;

// For a commit that may be done twice (it checks nothing, or nothing that it writes itself): tries again after an unknown
// outcome, kRetryAttemptsMax times. Any other error is the caller's.
awaitable<std::expected<Stamp, StoreError>> commit_repeatable(Store& store, Commit commit);

// One record written, or with no `bytes` erased, when it still has `version` (nullopt: when there is none).
struct Replacement {
  std::string key;
  std::optional<Version> version;
  std::optional<std::string> bytes;  // unlike what another writer would write: by them it is known again
  Commit with = {};                  // in the same commit
};
// Tries again after an unknown outcome, unless the record shows that the earlier attempt arrived. kConflict: another writer
// was there, or a check of `with` failed.
awaitable<std::expected<Stamp, StoreError>> replace(Store& store, Replacement replacement);

}  // namespace parvis::storage
