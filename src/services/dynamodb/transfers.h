// dynamodb/transfers.h: the records of exports to S3 and imports from it.
//
// A transfer is a task (keyspace.h) until it has ended; a process that starts takes up what the last one left.
// Source: API Reference, ExportDescription, ImportTableDescription.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/dynamodb/catalog.h"
#include "services/dynamodb/object_port.h"

namespace parvis::dynamodb {

inline constexpr std::int64_t kTransferTokenLifeMs = 8 * 60 * 60 * 1000;
inline constexpr std::size_t kTransfersMax = 50;  // of one kind at a time

enum class TransferKind { kExport, kImport };

struct TransferRecord {
  TransferKind kind = TransferKind::kExport;
  std::string id;     // "01489602797149-73d8d5bc", the end of the ARN
  TableRecord table;  // as it was when the transfer was asked for
  std::string client_token, fingerprint, principal_arn;
  std::string bucket, bucket_owner, prefix;
  std::string status = "IN_PROGRESS", failure_code, failure_message;
  std::int64_t started_ms = 0, ended_ms = 0;
  std::int64_t items = 0;      // exported, or imported
  std::int64_t bytes = 0;      // exported items, or processed file bytes
  std::int64_t processed = 0, errors = 0;  // rows of imported files
  std::string format = "DYNAMODB_JSON";
  // Exports.
  std::string type = "FULL_EXPORT", view, sse;
  std::int64_t from_ms = 0, at_ms = 0;  // at_ms: ExportTime, or the end of an incremental one
  std::string filter;                   // of export_filter.h; empty: all items
  // Imports.
  std::string compression = "NONE", delimiter;
  std::vector<std::string> header;

  std::string arn() const;
  std::string key() const;
  std::string manifest_key() const;  // of an export's manifest-summary.json
  std::string data_id() const { return "transfer-" + id; }
  ObjectPlace place() const { return {table.scope, principal_arn, bucket, bucket_owner}; }
  std::string to_json() const;
  static TransferRecord from_json(std::string_view text);  // throws InternalServerError for damaged bytes
};

std::string_view task_kind(TransferKind kind);

struct TransferArn {
  std::string table_name, id;
};

class Transfers {  // thread-safe; `catalog` outlives it
 public:
  explicit Transfers(Catalog& catalog) : catalog_(catalog) {}

  // Gives it an id and a start time.
  void open(TransferRecord& record);
  // What an earlier request with this token began, nullopt for none. Throws ExportConflictException or
  // ImportConflictException when that one asked for something else.
  awaitable<std::optional<TransferRecord>> earlier(TransferRecord wanted);
  // Throws LimitExceededException.
  awaitable<> check_limit(TransferKind kind);
  // Writes the record and its task; what earlier() gives, when another request with the token came first.
  awaitable<TransferRecord> create(TransferRecord record);
  static void add(const TransferRecord& record, storage::Commit& commit);
  // Throws ExportNotFoundException or ImportNotFoundException.
  awaitable<TransferRecord> find(aws::Scope scope, TransferKind kind, std::string arn);
  // By table name and age, after `after`; of one table unless that is empty.
  awaitable<std::vector<TransferRecord>> list(aws::Scope scope, TransferKind kind, std::string table_name,
                                              std::optional<TransferArn> after, std::size_t limit, bool& more);
  awaitable<std::vector<TransferRecord>> unfinished(TransferKind kind);
  // Adds the end of the task. False: the store will not do it now.
  awaitable<bool> end(TransferRecord record, std::string status, std::string code = {}, std::string message = {});

 private:
  Catalog& catalog_;
};

}  // namespace parvis::dynamodb
