#include "platform/authenticator.h"

#include <fmt/format.h>

#include "aws/sigv4.h"

namespace parvis::platform {
namespace {

aws::ErrorFamily family_of(std::string_view service) {
  using aws::ErrorFamily;
  if (service == "s3") return ErrorFamily::kS3;
  for (const std::string_view query : {"sts", "iam", "cloudformation"})
    if (service == query) return ErrorFamily::kQuery;
  for (const std::string_view rest : {"lambda", "apigateway", "parvis"})
    if (service == rest) return ErrorFamily::kRestJson;
  return ErrorFamily::kJson;
}

std::string token_of(const http::Request& request) {
  if (const auto header = request.headers.find("X-Amz-Security-Token")) return std::string(*header);
  for (auto& [name, value] : http::parse_query(request.query()))
    if (name == "X-Amz-Security-Token") return std::move(value);
  return {};
}

[[noreturn]] void refuse_expired(aws::ErrorFamily family) {
  using aws::ErrorFamily;
  if (family == ErrorFamily::kS3) throw aws::ApiError({"ExpiredToken", 400}, "The provided token has expired.");
  const bool query = family == ErrorFamily::kQuery;
  throw aws::ApiError({query ? "ExpiredToken" : "ExpiredTokenException", query ? 403u : 400u}, "The security token included in the request is expired");
}

}  // namespace

aws::Identity Authenticator::authenticate(http::Request& request, std::string_view service) const {
  const std::string token = token_of(request);
  std::optional<aws::SessionClaims> claims;
  const aws::SessionKeys* keys = nullptr;
  for (const aws::SessionKeys* candidate : {&sessions_, &workers_}) {
    if (claims || token.empty()) break;
    claims = candidate->open(token);
    keys = candidate;
  }
  aws::VerifyOptions options;
  options.clock = &clock_;
  options.family = family_of(service);
  options.service = service;
  options.find_credential = [&](std::string_view id) -> std::optional<aws::SigningCredential> {
    if (id == root_.access_key_id) return aws::SigningCredential{root_.secret_access_key, {}};
    if (claims && claims->access_key_id == id) return aws::SigningCredential{keys->secret_of(id), token};
    return std::nullopt;
  };
  auto scope = aws::verify_signature(request, options);
  if (!scope) {
    const aws::SignatureError& error = scope.error();
    throw aws::ApiError({error.code, error.http_status}, error.message);
  }
  if (scope->access_key_id == root_.access_key_id)
    return {{fmt::format("arn:aws:iam::{}:root", root_account_), scope->access_key_id}, {root_account_, scope->region}};
  if (claims->expires < clock_.wall()) refuse_expired(options.family);
  return {{claims->principal_arn, scope->access_key_id}, {claims->account, scope->region}};
}

}  // namespace parvis::platform
