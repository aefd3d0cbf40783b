// dynamodb/errors.h: the errors of DynamoDB, by the names and statuses of its service model.
#pragma once

#include <string>

#include "aws/api_call.h"
#include "storage/store.h"

namespace parvis::dynamodb {

inline constexpr aws::ErrorSpec kValidation{"ValidationException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kResourceNotFound{"ResourceNotFoundException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kResourceInUse{"ResourceInUseException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kConditionalCheckFailed{"ConditionalCheckFailedException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kDuplicateItem{"DuplicateItemException", 400, aws::Fault::kClient};
inline constexpr std::string_view kDuplicateItemMessage = "Duplicate primary key exists in table";
inline constexpr aws::ErrorSpec kTransactionCanceled{"TransactionCanceledException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kTransactionConflict{"TransactionConflictException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kIdempotentParameterMismatch{"IdempotentParameterMismatchException", 400,
                                                             aws::Fault::kClient};
inline constexpr aws::ErrorSpec kItemCollectionSizeLimit{"ItemCollectionSizeLimitExceededException", 400,
                                                         aws::Fault::kClient};
inline constexpr aws::ErrorSpec kLimitExceeded{"LimitExceededException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kThroughputExceeded{"ProvisionedThroughputExceededException", 400, aws::Fault::kClient};
inline constexpr std::string_view kTableThroughputMessage =
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level "
    "with the UpdateTable API.";
inline constexpr std::string_view kIndexThroughputMessage =
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. "
    "Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API";
inline constexpr std::string_view kOnDemandThroughputMessage =
    "Throughput exceeds the maximum OnDemandThroughput configured on the table or index.";
inline constexpr aws::ErrorSpec kThrottling{"ThrottlingException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kTableNotFound{"TableNotFoundException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kTableAlreadyExists{"TableAlreadyExistsException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kBackupNotFound{"BackupNotFoundException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kBackupInUse{"BackupInUseException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kNoPointInTime{"PointInTimeRecoveryUnavailableException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kInvalidRestoreTime{"InvalidRestoreTimeException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kInvalidExportTime{"InvalidExportTimeException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kExportNotFound{"ExportNotFoundException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kExportConflict{"ExportConflictException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kImportNotFound{"ImportNotFoundException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kImportConflict{"ImportConflictException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kPolicyNotFound{"PolicyNotFoundException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kTrimmedDataAccess{"TrimmedDataAccessException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kExpiredIterator{"ExpiredIteratorException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kInternal{"InternalServerError", 500, aws::Fault::kServer};

inline constexpr std::string_view kTooDeepMessage =
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit";
[[noreturn]] void throw_validation(std::string message);
// The only place where a storage failure becomes a DynamoDB error. Details go to the log, never to the client.
[[noreturn]] void throw_store_error(const storage::StoreError& error);
[[noreturn]] void throw_table_not_found();  // as item operations word it

}  // namespace parvis::dynamodb
