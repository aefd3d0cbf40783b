// aws/sigv4.h: checks Signature Version 4 of HTTP requests, in headers and in presigned URLs, and the payload they cover.
//
// Pure functions of the request, the credentials and the clock; callable from any thread. Signatures are compared in
// constant time. SigV4A (asymmetric, X-Amz-Region-Set) is refused by name.
// Source: IAM User Guide, "AWS Signature Version 4 for API requests"; Amazon S3 API Reference, "Signature calculations for
// the Authorization header" (chunked uploads, trailers) and "Authenticating requests: using query parameters".
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "http/message.h"

namespace parvis::aws {

struct SignatureScope {
  std::string access_key_id;
  std::string date;  // "20261123"
  std::string region;
  std::string service;  // the signing name
  bool presigned = false;
};

// What the request says about its signer, unchecked. nullopt when it is unsigned or malformed.
std::optional<SignatureScope> parse_scope(const http::Request& request);

struct SigningCredential {
  std::string secret;
  std::string session_token;  // empty: a long-term key, with which a token is refused
};

// How the errors of a service are called and numbered.
enum class ErrorFamily { kJson, kRestJson, kQuery, kS3 };

struct SignatureError {
  std::string code;
  std::string message;
  unsigned http_status = 403;
};

struct VerifyOptions {
  std::function<std::optional<SigningCredential>(std::string_view access_key_id)> find_credential;
  const Clock* clock = nullptr;  // wall time
  ErrorFamily family = ErrorFamily::kJson;
  std::string_view service;  // the signing name that the scope must carry; empty: any
  std::string_view region;   // likewise
};

// Checks the signature and the payload. S3 (by `family`): paths are taken as they are, the payload may be unsigned or in
// signed chunks; aws-chunked bodies are decoded in place. A body that is a stream is wrapped: what is wrong with it is then
// thrown by read(), as ApiError with the same codes.
// Limits: clock skew 15 minutes, presigned URLs 7 days, a signed chunk 16 MiB, trailers 8 KiB.
std::expected<SignatureScope, SignatureError> verify_signature(http::Request& request, const VerifyOptions& options);

// For requests whose signature nobody checks (`dev`): decodes an aws-chunked body in place, or wraps its stream, and compares
// lengths and checksum trailers; signatures of chunks are not looked at. Other payloads stay as they are. Throws ApiError.
void decode_unverified_payload(http::Request& request, ErrorFamily family);

}  // namespace parvis::aws
