// lambda/policy.h: resource-based policies of functions, versions, aliases and layer versions: stored and given back.
// Parvis does not enforce them yet. Source: Developer Guide, "Working with resource-based IAM policies in Lambda".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "models/lambda.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

struct Statement {
  std::string id;
  boost::json::object body;
};

struct Policy {
  std::vector<Statement> statements;
  std::string revision_id;
  std::string version = "2012-10-17", id = "default";
};

std::string to_json(const Policy& policy);
std::optional<Policy> parse_policy(std::string_view json);
std::string policy_document(const Policy& policy);  // as GetPolicy answers

// The statements as AddPermission and AddLayerVersionPermission write them. Throw InvalidParameterValueException.
Statement make_statement(const FunctionRef& ref, const aws::model::lambda::AddPermissionInput& in);
Statement make_statement(const std::string& layer_version_arn, const aws::model::lambda::AddLayerVersionPermissionInput& in);
// A whole document, for `resource_arn`. Throws InvalidParameterValueException (no policy, or a statement that lacks something or speaks of
// another resource), PolicyLengthExceededException.
Policy read_policy(std::string_view document, std::string_view resource_arn);
// Throws ResourceConflictException (the id is taken), PolicyLengthExceededException (over 20 KB).
void add_statement(Policy& policy, Statement statement);
// Throws ResourceNotFoundException.
void remove_statement(Policy& policy, std::string_view id);
// Throws PreconditionFailedException. `operation`: which API gives the right id.
void check_policy_revision(const Policy& policy, const std::optional<std::string>& revision_id, std::string_view operation = "GetPolicy");

}  // namespace parvis::lambda
