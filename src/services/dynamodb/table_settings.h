// dynamodb/table_settings.h: from the members of CreateTable and UpdateTable to a table record, and back.
#pragma once

#include "services/dynamodb/operations.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kGlobalIndexesMax = 20;
inline constexpr std::size_t kLocalIndexesMax = 5;
inline constexpr std::size_t kTagsMax = 50;
inline constexpr std::size_t kPolicyBytesMax = 20u << 10;

// Throws ValidationException.
TableRecord make_record(const aws::Scope& scope, const model::CreateTableInput& in);
// Throws ValidationException when capacity is all that the request names and the table has it.
void check_capacity_changes(const model::UpdateTableInput& in, const TableRecord& record);
// Everything but streams and index updates.
void apply_settings(const model::UpdateTableInput& in, TableRecord& record);
IndexRecord make_index(const TableRecord& table, const model::CreateGlobalSecondaryIndexAction& in,
                       const std::optional<std::vector<model::AttributeDefinition>>& definitions);
// Of what an update makes, so that a repeated attempt knows what an earlier one did.
struct UpdateIds {
  std::string index, stream;
  bool stream_closed = false, index_removed = false;  // by an earlier attempt
};
// The view type of a stream that is to be, "" for none. Throws ValidationException, for CreateTable or UpdateTable.
std::string stream_view(const std::optional<model::StreamSpecification>& in, bool is_create);
void apply_stream(const std::optional<model::StreamSpecification>& in, UpdateIds& ids, std::int64_t now_ms, TableRecord& record,
                  storage::Commit& commit);
// Throws LimitExceededException when more than one index would come or go.
void apply_index_updates(const model::UpdateTableInput& in, UpdateIds& ids, TableRecord& record, storage::Commit& commit);
// Throws ValidationException when settings that are changed one at a time come together.
void check_combination(const model::UpdateTableInput& in);
void check_tag_count(std::size_t count);
std::map<std::string, std::string> checked_tags(const std::vector<model::Tag>& tags);
// Throws ValidationException unless it is a policy document of the allowed size.
std::string checked_policy(const std::string& policy);
// table_capacity.cc. Each gives the new setting, or `current` when the member is absent.
std::optional<EncryptionSetting> encryption_of(const aws::Scope& scope, const std::optional<model::SSESpecification>& in,
                                               std::optional<EncryptionSetting> current);
// `index`: its name, for messages; empty for the table.
Throughput on_demand_max_of(const TableRecord& table, const std::optional<model::OnDemandThroughput>& in, Throughput current,
                            const std::string& index = {});
Throughput warm_of(const TableRecord& table, const std::optional<model::WarmThroughput>& in, Throughput current,
                   const Throughput& provisioned, const std::string& index = {});
void describe_capacity(const TableRecord& record, model::TableDescription& out);

std::string status_of(const TableRecord& record);
// Without counts.
model::TableDescription describe_record(const TableRecord& record, std::string status);

}  // namespace parvis::dynamodb
