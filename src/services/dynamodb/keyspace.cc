#include "services/dynamodb/keyspace.h"

#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {
namespace {

storage::TupleWriter begin(const aws::Scope& scope, std::string_view kind) {
  std::string room;
  room.reserve(160);  // most keys fit, with their items' key values
  storage::TupleWriter key(std::move(room));
  key.string(scope.account).string(scope.region).string("dynamodb").string(kind);
  return key;
}

}  // namespace

std::string tables_prefix(const aws::Scope& scope) { return begin(scope, "t").take(); }
std::string table_key(const aws::Scope& scope, std::string_view name) { return begin(scope, "t").string(name).take(); }
std::string items_prefix(const aws::Scope& scope, std::string_view table_id) {
  return begin(scope, "i").string(table_id).take();
}
std::string indexes_prefix(const aws::Scope& scope, std::string_view table_id) {
  return begin(scope, "x").string(table_id).take();
}
std::string index_prefix(const aws::Scope& scope, std::string_view table_id, std::string_view index_id) {
  return begin(scope, "x").string(table_id).string(index_id).take();
}
std::string collections_prefix(const aws::Scope& scope, std::string_view table_id) {
  return begin(scope, "y").string(table_id).take();
}
std::string token_key(const aws::Scope& scope, std::string_view token) { return begin(scope, "k").string(token).take(); }
std::string token_expiries_prefix(const aws::Scope& scope) { return begin(scope, "e").take(); }
std::string token_expiry_key(const aws::Scope& scope, std::int64_t expiry_ms, std::string_view token) {
  return begin(scope, "e").i64(expiry_ms).string(token).take();
}
std::string purges_prefix() { return begin({}, "p").take(); }
std::string purge_key(std::string_view id) { return begin({}, "p").string(id).take(); }

std::string streams_prefix(const aws::Scope& scope) { return begin(scope, "c").take(); }
std::string streams_prefix(const aws::Scope& scope, std::string_view table_name) {
  return begin(scope, "c").string(table_name).take();
}
std::string stream_key(const aws::Scope& scope, std::string_view table_name, std::string_view label) {
  return begin(scope, "c").string(table_name).string(label).take();
}
std::string stream_end_key(const aws::Scope& scope, std::string_view id) { return begin(scope, "f").string(id).take(); }
std::string stream_horizon_key(const aws::Scope& scope, std::string_view id) { return begin(scope, "h").string(id).take(); }
std::string changes_prefix(const aws::Scope& scope, std::string_view id) {
  return begin(scope, "s").string(id).raw("\x05").take();  // the tag of a u64
}
std::string expiries_prefix(const aws::Scope& scope, std::string_view table_id, std::string_view ttl_id) {
  return begin(scope, "u").string(table_id).string(ttl_id).take();
}
std::string expiry_key(std::string prefix, std::int64_t due_s, std::string_view item_suffix) {
  return storage::TupleWriter(std::move(prefix)).i64(due_s).raw(item_suffix).take();
}
std::string statistics_key(const aws::Scope& scope, std::string_view table_id) {
  return begin(scope, "n").string(table_id).take();
}
std::string history_prefix(const aws::Scope& scope, std::string_view id) {
  return begin(scope, "v").string(id).raw("\x05").take();  // the tag of a u64
}
std::string backups_prefix(const aws::Scope& scope) { return begin(scope, "g").take(); }
std::string backups_prefix(const aws::Scope& scope, std::string_view table_name) {
  return begin(scope, "g").string(table_name).take();
}
std::string backup_key(const aws::Scope& scope, std::string_view table_name, std::string_view backup_id) {
  return begin(scope, "g").string(table_name).string(backup_id).take();
}
std::string backup_items_prefix(const aws::Scope& scope, std::string_view data_id) {
  return begin(scope, "b").string(data_id).take();
}
std::string transfers_prefix(const aws::Scope& scope, std::string_view kind) { return begin(scope, "o").string(kind).take(); }
std::string transfers_prefix(const aws::Scope& scope, std::string_view kind, std::string_view table_name) {
  return begin(scope, "o").string(kind).string(table_name).take();
}
std::string transfer_key(const aws::Scope& scope, std::string_view kind, std::string_view table_name, std::string_view id) {
  return begin(scope, "o").string(kind).string(table_name).string(id).take();
}
std::string tasks_prefix(std::string_view kind) { return begin({}, "m").string(kind).take(); }
std::string task_key(std::string_view kind, std::string_view id) { return begin({}, "m").string(kind).string(id).take(); }

std::optional<aws::Scope> scope_of(std::string_view key) {
  storage::TupleReader reader(key);
  auto account = reader.string(), region = reader.string();
  if (!account || !region) return std::nullopt;
  return aws::Scope{std::move(*account), std::move(*region)};
}

std::optional<std::string> table_name_of(std::string_view key) {
  storage::TupleReader reader(key);
  for (int i = 0; i < 4; ++i) {
    if (!reader.string()) return std::nullopt;
  }
  auto name = reader.string();
  if (!name) return std::nullopt;
  return std::move(*name);
}

void append_key_value(const AttributeValue& value, std::string& out) {
  storage::TupleWriter writer(std::move(out));
  if (const auto* text = value.as<std::string>()) writer.string(*text);
  else if (const auto* binary = value.as<Binary>()) writer.bytes(binary->bytes);
  out = writer.take();
  if (const auto* number = value.as<Number>()) number->append_key(out);
}

void append_key_value_prefix(const AttributeValue& value, std::string& out) {
  append_key_value(value, out);
  if (value.type() != Type::kN) out.resize(out.size() - 2);  // without the end mark
}

// FNV-1a with a final mix: stable, spreads short keys over all 64 bits. Stored: never change it.
std::uint64_t partition_hash(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

void append_partition(const AttributeValue& value, std::string& out) {
  std::string encoded;
  append_key_value(value, encoded);
  append_encoded_partition(encoded, out);
}

void append_encoded_partition(std::string_view encoded, std::string& out) {
  out = at_hash(std::move(out), partition_hash(encoded)) += encoded;
}

std::string at_hash(std::string prefix, std::uint64_t hash) { return storage::TupleWriter(std::move(prefix)).u64(hash).take(); }

std::string encode_stored(std::uint64_t write_id, const Item& item) {
  std::string out(1, '\x01');
  storage::append_u64(out, write_id);
  return out + encode_item(item);
}

StoredItem decode_stored(std::string_view bytes) {
  std::string problem = "unknown format of a stored item";
  if (bytes.size() > 9 && bytes[0] == '\x01') {
    auto item = decode_item(bytes.substr(9));
    if (item) return {storage::load_u64(bytes.substr(1)), std::move(*item)};
    problem = item.error();
  }
  spdlog::error("dynamodb: {}", problem);
  throw aws::ApiError(kInternal, "Internal server error");
}

}  // namespace parvis::dynamodb
