// lambda/request.h: what the operations share: reading optional members, preconditions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/lambda/errors.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

inline constexpr int kModifyAttemptsMax = 10;

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

// `stored` is the function's or the alias's id.
inline void check_revision(const std::string& stored, const std::optional<std::string>& revision_id) {
  if (revision_id && *revision_id != stored) {
    throw error(kPreconditionFailed, "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias "
        "API to retrieve the latest Revision Id");
  }
}

inline aws::ApiError update_in_progress(const FunctionRef& ref) {
  return error(kResourceConflict, "The operation cannot be performed at this time. An update is in progress for resource: " + ref.arn());
}

// How many a list may answer, of what was asked for.
inline std::size_t page_size(const std::optional<int>& wanted, std::size_t max = 50) {
  return wanted && *wanted > 0 && static_cast<std::size_t>(*wanted) < max ? static_cast<std::size_t>(*wanted) : max;
}

}  // namespace parvis::lambda
