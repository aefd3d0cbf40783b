#include "services/lambda/policy.h"

#include <algorithm>

#include <fmt/format.h>

#include "services/lambda/errors.h"

namespace parvis::lambda {
namespace {

constexpr std::size_t kPolicyBytesMax = 20'480;

bool is_account(std::string_view text) {
  return text.size() == 12 && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
}

boost::json::object account_root(std::string_view account) { return {{"AWS", fmt::format("arn:aws:iam::{}:root", account)}}; }

boost::json::value principal_of(const std::string& principal) {
  if (principal == "*") return "*";
  if (is_account(principal)) return account_root(principal);
  if (principal.starts_with("arn:")) return boost::json::object{{"AWS", principal}};
  if (principal.find('.') != std::string::npos) return boost::json::object{{"Service", principal}};
  throw error(kInvalidParameterValue, "The provided principal was invalid. Please check the principal and try again.");
}

}  // namespace

std::string to_json(const Policy& policy) {
  boost::json::array statements;
  for (const Statement& s : policy.statements) statements.push_back(boost::json::object{{"id", s.id}, {"body", s.body}});
  return boost::json::serialize(boost::json::object{{"format", 1}, {"revision", policy.revision_id}, {"statements", std::move(statements)}});
}

std::optional<Policy> parse_policy(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  if (o.at("format").as_int64() != 1) return std::nullopt;
  Policy policy;
  policy.revision_id = std::string(o.at("revision").as_string());
  for (const auto& s : o.at("statements").as_array()) {
    policy.statements.push_back({std::string(s.as_object().at("id").as_string()), s.as_object().at("body").as_object()});
  }
  return policy;
} catch (const std::exception&) {
  return std::nullopt;
}

std::string policy_document(const Policy& policy) {
  boost::json::array statements;
  for (const Statement& statement : policy.statements) statements.push_back(statement.body);
  return boost::json::serialize(boost::json::object{{"Version", "2012-10-17"}, {"Id", "default"}, {"Statement", std::move(statements)}});
}

Statement make_statement(const FunctionRef& ref, const aws::model::lambda::AddPermissionInput& in) {
  boost::json::object body{{"Sid", in.statement_id.value_or("")}, {"Effect", "Allow"}};
  body["Principal"] = principal_of(in.principal.value_or(""));
  body["Action"] = in.action.value_or("");
  body["Resource"] = ref.qualified_arn();
  boost::json::object equals, condition;
  if (in.source_account) equals["AWS:SourceAccount"] = *in.source_account;
  if (in.event_source_token) equals["lambda:EventSourceToken"] = *in.event_source_token;
  if (in.function_url_auth_type) equals["lambda:FunctionUrlAuthType"] = *in.function_url_auth_type;
  if (in.principal_org_id) equals["aws:PrincipalOrgID"] = *in.principal_org_id;
  if (!equals.empty()) condition["StringEquals"] = std::move(equals);
  if (in.source_arn) condition["ArnLike"] = boost::json::object{{"AWS:SourceArn", *in.source_arn}};
  if (in.invoked_via_function_url) {
    condition["Bool"] = boost::json::object{{"lambda:InvokedViaFunctionUrl", *in.invoked_via_function_url ? "true" : "false"}};
  }
  if (!condition.empty()) body["Condition"] = std::move(condition);
  return {in.statement_id.value_or(""), std::move(body)};
}

Statement make_statement(const std::string& layer_version_arn, const aws::model::lambda::AddLayerVersionPermissionInput& in) {
  const std::string principal = in.principal.value_or("");
  boost::json::object body{{"Sid", in.statement_id.value_or("")}, {"Effect", "Allow"}, {"Principal", principal_of(principal)},
                           {"Action", in.action.value_or("")}, {"Resource", layer_version_arn}};
  if (in.organization_id) {
    if (principal != "*") throw error(kInvalidParameterValue, "OrganizationId requires the principal *.");
    body["Condition"] = boost::json::object{{"StringEquals", {{"aws:PrincipalOrgID", *in.organization_id}}}};
  }
  return {in.statement_id.value_or(""), std::move(body)};
}

void add_statement(Policy& policy, Statement statement) {
  if (std::ranges::any_of(policy.statements, [&](const Statement& s) { return s.id == statement.id; })) {
    throw error(kResourceConflict, fmt::format("The statement id ({}) provided already exists. Please provide a new statement id, or "
        "remove the existing statement.", statement.id));
  }
  policy.statements.push_back(std::move(statement));
  if (const std::size_t size = policy_document(policy).size(); size > kPolicyBytesMax) {
    throw error(kPolicyLengthExceeded, fmt::format("The final policy size ({}) is bigger than the limit ({}).", size, kPolicyBytesMax));
  }
}

void remove_statement(Policy& policy, std::string_view id) {
  if (std::erase_if(policy.statements, [&](const Statement& s) { return s.id == id; }) == 0) {
    throw error(kResourceNotFound, fmt::format("Statement {} is not found in resource policy.", id));
  }
}

void check_policy_revision(const Policy& policy, const std::optional<std::string>& revision_id, std::string_view operation) {
  if (revision_id && *revision_id != policy.revision_id) {
    throw error(kPreconditionFailed, fmt::format("The Revision Id provided does not match the latest Revision Id. Call the {} API to "
        "retrieve the latest Revision Id", operation));
  }
}

}  // namespace parvis::lambda
