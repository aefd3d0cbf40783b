// Exports to S3 and imports from it.
#include <algorithm>
#include <cmath>

#include "core/hash.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/export_filter.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr int kListedMax = 25;
constexpr std::int64_t kListedMs = 90ll * 24 * 60 * 60 * 1000;
constexpr std::size_t kImportTokenBytesMin = 56;  // the service model wants 112 hexadecimal digits

aws::Timestamp timestamp(std::int64_t ms) { return aws::Timestamp{static_cast<double>(ms) / 1000}; }
std::int64_t milliseconds(const aws::Timestamp& time) { return std::llround(time.epoch_seconds * 1000); }

std::optional<std::string> unless_empty(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

std::string name_of_arn(const aws::Scope& scope, const std::optional<std::string>& arn) {
  if (!arn.value().starts_with("arn:")) throw_validation("Invalid TableArn: Invalid ResourceArn provided as input " + *arn);
  return table_name(scope, arn);
}

std::string joined_fingerprint(const std::vector<std::string>& parts) {
  std::string bytes;
  for (const std::string& part : parts) bytes += std::to_string(part.size()) + ":" + part;
  return hex_encode(sha256(bytes));
}

std::string text_of(const std::optional<aws::Timestamp>& time) { return time ? std::to_string(milliseconds(*time)) : ""; }

[[noreturn]] void throw_export_time(std::string message) { throw aws::ApiError(kInvalidExportTime, std::move(message)); }

// The moments of the export, within what the table's history reaches.
void set_times(const model::ExportTableToPointInTimeInput& in, std::int64_t now_ms, TransferRecord& record) {
  const std::int64_t first_ms = earliest_ms(*record.table.history, now_ms);
  const auto check = [&](std::int64_t at, std::string_view name) {
    if (at < first_ms || at > now_ms) {
      throw_export_time(std::string(name) + " is not between the earliest and the latest restorable time");
    }
  };
  if (record.type == "FULL_EXPORT") {
    if (in.incremental_export_specification) {
      throw_validation("IncrementalExportSpecification can only be specified when ExportType is INCREMENTAL_EXPORT");
    }
    record.at_ms = in.export_time ? milliseconds(*in.export_time) : now_ms;
    check(record.at_ms, "ExportTime");
    return;
  }
  if (in.export_time) throw_validation("ExportTime can only be specified when ExportType is FULL_EXPORT");
  if (!in.incremental_export_specification || !in.incremental_export_specification->export_from_time) {
    throw_validation("IncrementalExportSpecification with ExportFromTime must be specified when ExportType is INCREMENTAL_EXPORT");
  }
  const model::IncrementalExportSpecification& wanted = *in.incremental_export_specification;
  record.view = wanted.export_view_type.value_or("NEW_AND_OLD_IMAGES");
  record.from_ms = milliseconds(*wanted.export_from_time);
  record.at_ms = wanted.export_to_time ? milliseconds(*wanted.export_to_time) : now_ms;
  check(record.from_ms, "ExportFromTime");
  check(record.at_ms, "ExportToTime");
  if (record.at_ms - record.from_ms < kIncrementalMsMin) throw_export_time("Difference between 'From' time and 'To' time is less than 15 minutes");
  if (record.at_ms - record.from_ms > kIncrementalMsMax) throw_export_time("Difference between 'From' time and 'To' time is more than 24 hours");
}

TransferRecord export_record(const aws::CallContext& call, const model::ExportTableToPointInTimeInput& in, const TableRecord& table,
                             std::int64_t now_ms) {
  TransferRecord record;
  record.kind = TransferKind::kExport;
  record.table = table;
  record.type = in.export_type.value_or("FULL_EXPORT");
  set_times(in, now_ms, record);
  record.principal_arn = call.principal.arn;
  record.client_token = in.client_token.value_or("");
  record.bucket = *in.s3_bucket;
  record.bucket_owner = in.s3_bucket_owner.value_or("");
  record.prefix = in.s3_prefix.value_or("");
  record.sse = in.s3_sse_algorithm.value_or("");
  record.format = in.export_format.value_or("DYNAMODB_JSON");
  if (in.filter_specification) {
    (void)ExportFilter(*in.filter_specification, table.keys);  // throws for what is none
    record.filter = encode_filter(in.filter_specification);
  }
  const auto& window = in.incremental_export_specification;
  record.fingerprint = joined_fingerprint({record.bucket, record.bucket_owner, record.prefix, record.sse, record.type, record.view, record.filter, record.format,
                                           text_of(in.export_time), window ? text_of(window->export_from_time) : "",
                                           window ? text_of(window->export_to_time) : ""});
  return record;
}

model::ExportDescription describe(const TransferRecord& record) {
  model::ExportDescription out;
  out.export_arn = record.arn();
  out.export_status = record.status;
  out.start_time = timestamp(record.started_ms);
  if (record.ended_ms != 0) out.end_time = timestamp(record.ended_ms);
  if (record.status == "COMPLETED") {
    out.export_manifest = record.manifest_key();
    out.billed_size_bytes = record.bytes;
    out.item_count = record.items;
  }
  out.table_arn = record.table.arn();
  out.table_id = record.table.public_id();
  out.client_token = unless_empty(record.client_token);
  out.s3_bucket = record.bucket;
  out.s3_bucket_owner = unless_empty(record.bucket_owner);
  out.s3_prefix = unless_empty(record.prefix);
  out.s3_sse_algorithm = record.sse.empty() ? "AES256" : record.sse;
  out.failure_code = unless_empty(record.failure_code);
  out.failure_message = unless_empty(record.failure_message);
  out.export_format = record.format;
  out.export_type = record.type;
  out.filter_specification = decode_filter(record.filter);
  if (record.type == "FULL_EXPORT") {
    out.export_time = timestamp(record.at_ms);
    return out;
  }
  out.incremental_export_specification = {timestamp(record.from_ms), timestamp(record.at_ms), record.view};
  return out;
}

// The table that an import makes, from the same members as CreateTable's.
TableRecord imported_table(const aws::Scope& scope, const model::TableCreationParameters& in) {
  model::CreateTableInput create;
  create.table_name = in.table_name;
  create.attribute_definitions = in.attribute_definitions;
  create.key_schema = in.key_schema;
  create.billing_mode = in.billing_mode;
  create.provisioned_throughput = in.provisioned_throughput;
  create.on_demand_throughput = in.on_demand_throughput;
  create.sse_specification = in.sse_specification;
  create.global_secondary_indexes = in.global_secondary_indexes;
  create.vector_indexes = in.vector_indexes;
  return make_record(scope, create);
}

TransferRecord import_record(const aws::CallContext& call, const model::ImportTableInput& in) {
  TransferRecord record;
  record.kind = TransferKind::kImport;
  record.table = imported_table(call.scope, in.table_creation_parameters.value());
  record.format = in.input_format.value();
  if (in.input_format_options && in.input_format_options->csv) {
    if (record.format != "CSV") throw_validation("InputFormatOptions Csv can only be specified when InputFormat is CSV");
    record.delimiter = in.input_format_options->csv->delimiter.value_or("");
    record.header = in.input_format_options->csv->header_list.value_or(std::vector<std::string>());
  }
  record.compression = in.input_compression_type.value_or("NONE");
  record.principal_arn = call.principal.arn;
  record.client_token = in.client_token.value_or("");
  record.bucket = in.s3_bucket_source->s3_bucket.value();
  record.bucket_owner = in.s3_bucket_source->s3_bucket_owner.value_or("");
  record.prefix = in.s3_bucket_source->s3_key_prefix.value_or("");
  std::vector<std::string> parts{record.bucket, record.bucket_owner, record.prefix, record.format, record.delimiter, record.compression,
                                 record.table.to_json()};
  parts.insert(parts.end(), record.header.begin(), record.header.end());
  record.fingerprint = joined_fingerprint(parts);
  return record;
}

model::TableCreationParameters creation_parameters(const TableRecord& table) {
  const model::TableDescription described = describe_record(table, "CREATING");
  model::TableCreationParameters out;
  out.table_name = table.name;
  out.attribute_definitions = described.attribute_definitions;
  out.key_schema = described.key_schema;
  out.billing_mode = table.on_demand ? "PAY_PER_REQUEST" : "PROVISIONED";
  const auto throughput = [](const Throughput& in) { return model::ProvisionedThroughput{in.read, in.write}; };
  if (!table.on_demand) out.provisioned_throughput = throughput(table.throughput);
  if (!described.global_secondary_indexes) return out;
  out.global_secondary_indexes.emplace();
  for (const auto& each : *described.global_secondary_indexes) {
    model::GlobalSecondaryIndex& index = out.global_secondary_indexes->emplace_back();
    index.index_name = each.index_name;
    index.key_schema = each.key_schema;
    index.projection = each.projection;
    if (!table.on_demand) index.provisioned_throughput = throughput(table.index(*each.index_name)->throughput);
  }
  return out;
}

model::S3BucketSource bucket_source(const TransferRecord& record) {
  model::S3BucketSource out;
  out.s3_bucket = record.bucket;
  out.s3_bucket_owner = unless_empty(record.bucket_owner);
  out.s3_key_prefix = unless_empty(record.prefix);
  return out;
}

model::ImportTableDescription describe_one(const TransferRecord& record) {
  model::ImportTableDescription out;
  out.import_arn = record.arn();
  out.import_status = record.status;
  out.table_arn = record.table.arn();
  out.table_id = record.table.public_id();
  out.client_token = unless_empty(record.client_token);
  out.s3_bucket_source = bucket_source(record);
  out.error_count = record.errors;
  out.input_format = record.format;
  if (record.format == "CSV") {
    model::CsvOptions& csv = out.input_format_options.emplace().csv.emplace();
    csv.delimiter = record.delimiter.empty() ? "," : record.delimiter;
    if (!record.header.empty()) csv.header_list = record.header;
  }
  out.input_compression_type = record.compression;
  out.table_creation_parameters = creation_parameters(record.table);
  out.start_time = timestamp(record.started_ms);
  if (record.ended_ms != 0) out.end_time = timestamp(record.ended_ms);
  out.processed_size_bytes = record.bytes;
  out.processed_item_count = record.processed;
  out.imported_item_count = record.items;
  out.failure_code = unless_empty(record.failure_code);
  out.failure_message = unless_empty(record.failure_message);
  return out;
}

// Both listings go on behind a table name and an id.
std::string encode_position(const TransferRecord& record) { return record.table.name + "/" + record.id; }

TransferArn decode_position(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) throw_validation("Invalid NextToken");
  return {text.substr(0, slash), text.substr(slash + 1, text.find('\0', slash) - slash - 1)};
}

}  // namespace

