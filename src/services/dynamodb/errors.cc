#include "services/dynamodb/errors.h"

#include <spdlog/spdlog.h>

namespace parvis::dynamodb {

void throw_validation(std::string message) { throw aws::ApiError(kValidation, std::move(message)); }

void throw_table_not_found() { throw aws::ApiError(kResourceNotFound, "Requested resource not found"); }

void throw_store_error(const storage::StoreError& error) {
  switch (error.code) {
    case storage::StoreErrc::kConflict:
      throw aws::ApiError(kThrottling, "Too many concurrent writes to the same item; retry the request");
    case storage::StoreErrc::kBusy:
      throw aws::ApiError(kThrottling, "Rate of requests exceeds the allowed throughput.");
    case storage::StoreErrc::kTooLarge:
      throw_validation("The request writes more than one commit of the store can hold");
    case storage::StoreErrc::kUnknownOutcome:
    case storage::StoreErrc::kCorruption:
    case storage::StoreErrc::kStopping:
      break;
  }
  spdlog::error("dynamodb: store error {}: {}", static_cast<int>(error.code), error.detail);
  throw aws::ApiError(kInternal, "Internal server error");
}

}  // namespace parvis::dynamodb
