#include "services/dynamodb/transfers.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/restore_job.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr int kAttemptsMax = 20;

std::string_view path_of(TransferKind kind) { return kind == TransferKind::kExport ? "/export/" : "/import/"; }

std::optional<TransferArn> parse_arn(const aws::Scope& scope, TransferKind kind, std::string_view arn) {
  const std::string begin = "arn:aws:dynamodb:" + scope.region + ":" + scope.account + ":table/";
  const std::string_view path = path_of(kind);
  if (!arn.starts_with(begin)) return std::nullopt;
  arn.remove_prefix(begin.size());
  const std::size_t at = arn.find(path);
  if (at == arn.npos) return std::nullopt;
  return TransferArn{std::string(arn.substr(0, at)), std::string(arn.substr(at + path.size()))};
}

}  // namespace

std::string_view task_kind(TransferKind kind) { return kind == TransferKind::kExport ? kExportTask : kImportTask; }

std::string TransferRecord::arn() const { return table.arn() + std::string(path_of(kind)) + id; }

std::string TransferRecord::key() const { return transfer_key(table.scope, task_kind(kind), table.name, id); }

std::string TransferRecord::manifest_key() const {
  return (prefix.empty() ? "" : prefix + "/") + "AWSDynamoDB/" + id + "/manifest-summary.json";
}

std::string TransferRecord::to_json() const {
  json::array names;
  for (const std::string& name : header) names.emplace_back(name);
  return json::serialize(json::object{
      {"format", 1}, {"kind", kind == TransferKind::kExport ? "export" : "import"}, {"id", id}, {"table", table.to_json()},
      {"clientToken", client_token}, {"fingerprint", fingerprint}, {"principal", principal_arn}, {"bucket", bucket},
      {"bucketOwner", bucket_owner}, {"prefix", prefix}, {"status", status}, {"failureCode", failure_code},
      {"failureMessage", failure_message}, {"startedMs", started_ms}, {"endedMs", ended_ms}, {"items", items}, {"bytes", bytes},
      {"processed", processed}, {"errors", errors}, {"fileFormat", format}, {"type", type}, {"view", view}, {"sse", sse},
      {"fromMs", from_ms}, {"atMs", at_ms}, {"compression", compression}, {"delimiter", delimiter}, {"header", std::move(names)}, {"filter", filter}});
}

TransferRecord TransferRecord::from_json(std::string_view text) {
  try {
    const json::value value = json::parse(json::string_view(text.data(), text.size()));
    if (value.at("format").as_int64() != 1) throw std::runtime_error("a transfer record of a newer format");
    const auto string = [&](std::string_view name) { return json::value_to<std::string>(value.at(name)); };
    const auto number = [&](std::string_view name) { return value.at(name).as_int64(); };
    auto table = TableRecord::from_json(string("table"));
    if (!table) throw std::runtime_error(table.error());
    TransferRecord out;
    out.kind = string("kind") == "export" ? TransferKind::kExport : TransferKind::kImport;
    out.table = std::move(*table);
    const std::pair<std::string_view, std::string TransferRecord::*> texts[] = {
        {"id", &TransferRecord::id}, {"clientToken", &TransferRecord::client_token}, {"fingerprint", &TransferRecord::fingerprint},
        {"principal", &TransferRecord::principal_arn}, {"bucket", &TransferRecord::bucket},
        {"bucketOwner", &TransferRecord::bucket_owner}, {"prefix", &TransferRecord::prefix}, {"status", &TransferRecord::status},
        {"failureCode", &TransferRecord::failure_code}, {"failureMessage", &TransferRecord::failure_message},
        {"fileFormat", &TransferRecord::format}, {"type", &TransferRecord::type}, {"view", &TransferRecord::view},
        {"sse", &TransferRecord::sse}, {"compression", &TransferRecord::compression}, {"delimiter", &TransferRecord::delimiter}};
    for (const auto& [name, member] : texts) out.*member = string(name);
    const std::pair<std::string_view, std::int64_t TransferRecord::*> numbers[] = {
        {"startedMs", &TransferRecord::started_ms}, {"endedMs", &TransferRecord::ended_ms}, {"items", &TransferRecord::items},
        {"bytes", &TransferRecord::bytes}, {"processed", &TransferRecord::processed}, {"errors", &TransferRecord::errors},
        {"fromMs", &TransferRecord::from_ms}, {"atMs", &TransferRecord::at_ms}};
    for (const auto& [name, member] : numbers) out.*member = number(name);
    if (const json::value* filter = value.as_object().if_contains("filter")) out.filter = json::value_to<std::string>(*filter);
    for (const json::value& name : value.at("header").as_array()) out.header.push_back(json::value_to<std::string>(name));
    return out;
  } catch (const std::exception& error) {
    spdlog::error("dynamodb: a damaged transfer record: {}", error.what());
    throw aws::ApiError(kInternal, "Internal server error");
  }
}

void Transfers::open(TransferRecord& record) {
  record.started_ms = catalog_.clock().due().time_since_epoch().count();
  record.id = fmt::format("{:014}-{}", record.started_ms, catalog_.entropy().token(8, "0123456789abcdef"));
}

void Transfers::add(const TransferRecord& record, storage::Commit& commit) {
  commit.put(record.key(), record.to_json()).put(task_key(task_kind(record.kind), record.id), record.key());
}

