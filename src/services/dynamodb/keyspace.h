// dynamodb/keyspace.h: what DynamoDB stores under which keys. Elements as storage/tuple.h encodes them; kinds are strings.
//
//   (account, region, "dynamodb", "t", table name)                                  table record, JSON
//   (account, region, "dynamodb", "i", table id, hash(pk), pk, sk)                  stored item
//   (account, region, "dynamodb", "x", table id, index id, hash(ipk), ipk, isk, pk, sk)   projected stored item
//   (account, region, "dynamodb", "y", table id, hash(pk), pk)                      size of an item collection, 8 bytes
//   (account, region, "dynamodb", "k", client token)                                transaction token record, JSON
//   (account, region, "dynamodb", "e", expiry in ms, client token)                  "", finds expired tokens
//   (account, region, "dynamodb", "c", table name, stream label)                    stream record, JSON
//   (account, region, "dynamodb", "f", stream id)                                   when the stream was closed, ms
//   (account, region, "dynamodb", "h", stream id)                                   sequence number trimmed last
//   (account, region, "dynamodb", "s", stream id, stamp, index)                     change, see change_codec.h
//   (account, region, "dynamodb", "u", table id, ttl id, due in s, rest of the item's key)   "", finds items to expire
//   (account, region, "dynamodb", "n", table id)                                    last known counts, JSON
//   (account, region, "dynamodb", "g", table name, backup id)                        backup record, JSON
//   (account, region, "dynamodb", "b", data id, rest of the item's key)              stored item of a backup; what an export keeps
//   (account, region, "dynamodb", "o", "export" or "import", table name, id)         transfer record, JSON
//   (account, region, "dynamodb", "v", history id, stamp, index)                    what an item was, see history.cc
//   ("", "", "dynamodb", "m", kind, id)                                             key of the record that is looked after
//   ("", "", "dynamodb", "p", id)                                                   key prefix that a purge deletes
//
// Table and index ids are random and never used again. hash is 8 bytes; sk and isk stand only where the schema has them; ipk and
// isk are several values, one after the other, in an index whose key has several attributes per part. Key values are encoded by
// append_key_value. A stored item is: 0x01, 8 bytes of the write that made it, encode_item().
// Invariants: an index entry exists exactly when its item has the index's key attributes (back-fill apart), and changes in
// the item's own commit; so do its change, its expiry entry and the size of its collection, which is absent for an empty one. Every item commit checks the table record, so none lands in a deleted table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aws/api_call.h"
#include "services/dynamodb/attribute_value.h"

namespace parvis::dynamodb {

std::string table_key(const aws::Scope& scope, std::string_view table_name);
std::string tables_prefix(const aws::Scope& scope);
std::string items_prefix(const aws::Scope& scope, std::string_view table_id);
std::string indexes_prefix(const aws::Scope& scope, std::string_view table_id);
std::string index_prefix(const aws::Scope& scope, std::string_view table_id, std::string_view index_id);
std::string collections_prefix(const aws::Scope& scope, std::string_view table_id);
std::string token_key(const aws::Scope& scope, std::string_view token);
std::string token_expiry_key(const aws::Scope& scope, std::int64_t expiry_ms, std::string_view token);
std::string token_expiries_prefix(const aws::Scope& scope);
// All streams, or those of one table.
std::string streams_prefix(const aws::Scope& scope);
std::string streams_prefix(const aws::Scope& scope, std::string_view table_name);
std::string stream_key(const aws::Scope& scope, std::string_view table_name, std::string_view label);
std::string stream_end_key(const aws::Scope& scope, std::string_view stream_id);
std::string stream_horizon_key(const aws::Scope& scope, std::string_view stream_id);
// Ends where the commit's stamp begins (storage::StampedPut).
std::string changes_prefix(const aws::Scope& scope, std::string_view stream_id);
std::string expiries_prefix(const aws::Scope& scope, std::string_view table_id, std::string_view ttl_id);
std::string expiry_key(std::string expiries_prefix, std::int64_t due_s, std::string_view item_suffix);
std::string statistics_key(const aws::Scope& scope, std::string_view table_id);
std::string backups_prefix(const aws::Scope& scope);
std::string backups_prefix(const aws::Scope& scope, std::string_view table_name);
std::string backup_key(const aws::Scope& scope, std::string_view table_name, std::string_view backup_id);
std::string backup_items_prefix(const aws::Scope& scope, std::string_view data_id);
// Of exports or imports: all, or those of one table.
std::string transfers_prefix(const aws::Scope& scope, std::string_view kind);
std::string transfers_prefix(const aws::Scope& scope, std::string_view kind, std::string_view table_name);
std::string transfer_key(const aws::Scope& scope, std::string_view kind, std::string_view table_name, std::string_view id);
// As changes_prefix().
std::string history_prefix(const aws::Scope& scope, std::string_view history_id);
// What the background work looks after, over all accounts: one entry per stream, per table with time to live or with
// history, and per backup, restored table, export or import that is not complete.
inline constexpr std::string_view kStreamTask = "stream", kExpiryTask = "ttl", kBackupTask = "backup", kRestoreTask = "restore",
                                  kHistoryTask = "history", kPointInTimeTask = "point-in-time",
                                  kExportTask = "export", kImportTask = "import";
std::string tasks_prefix(std::string_view kind);
std::string task_key(std::string_view kind, std::string_view id);
// Account and Region of a key, nullopt for damaged bytes.
std::optional<aws::Scope> scope_of(std::string_view key);
// The table's name in a table_key().
std::optional<std::string> table_name_of(std::string_view table_key);
std::string purge_key(std::string_view id);
std::string purges_prefix();

// Appends bytes that order as DynamoDB orders S, N and B, and end by themselves.
void append_key_value(const AttributeValue& value, std::string& out);
// The encoding without its end: a prefix of every S or B value that begins with `value`.
void append_key_value_prefix(const AttributeValue& value, std::string& out);
// hash(pk), pk: all that items of one partition share.
void append_partition(const AttributeValue& partition_value, std::string& out);
// The same of a partition's encoded value, or of several one after the other.
void append_encoded_partition(std::string_view encoded, std::string& out);
std::uint64_t partition_hash(std::string_view encoded_value);
// The first key of hash value `hash` in the space that begins with `prefix`.
std::string at_hash(std::string prefix, std::uint64_t hash);

struct StoredItem {
  std::uint64_t write_id = 0;
  Item item;
};
std::string encode_stored(std::uint64_t write_id, const Item& item);
// Throws InternalServerError for damaged bytes.
StoredItem decode_stored(std::string_view bytes);

}  // namespace parvis::dynamodb
