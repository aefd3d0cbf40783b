// lambda/alias.h: an alias: a name for one published version, or for two with weights.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/entropy.h"
#include "models/lambda.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

struct Alias {
  std::string name, version, description, revision_id;
  std::map<std::string, double> weights;  // of the additional version; at most one
};

std::string to_json(const Alias& alias);
std::optional<Alias> parse_alias(std::string_view json);  // nullopt: not what to_json() writes, or a newer format

// Throws ValidationException for what is no name of an alias (digits only).
void check_alias_name(std::string_view name);
// Which version a call of the alias runs.
const std::string& choose_version(const Alias& alias, Entropy& entropy);
// Throws InvalidParameterValueException, ValidationException. Whether the versions exist is the caller's to check.
// Source: Lambda API Reference, AliasRoutingConfiguration; Developer Guide, "Implement canary deployments using a weighted alias".
void check_weights(const Alias& alias);
aws::model::lambda::AliasConfiguration describe_alias(const FunctionRecord& function, const Alias& alias);

}  // namespace parvis::lambda
