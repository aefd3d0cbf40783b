#include "services/sts/assume_role.h"

#include <fmt/format.h>

#include "http/message.h"
#include "services/sts/trust.h"

namespace parvis::sts {
namespace model = aws::model::sts;
namespace {

constexpr aws::ErrorSpec kAccessDenied{"AccessDenied", 403}, kValidation{"ValidationError", 400};
constexpr int kDurationDefault = 3600;

struct RoleName {
  std::string account, name;
};

// "arn:aws:iam::111122223333:role/path/name"
RoleName parse_role(std::string_view arn) {
  constexpr std::string_view kStart = "arn:aws:iam::", kRole = ":role/";
  const auto invalid = [&] { return aws::ApiError(kValidation, fmt::format("{} is invalid", arn)); };
  if (!arn.starts_with(kStart) || arn.size() < kStart.size() + 12 + kRole.size() + 1 || arn.substr(kStart.size() + 12, kRole.size()) != kRole) throw invalid();
  const std::string_view name = arn.substr(arn.rfind('/') + 1);
  if (name.empty()) throw invalid();
  return {std::string(arn.substr(kStart.size(), 12)), std::string(name)};
}

void refuse_unapplied(const model::AssumeRoleInput& in) {
  const auto refuse = [](bool sent, std::string_view name) {
    if (sent) throw aws::ApiError(kValidation, fmt::format("AssumeRole: {} is not supported on this platform; leave it out", name));
  };
  refuse(in.policy.has_value(), "Policy");
  refuse(in.policy_arns.has_value() && !in.policy_arns->empty(), "PolicyArns");
  refuse(in.tags.has_value() && !in.tags->empty(), "Tags");
  refuse(in.transitive_tag_keys.has_value() && !in.transitive_tag_keys->empty(), "TransitiveTagKeys");
  refuse(in.serial_number.has_value(), "SerialNumber");
  refuse(in.token_code.has_value(), "TokenCode");
  refuse(in.source_identity.has_value(), "SourceIdentity");
  refuse(in.provided_contexts.has_value() && !in.provided_contexts->empty(), "ProvidedContexts");
}

aws::ApiError denied(const aws::CallContext& call, std::string_view role_arn) {
  return aws::ApiError(kAccessDenied, fmt::format("User: {} is not authorized to perform: sts:AssumeRole on resource: {}", call.principal.arn, role_arn));
}

// The role as IAM describes it, or null when it is not there.
awaitable<boost::json::value> find_role(aws::ApiClient& api, aws::CallContext call, std::string name) {
  bool missing = false;
  boost::json::value answer;
  try {
    call.origin = "sts";
    boost::json::object input{{"RoleName", name}};
    answer = co_await api.call_json(std::move(call), "iam", "GetRole", boost::json::value(std::move(input)));
  } catch (const aws::ApiError& error) {
    if (error.code() != "NoSuchEntity") throw;
    missing = true;
  }
  if (missing) co_return nullptr;
  co_return answer.at("Role");
}

}  // namespace

awaitable<model::AssumeRoleOutput> assume_role(const Dependencies& with, aws::CallContext call, model::AssumeRoleInput in) {
  refuse_unapplied(in);
  const std::string role_arn = in.role_arn.value_or(""), session = in.role_session_name.value_or("");
  const RoleName wanted = parse_role(role_arn);
  if (wanted.account != call.scope.account) throw denied(call, role_arn);
  const boost::json::value role = co_await find_role(with.api(), call, wanted.name);
  if (role.is_null() || role.at("Arn").as_string() != role_arn) throw denied(call, role_arn);
  boost::system::error_code broken;
  const auto policy = boost::json::parse(http::percent_decode(std::string_view(role.at("AssumeRolePolicyDocument").as_string())).value_or(""), broken);
  const std::string external = in.external_id.value_or("");
  if (broken || !trusts(policy, {call.principal.arn, call.scope.account, external})) throw denied(call, role_arn);

  const int duration = in.duration_seconds.value_or(kDurationDefault);
  const auto* max = role.as_object().if_contains("MaxSessionDuration");
  if (duration > (max != nullptr && max->is_int64() ? max->get_int64() : kDurationDefault))
    throw aws::ApiError(kValidation, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
  const std::string arn = fmt::format("arn:aws:sts::{}:assumed-role/{}/{}", wanted.account, wanted.name, session);
  const Millis expires = std::chrono::floor<std::chrono::seconds>(with.clock.wall()) + std::chrono::seconds(duration);
  auto issued = with.sessions.issue(wanted.account, arn, expires, with.entropy);

  model::AssumeRoleOutput out;
  model::Credentials credentials;
  credentials.access_key_id = std::move(issued.access_key_id);
  credentials.secret_access_key = std::move(issued.secret_access_key);
  credentials.session_token = std::move(issued.session_token);
  credentials.expiration = aws::Timestamp{static_cast<double>(expires.time_since_epoch().count()) / 1000.0};
  out.credentials = std::move(credentials);
  model::AssumedRoleUser user;
  user.arn = arn;
  user.assumed_role_id = std::string(role.at("RoleId").as_string()) + ":" + session;
  out.assumed_role_user = std::move(user);
  co_return out;
}

}  // namespace parvis::sts
