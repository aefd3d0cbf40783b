// dynamodb/table_settings.h: from the members of CreateTable and UpdateTable to a table record, and back.
#pragma once

#include "services/dynamodb/operations.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kGlobalIndexesMax = 20;
inline constexpr std::size_t kLocalIndexesMax = 5;

// Throws ValidationException. Members that are not implemented are refused by name.
TableRecord make_record(const aws::Scope& scope, const model::CreateTableInput& in);
void refuse_unimplemented(const model::UpdateTableInput& in);
// Everything but index updates.
void apply_settings(const model::UpdateTableInput& in, TableRecord& record);
IndexRecord make_index(const TableRecord& table, const model::CreateGlobalSecondaryIndexAction& in,
                       const std::optional<std::vector<model::AttributeDefinition>>& definitions);
std::map<std::string, std::string> checked_tags(const std::vector<model::Tag>& tags);
// Without counts.
model::TableDescription describe_record(const TableRecord& record, std::string status);

}  // namespace parvis::dynamodb
