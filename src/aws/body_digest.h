// aws/body_digest.h: what a request says of the bytes of its whole body, checked: Content-MD5 and x-amz-checksum-*.
//
// For operations whose bodies are documents; bodies that stream are checked where they are taken. Headers that an operation's input
// binds say something else (CompleteMultipartUpload: the checksum of the object). Pure.
// Throws ApiError: InvalidDigest, BadDigest, InvalidRequest, NotImplemented (a checksum that is not made here).
// Source: S3 API Reference, common request headers and error codes.
#pragma once

#include "aws/model.h"
#include "http/message.h"

namespace parvis::aws {

void check_body_digest(const OperationModel& op, const http::Request& request);

}  // namespace parvis::aws
