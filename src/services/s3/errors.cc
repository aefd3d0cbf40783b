#include "services/s3/errors.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace parvis::s3 {

void refuse(std::string_view member) {
  throw aws::ApiError(kNotImplemented, fmt::format("{} is not available on this platform yet.", member), {{"Header", member}});
}

void refuse_if(bool present, std::string_view member) {
  if (present) refuse(member);
}

aws::ApiError malformed_xml() {
  return aws::ApiError(kMalformedXml, "The XML you provided was not well-formed or did not validate against our published schema");
}

aws::ApiError no_such_key(const std::string& key) {
  return aws::ApiError(kNoSuchKey, "The specified key does not exist.", {{"Key", key}});
}

aws::ApiError precondition_failed(std::string_view condition) {
  return aws::ApiError(kPreconditionFailed, "At least one of the pre-conditions you specified did not hold", {{"Condition", condition}});
}

aws::ApiError to_api_error(const storage::StoreError& failed) {
  switch (failed.code) {
    case storage::StoreErrc::kBusy: return aws::ApiError(kSlowDown, "Please reduce your request rate.");
    case storage::StoreErrc::kConflict:
      return aws::ApiError(kOperationAborted, "A conflicting conditional operation is currently in progress against this resource. Please try again.");
    case storage::StoreErrc::kStopping:
    case storage::StoreErrc::kUnknownOutcome:
    case storage::StoreErrc::kTooLarge:
    case storage::StoreErrc::kCorruption:
      spdlog::error("s3: commit failed: {}: {}", storage::to_string(failed.code), failed.detail);
      return aws::ApiError(kInternalError, "We encountered an internal error. Please try again.");
  }
  std::abort();
}

}  // namespace parvis::s3
