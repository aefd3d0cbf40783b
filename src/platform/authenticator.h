// platform/authenticator.h: who signed a request to `parvis serve`: the root key, a session of STS, or a function's worker.
#pragma once

#include <string>

#include "aws/pipeline.h"
#include "aws/session.h"
#include "http/message.h"
#include "platform/credentials.h"

namespace parvis::platform {

class Authenticator {  // thread-safe; the clock outlives it
 public:
  // Sessions of `sessions` outlive the process; those of `workers` end with it, as the workers do.
  Authenticator(RootCredentials root, const aws::SessionKeys& sessions, const aws::SessionKeys& workers, const Clock& clock, std::string root_account)
      : root_(std::move(root)), sessions_(sessions), workers_(workers), clock_(clock), root_account_(std::move(root_account)) {}

  // Checks signature, payload and age; `service` is the signing name that the request must be for. Throws ApiError with the
  // service's own codes (MissingAuthenticationToken, SignatureDoesNotMatch, ExpiredToken and their like).
  aws::Identity authenticate(http::Request& request, std::string_view service) const;

 private:
  RootCredentials root_;
  const aws::SessionKeys& sessions_;
  const aws::SessionKeys& workers_;
  const Clock& clock_;
  std::string root_account_;
};

}  // namespace parvis::platform
