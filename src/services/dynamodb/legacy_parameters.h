// dynamodb/legacy_parameters.h: the parameters that expressions replaced, translated into the trees that expressions make.
//
// Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter and ConditionalOperator. Each map keeps the order of
// its attributes' names. Throws ValidationException with DynamoDB's messages.
// Source: Developer Guide, "Legacy conditional parameters"; API Reference, Condition, ExpectedAttributeValue,
// AttributeValueUpdate.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "models/dynamodb.h"
#include "services/dynamodb/expression.h"

namespace parvis::dynamodb {

using LegacyConditions = std::map<std::string, aws::model::dynamodb::Condition>;
using LegacyExpected = std::map<std::string, aws::model::dynamodb::ExpectedAttributeValue>;
using LegacyUpdates = std::map<std::string, aws::model::dynamodb::AttributeValueUpdate>;

struct Parameter {
  std::string_view name;
  bool present = false;
};
// Throws when expression and legacy parameters stand in one request.
void check_not_mixed(std::initializer_list<Parameter> legacy, std::initializer_list<Parameter> expressions);

// nullopt: there is nothing to check. `operation` is AND (absent) or OR.
std::optional<Condition> translate_expected(const std::optional<LegacyExpected>& expected,
                                            const std::optional<std::string>& operation);
// QueryFilter and ScanFilter.
std::optional<Condition> translate_filter(const std::optional<LegacyConditions>& filter,
                                          const std::optional<std::string>& operation);
Condition translate_key_conditions(const LegacyConditions& conditions);
Update translate_updates(const LegacyUpdates& updates);

}  // namespace parvis::dynamodb