awaitable<model::ExportTableToPointInTimeOutput> Service::export_table(aws::CallContext call,
                                                                       model::ExportTableToPointInTimeInput in) {
  if (!objects_) throw_validation("ExportTableToPointInTime is not implemented without S3");
  const std::string name = name_of_arn(call.scope, in.table_arn);
  const std::optional<Table> table = co_await catalog_.find_if(catalog_.store().snapshot(), call.scope, name);
  if (!table) throw aws::ApiError(kTableNotFound, "Table not found: " + *in.table_arn);
  check_active(**table);
  if (!(*table)->history) {
    throw aws::ApiError(kNoPointInTime, "Point in time recovery is not enabled for table '" + name + "'");
  }
  TransferRecord record = export_record(call, in, **table, now_ms());
  std::optional<TransferRecord> known = co_await transfers_.earlier(record);
  if (!known) {
    co_await transfers_.check_limit(TransferKind::kExport);
    known = co_await transfers_.create(std::move(record));
    start_transfers(co_await asio::this_coro::executor);
  }
  co_return model::ExportTableToPointInTimeOutput{.export_description = dynamodb::describe(*known)};
}

awaitable<model::DescribeExportOutput> Service::describe_export(aws::CallContext call, model::DescribeExportInput in) {
  const TransferRecord record = co_await transfers_.find(call.scope, TransferKind::kExport, in.export_arn.value());
  co_return model::DescribeExportOutput{.export_description = dynamodb::describe(record)};
}

