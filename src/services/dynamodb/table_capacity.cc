// SSESpecification, OnDemandThroughput and WarmThroughput of tables and indexes.
// Differs from AWS: the platform does not encrypt; a table keeps and shows its SSESpecification, and the
// pipeline warns (manifest.json).
// Source: API Reference, SSESpecification, OnDemandThroughput; Developer Guide, "DynamoDB maximum throughput for on-demand
// tables", "Understanding DynamoDB warm throughput".
#include <algorithm>

#include "core/hash.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";
constexpr Throughput kWarmMin{12'000, 4'000};  // what every on-demand table has

[[noreturn]] void invalid(std::string message) { throw_validation(std::string(kInvalid) + message); }

std::string key_arn(const aws::Scope& scope, const std::optional<std::string>& id) {
  const std::string begin = "arn:aws:kms:" + scope.region + ":" + scope.account + ":";
  if (id && id->starts_with("arn:")) return *id;
  if (id && id->starts_with("alias/")) return begin + *id;
  if (id) return begin + "key/" + *id;
  // The key that AWS manages for the account: one that follows from the account and Region.
  std::string digits = hex_encode(sha256("aws/dynamodb " + scope.account + scope.region)).substr(0, 32);
  for (const std::size_t at : {8, 13, 18, 23}) digits.insert(at, "-");
  return begin + "key/" + digits;
}

std::int64_t maximum(const std::optional<std::int64_t>& in, std::int64_t current, std::string_view name, const std::string& index) {
  if (!in) return current;
  if (*in == -1) return 0;  // as AWS spells "no maximum"
  if (*in < 1) {
    invalid("Requested " + std::string(name) + " for OnDemandThroughput for " + (index.empty() ? "table" : "index : " + index) +
            " is outside of valid range");
  }
  return *in;
}

Throughput shown_warm(const TableRecord& table, const Throughput& warm, const Throughput& provisioned) {
  const Throughput least = table.on_demand ? kWarmMin : provisioned;
  return {std::max(warm.read, least.read), std::max(warm.write, least.write)};
}

}  // namespace

std::optional<EncryptionSetting> encryption_of(const aws::Scope& scope, const std::optional<model::SSESpecification>& in,
                                               std::optional<EncryptionSetting> current) {
  if (!in) return current;
  const bool enabled = in->enabled.value_or(false);
  if (!enabled && in->sse_type) invalid("SSEType can not be specified if Enabled is false");
  if (!enabled && in->kms_master_key_id) invalid("KMSMasterKeyId can not be specified if Enabled is false");
  if (in->sse_type == "AES256") invalid("SSEType AES256 is not supported");
  if (in->kms_master_key_id && !in->sse_type) invalid("SSEType KMS is required if KMSMasterKeyId is specified");
  if (!enabled) return std::nullopt;
  return EncryptionSetting{key_arn(scope, in->kms_master_key_id)};
}

Throughput on_demand_max_of(const TableRecord& table, const std::optional<model::OnDemandThroughput>& in, Throughput current,
                            const std::string& index) {
  if (!table.on_demand) {
    if (in) {
      invalid(std::string(in->max_read_request_units ? "MaxReadRequestUnits" : "MaxWriteRequestUnits") + " for OnDemandThroughput cannot be specified " +
              (index.empty() ? "" : "for index : " + index + " ") + "when the table BillingMode is PROVISIONED");
    }
    return {};
  }
  if (!in) return current;
  return {maximum(in->max_read_request_units, current.read, "MaxReadRequestUnits", index),
          maximum(in->max_write_request_units, current.write, "MaxWriteRequestUnits", index)};
}

Throughput warm_of(const TableRecord& table, const std::optional<model::WarmThroughput>& in, Throughput current,
                   const Throughput& provisioned, const std::string& index) {
  if (!in) return current;
  const Throughput shown = shown_warm(table, current, provisioned);
  const Throughput wanted{in->read_units_per_second.value_or(shown.read), in->write_units_per_second.value_or(shown.write)};
  const auto check = [&index](std::int64_t value, std::int64_t least, std::string_view name) {
    if (value >= least) return;
    invalid("Requested " + std::string(name) + " for WarmThroughput for " + (index.empty() ? "table" : "index " + index) +
            " is lower than current WarmThroughput, decreasing WarmThroughput is not supported");
  };
  check(wanted.read, shown.read, "ReadUnitsPerSecond");
  check(wanted.write, shown.write, "WriteUnitsPerSecond");
  return wanted;
}

void check_capacity_changes(const model::UpdateTableInput& in, const TableRecord& record) {
  const bool names_others = in.billing_mode || in.attribute_definitions || in.global_secondary_index_updates || in.stream_specification ||
                            in.sse_specification || in.table_class || in.deletion_protection_enabled || in.warm_throughput;
  if (!in.provisioned_throughput || names_others || record.on_demand) return;
  const Throughput wanted{in.provisioned_throughput->read_capacity_units.value(), in.provisioned_throughput->write_capacity_units.value()};
  if (wanted != record.throughput) return;
  const std::string read = std::to_string(wanted.read), write = std::to_string(wanted.write);
  throw_validation("The provisioned throughput for the table will not change. The requested value equals the current value. Current "
                   "ReadCapacityUnits provisioned for the table: " + read + ". Requested ReadCapacityUnits: " + read +
                   ". Current WriteCapacityUnits provisioned for the table: " + write + ". Requested WriteCapacityUnits: " + write +
                   ". Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.");
}

void describe_capacity(const TableRecord& record, model::TableDescription& out) {
  const auto maxima = [](const Throughput& in, std::optional<model::OnDemandThroughput>& element) {
    if (in == Throughput()) return;
    element = model::OnDemandThroughput{in.read ? in.read : -1, in.write ? in.write : -1};
  };
  const auto warm = [&record](const Throughput& asked, const Throughput& provisioned, auto& element) {
    const Throughput shown = shown_warm(record, asked, provisioned);
    element.emplace();
    element->read_units_per_second = shown.read;
    element->write_units_per_second = shown.write;
    element->status = "ACTIVE";
  };
  maxima(record.on_demand_max, out.on_demand_throughput);
  warm(record.warm, record.throughput, out.warm_throughput);
  if (out.global_secondary_indexes) {
    for (auto& element : *out.global_secondary_indexes) {
      const IndexRecord& index = *record.index(*element.index_name);
      maxima(index.on_demand_max, element.on_demand_throughput);
      warm(index.warm, index.throughput, element.warm_throughput);
    }
  }
  if (!record.encryption) return;
  out.sse_description.emplace();
  out.sse_description->status = "ENABLED";
  out.sse_description->sse_type = "KMS";
  out.sse_description->kms_master_key_arn = record.encryption->key_arn;
}

}  // namespace parvis::dynamodb