awaitable<std::optional<TransferRecord>> Transfers::earlier(TransferRecord wanted) {
  if (wanted.client_token.empty()) co_return std::nullopt;
  const std::int64_t now_ms = catalog_.clock().due().time_since_epoch().count();
  bool more = false;
  const std::vector<TransferRecord> known =
      co_await list(wanted.table.scope, wanted.kind, wanted.table.name, std::nullopt, 10'000, more);
  for (const TransferRecord& each : known) {
    if (each.client_token != wanted.client_token) continue;
    if (each.ended_ms != 0 && each.ended_ms + kTransferTokenLifeMs < now_ms) continue;
    if (each.fingerprint == wanted.fingerprint) co_return each;
    throw aws::ApiError(wanted.kind == TransferKind::kExport ? kExportConflict : kImportConflict,
                        "Request parameters do not match the parameters of an earlier request with the same client token");
  }
  co_return std::nullopt;
}

awaitable<> Transfers::check_limit(TransferKind kind) {
  storage::ScanOptions options;
  options.begin = tasks_prefix(task_kind(kind));
  options.end = storage::prefix_end(options.begin);
  options.limit = kTransfersMax;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const storage::ScanPage page = co_await snapshot->scan(std::move(options));
  if (page.entries.size() < kTransfersMax) co_return;
  throw aws::ApiError(kLimitExceeded, fmt::format("There are {} {}s in progress, as many as may be at a time", kTransfersMax,
                                                  kind == TransferKind::kExport ? "export" : "import"));
}

awaitable<TransferRecord> Transfers::create(TransferRecord record) {
  const std::string prefix = transfers_prefix(record.table.scope, task_kind(record.kind), record.table.name);
  open(record);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, catalog_.entropy());
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    if (attempt > 0 && co_await snapshot->get(record.key())) co_return record;  // an earlier attempt arrived
    if (auto known = co_await earlier(record)) co_return std::move(*known);
    storage::Commit commit;
    add(record, commit);
    if (!record.client_token.empty()) commit.guards.push_back({prefix, storage::prefix_end(prefix), snapshot->stamp()});
    const auto done = co_await catalog_.store().commit(std::move(commit));
    if (done) co_return record;
    const storage::StoreErrc code = done.error().code;
    if (code != storage::StoreErrc::kConflict && code != storage::StoreErrc::kUnknownOutcome) throw_store_error(done.error());
  }
  throw aws::ApiError(kInternal, "Internal server error");
}

awaitable<TransferRecord> Transfers::find(aws::Scope scope, TransferKind kind, std::string arn) {
  if (const std::optional<TransferArn> parsed = parse_arn(scope, kind, arn)) {
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const std::string key = transfer_key(scope, task_kind(kind), parsed->table_name, parsed->id);
    if (const std::optional<storage::Value> value = co_await snapshot->get(key)) co_return TransferRecord::from_json(value->bytes);
  }
  if (kind == TransferKind::kExport) throw aws::ApiError(kExportNotFound, "Export not found: " + arn);
  throw aws::ApiError(kImportNotFound, "Import not found: " + arn);
}

awaitable<std::vector<TransferRecord>> Transfers::list(aws::Scope scope, TransferKind kind, std::string table_name,
                                                       std::optional<TransferArn> after, std::size_t limit, bool& more) {
  std::string prefix = table_name.empty() ? transfers_prefix(scope, task_kind(kind)) : transfers_prefix(scope, task_kind(kind), table_name);
  const std::optional<std::string> after_key =
      after ? std::optional(transfer_key(scope, task_kind(kind), after->table_name, after->id)) : std::nullopt;
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const storage::ScanPage page = co_await snapshot->scan(listing(std::move(prefix), after_key, limit));
  std::vector<TransferRecord> out;
  for (const storage::Entry& entry : page.entries) out.push_back(TransferRecord::from_json(entry.value));
  more = page.more;
  co_return out;
}

awaitable<std::vector<TransferRecord>> Transfers::unfinished(TransferKind kind) {
  storage::ScanOptions options;
  options.begin = tasks_prefix(task_kind(kind));
  options.end = storage::prefix_end(options.begin);
  const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
  const storage::ScanPage page = co_await snapshot->scan(std::move(options));
  std::vector<TransferRecord> out;
  for (const storage::Entry& task : page.entries) {
    if (const std::optional<storage::Value> value = co_await snapshot->get(task.value)) {
      out.push_back(TransferRecord::from_json(value->bytes));
    }
  }
  co_return out;
}

awaitable<bool> Transfers::end(TransferRecord record, std::string status, std::string code, std::string message) {
  record.status = std::move(status);
  record.failure_code = std::move(code);
  record.failure_message = std::move(message);
  record.ended_ms = catalog_.clock().due().time_since_epoch().count();
  storage::Commit commit;
  commit.put(record.key(), record.to_json()).erase(task_key(task_kind(record.kind), record.id));
  // An export keeps what items were before under its own id while it works.
  commit.put(purge_key(record.data_id()), backup_items_prefix(record.table.scope, record.data_id()));
  co_return co_await RestoreJob::commit_again(catalog_, std::move(commit));
}

}  // namespace parvis::dynamodb