awaitable<model::ListExportsOutput> Service::list_exports(aws::CallContext call, model::ListExportsInput in) {
  std::optional<TransferArn> after;
  if (in.next_token) {
    const std::optional<std::string> text = base64url_decode(*in.next_token);
    if (!text) throw_validation("Invalid NextToken");
    after = decode_position(*text);
  }
  bool more = false;
  const std::vector<TransferRecord> records =
      co_await transfers_.list(call.scope, TransferKind::kExport, in.table_arn ? name_of_arn(call.scope, in.table_arn) : "",
                               std::move(after), static_cast<std::size_t>(in.max_results.value_or(kListedMax)), more);
  model::ListExportsOutput out;
  out.export_summaries.emplace();
  for (const TransferRecord& record : records) {
    if (record.started_ms + kListedMs < now_ms()) continue;
    out.export_summaries->push_back({record.arn(), record.status, record.type});
  }
  if (more) out.next_token = base64url_encode(encode_position(records.back()));
  co_return out;
}

awaitable<model::ImportTableOutput> Service::import_table(aws::CallContext call, model::ImportTableInput in) {
  if (!objects_) throw_validation("ImportTable is not implemented without S3");
  TransferRecord record = import_record(call, in);
  std::optional<TransferRecord> known = co_await transfers_.earlier(record);
  if (!known) {
    co_await transfers_.check_limit(TransferKind::kImport);
    known = co_await imports_.start(std::move(record));
    start_transfers(co_await asio::this_coro::executor);
  }
  co_return model::ImportTableOutput{.import_table_description = describe_one(*known)};
}

