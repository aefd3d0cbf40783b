// aws/sign.h: signs a request as a client does (Signature Version 4, in the Authorization header). The other side is sigv4.h.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "http/message.h"

namespace parvis::aws {

struct SigningKeys {
  std::string access_key_id, secret_access_key, session_token;  // the token may be empty
};

// `request.host` and an encoded `request.target` are set; the body is whole. Adds X-Amz-Date, X-Amz-Content-Sha256, the token and
// Authorization; every header that is there already is signed.
// Source: IAM User Guide, "Create a signed AWS API request". S3 takes the path as it is; the others encode it once more.
void sign_request(http::Request& request, const SigningKeys& keys, std::string_view region, std::string_view service, Millis now);

}  // namespace parvis::aws
