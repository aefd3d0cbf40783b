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
  return boost::json::serialize(boost::json::object{{"format", 1}, {"revision", policy.revision_id}, {"version", policy.version}, {"document_id", policy.id}, {"statements", std::move(statements)}});
}

std::optional<Policy> parse_policy(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  if (o.at("format").as_int64() != 1) return std::nullopt;
  Policy policy;
  policy.revision_id = std::string(o.at("revision").as_string());
  if (const auto* version = o.if_contains("version")) policy.version = std::string(version->as_string());
  if (const auto* id = o.if_contains("document_id")) policy.id = std::string(id->as_string());
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
  return boost::json::serialize(boost::json::object{{"Version", policy.version}, {"Id", policy.id}, {"Statement", std::move(statements)}});
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

Policy read_policy(std::string_view document, std::string_view resource_arn) {
  const auto refuse = [](std::string what) { return error(kInvalidParameterValue, "The policy is not valid: " + std::move(what)); };
  if (document.size() > kPolicyBytesMax) throw error(kPolicyLengthExceeded, fmt::format("The final policy size ({}) is bigger than the limit ({}).", document.size(), kPolicyBytesMax));
  boost::system::error_code failed;
  const boost::json::value value = boost::json::parse(document, failed);
  if (failed || !value.is_object()) throw refuse("it is no JSON object.");
  const boost::json::object& given = value.as_object();
  Policy policy;
  for (const auto& member : given) {
    const bool text = member.key() == "Version" || member.key() == "Id";
    if (!text && member.key() != "Statement") throw refuse(fmt::format("{} is not one of Version, Id and Statement.", std::string_view(member.key())));
    if (text && !member.value().is_string()) throw refuse(fmt::format("{} is no text.", std::string_view(member.key())));
    if (text) (member.key() == "Id" ? policy.id : policy.version) = std::string(member.value().as_string());
  }
  if (policy.version != "2012-10-17" && policy.version != "2008-10-17") throw refuse("Version is 2012-10-17 or 2008-10-17.");
  const auto* statements = given.if_contains("Statement");
  const boost::json::array all = statements == nullptr ? boost::json::array{} : statements->is_array() ? statements->as_array() : boost::json::array{*statements};
  if (all.empty()) throw refuse("it has no Statement.");
  for (const auto& statement : all) {
    if (!statement.is_object()) throw refuse("a Statement is no object.");
    const boost::json::object& body = statement.as_object();
    for (const char* name : {"Effect", "Action", "Principal", "Resource"}) {
      if (!body.contains(name)) throw refuse(fmt::format("a Statement has no {}.", name));
    }
    if (body.at("Effect") != "Allow" && body.at("Effect") != "Deny") throw refuse("Effect is Allow or Deny.");
    const auto& resource = body.at("Resource");
    const auto names_it = [&](const boost::json::value& one) { return one.is_string() && one.as_string() == resource_arn; };
    const bool right = resource.is_array() ? !resource.as_array().empty() && std::ranges::all_of(resource.as_array(), names_it) : names_it(resource);
    if (!right) throw refuse(fmt::format("the Resource of a Statement is not {}.", resource_arn));
    const auto* sid = body.if_contains("Sid");
    std::string id = sid != nullptr && sid->is_string() ? std::string(sid->as_string()) : std::string();
    if (!id.empty() && std::ranges::any_of(policy.statements, [&](const Statement& s) { return s.id == id; })) throw refuse(fmt::format("two Statements have the Sid {}.", id));
    policy.statements.push_back({std::move(id), body});
  }
  return policy;
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