awaitable<model::DescribeImportOutput> Service::describe_import(aws::CallContext call, model::DescribeImportInput in) {
  const TransferRecord record = co_await transfers_.find(call.scope, TransferKind::kImport, in.import_arn.value());
  co_return model::DescribeImportOutput{.import_table_description = describe_one(record)};
}

awaitable<model::ListImportsOutput> Service::list_imports(aws::CallContext call, model::ListImportsInput in) {
  std::optional<TransferArn> after;
  if (in.next_token) {
    const std::optional<std::string> text = hex_decode(*in.next_token);
    if (!text) throw_validation("Invalid NextToken");
    after = decode_position(*text);
  }
  bool more = false;
  const std::vector<TransferRecord> records =
      co_await transfers_.list(call.scope, TransferKind::kImport, in.table_arn ? name_of_arn(call.scope, in.table_arn) : "",
                               std::move(after), static_cast<std::size_t>(in.page_size.value_or(kListedMax)), more);
  model::ListImportsOutput out;
  out.import_summary_list.emplace();
  for (const TransferRecord& record : records) {
    if (record.started_ms + kListedMs < now_ms()) continue;
    model::ImportSummary& summary = out.import_summary_list->emplace_back();
    summary.import_arn = record.arn();
    summary.import_status = record.status;
    summary.table_arn = record.table.arn();
    summary.s3_bucket_source = bucket_source(record);
    summary.input_format = record.format;
    summary.start_time = timestamp(record.started_ms);
    if (record.ended_ms != 0) summary.end_time = timestamp(record.ended_ms);
  }
  if (more) {
    std::string position = encode_position(records.back());
    position.resize(std::max(kImportTokenBytesMin, (position.size() + 8) / 8 * 8), '\0');
    out.next_token = hex_encode(position);
  }
  co_return out;
}

}  // namespace parvis::dynamodb
