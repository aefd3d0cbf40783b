// s3/errors.h: the errors that this service throws. Source: S3 API Reference, "Error responses", list of error codes.
#pragma once

#include <string>

#include "aws/api_call.h"
#include "storage/store.h"

namespace parvis::s3 {

inline constexpr aws::ErrorSpec kAccessDenied{"AccessDenied", 403};
inline constexpr aws::ErrorSpec kAccessControlListNotSupported{"AccessControlListNotSupported", 400};
inline constexpr aws::ErrorSpec kBadDigest{"BadDigest", 400};
inline constexpr aws::ErrorSpec kBadRequest{"BadRequest", 400};
inline constexpr aws::ErrorSpec kBucketAlreadyOwnedByYou{"BucketAlreadyOwnedByYou", 409};
inline constexpr aws::ErrorSpec kBucketNotEmpty{"BucketNotEmpty", 409};
inline constexpr aws::ErrorSpec kEntityTooLarge{"EntityTooLarge", 400};
inline constexpr aws::ErrorSpec kEntityTooSmall{"EntityTooSmall", 400};
inline constexpr aws::ErrorSpec kIllegalLocationConstraint{"IllegalLocationConstraintException", 400};
inline constexpr aws::ErrorSpec kIncompleteBody{"IncompleteBody", 400};
inline constexpr aws::ErrorSpec kInternalError{"InternalError", 500, aws::Fault::kServer};
inline constexpr aws::ErrorSpec kInvalidArgument{"InvalidArgument", 400};
inline constexpr aws::ErrorSpec kInvalidBucketAcl{"InvalidBucketAclWithObjectOwnership", 400};
inline constexpr aws::ErrorSpec kInvalidBucketName{"InvalidBucketName", 400};
inline constexpr aws::ErrorSpec kInvalidDigest{"InvalidDigest", 400};
inline constexpr aws::ErrorSpec kInvalidPart{"InvalidPart", 400};
inline constexpr aws::ErrorSpec kInvalidPartOrder{"InvalidPartOrder", 400};
inline constexpr aws::ErrorSpec kInvalidRange{"InvalidRange", 416};
inline constexpr aws::ErrorSpec kInvalidPartNumber{"InvalidPartNumber", 416};
inline constexpr aws::ErrorSpec kInvalidRequest{"InvalidRequest", 400};
inline constexpr aws::ErrorSpec kInvalidTag{"InvalidTag", 400};
inline constexpr aws::ErrorSpec kInvalidUri{"InvalidURI", 400};
inline constexpr aws::ErrorSpec kKeyTooLong{"KeyTooLongError", 400};
inline constexpr aws::ErrorSpec kMalformedPolicy{"MalformedPolicy", 400};
inline constexpr aws::ErrorSpec kMalformedXml{"MalformedXML", 400};
inline constexpr aws::ErrorSpec kMetadataTooLarge{"MetadataTooLarge", 400};
inline constexpr aws::ErrorSpec kMethodNotAllowed{"MethodNotAllowed", 405};
inline constexpr aws::ErrorSpec kNoSuchBucket{"NoSuchBucket", 404};
inline constexpr aws::ErrorSpec kNoSuchBucketPolicy{"NoSuchBucketPolicy", 404};
inline constexpr aws::ErrorSpec kNoSuchCorsConfiguration{"NoSuchCORSConfiguration", 404};
inline constexpr aws::ErrorSpec kNoSuchKey{"NoSuchKey", 404};
inline constexpr aws::ErrorSpec kNoSuchPublicAccessBlock{"NoSuchPublicAccessBlockConfiguration", 404};
inline constexpr aws::ErrorSpec kNoSuchTagSet{"NoSuchTagSet", 404};
inline constexpr aws::ErrorSpec kNoSuchUpload{"NoSuchUpload", 404};
inline constexpr aws::ErrorSpec kNoSuchVersion{"NoSuchVersion", 404};
inline constexpr aws::ErrorSpec kNotImplemented{"NotImplemented", 501};
inline constexpr aws::ErrorSpec kNotModified{"NotModified", 304};
inline constexpr aws::ErrorSpec kOperationAborted{"OperationAborted", 409};
inline constexpr aws::ErrorSpec kOwnershipControlsNotFound{"OwnershipControlsNotFoundError", 404};
inline constexpr aws::ErrorSpec kPreconditionFailed{"PreconditionFailed", 412};
inline constexpr aws::ErrorSpec kSlowDown{"SlowDown", 503, aws::Fault::kServer};

// For members that this platform does not apply.
[[noreturn]] void refuse(std::string_view member);
// refuse()s when the member is there.
void refuse_if(bool present, std::string_view member);
aws::ApiError malformed_xml();
aws::ApiError no_such_key(const std::string& key);
aws::ApiError precondition_failed(std::string_view condition);
aws::ApiError to_api_error(const storage::StoreError& failed);

}  // namespace parvis::s3
