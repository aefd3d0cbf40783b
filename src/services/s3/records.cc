#include "services/s3/records.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <spdlog/spdlog.h>

#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

namespace json = boost::json;
using Texts = std::map<std::string, std::string>;

json::object from_texts(const Texts& texts) {
  json::object out;
  for (const auto& [name, value] : texts) out[name] = value;
  return out;
}

Texts texts_of(const json::value& value) {
  Texts out;
  for (const auto& [name, text] : value.as_object()) out[std::string(name)] = text.as_string();
  return out;
}

std::string text_of(const json::object& in, std::string_view name) { return std::string(in.at(name).as_string()); }

json::object from_checksum(const Checksum& checksum) {
  return {{"algorithm", checksum.algorithm}, {"value", checksum.value}, {"composite", checksum.composite}};
}

Checksum checksum_of(const json::object& in) {
  return {text_of(in, "algorithm"), text_of(in, "value"), in.at("composite").as_bool()};
}

// Members that not every record has: text or nothing, true or nothing.
std::string text_or_none(const json::object& in, std::string_view name) { return in.contains(name) ? text_of(in, name) : std::string(); }
bool flag_of(const json::object& in, std::string_view name) { return in.contains(name) && in.at(name).as_bool(); }

json::object from_piece(const Piece& piece) {
  json::object out{{"blob", piece.blob}, {"size", piece.size_bytes}};
  if (piece.number != 1) out["number"] = piece.number;
  if (!piece.checksum.empty()) out["checksum"] = piece.checksum;
  return out;
}

Piece piece_of(const json::object& in) {
  return {text_of(in, "blob"), in.at("size").to_number<std::uint64_t>(), in.contains("number") ? in.at("number").to_number<int>() : 1,
          text_or_none(in, "checksum")};
}

json::object from_object(const ObjectRecord& record) {
  json::array pieces;
  for (const Piece& piece : record.pieces) pieces.push_back(from_piece(piece));
  json::object out{{"format", 1}, {"pieces", std::move(pieces)}, {"size", record.size_bytes}, {"etag", record.etag},
                   {"modified", record.modified_ms}, {"order", record.order}, {"checksum", from_checksum(record.checksum)},
                   {"headers", from_texts(record.headers)}, {"metadata", from_texts(record.metadata)}};
  if (!record.version_id.empty()) out["version"] = record.version_id;
  if (record.delete_marker) out["marker"] = true;
  if (!record.tags.empty()) out["tags"] = from_texts(record.tags);
  return out;
}

ObjectRecord object_of(const json::object& in) {
  ObjectRecord record;
  for (const json::value& piece : in.at("pieces").as_array()) record.pieces.push_back(piece_of(piece.as_object()));
  record.size_bytes = in.at("size").to_number<std::uint64_t>();
  record.etag = text_of(in, "etag");
  record.modified_ms = in.at("modified").to_number<std::int64_t>();
  record.checksum = checksum_of(in.at("checksum").as_object());
  record.headers = texts_of(in.at("headers"));
  record.metadata = texts_of(in.at("metadata"));
  record.version_id = text_or_none(in, "version");
  record.delete_marker = flag_of(in, "marker");
  if (in.contains("tags")) record.tags = texts_of(in.at("tags"));
  // Records written before there were versions have no order: when they were written stands for it.
  record.order = in.contains("order") ? in.at("order").to_number<std::uint64_t>() : static_cast<std::uint64_t>(record.modified_ms) * 1000;
  return record;
}

json::array from_list(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

std::vector<std::string> list_of(const json::value& value) {
  std::vector<std::string> out;
  for (const json::value& text : value.as_array()) out.emplace_back(text.as_string());
  return out;
}

json::object from_rule(const CorsRule& rule) {
  json::object out{{"id", rule.id}, {"origins", from_list(rule.origins)}, {"methods", from_list(rule.methods)},
                   {"headers", from_list(rule.headers)}, {"exposed", from_list(rule.exposed)}};
  if (rule.max_age_seconds) out["maxAge"] = *rule.max_age_seconds;
  return out;
}

CorsRule rule_of(const json::object& in) {
  CorsRule rule{text_of(in, "id"), list_of(in.at("origins")), list_of(in.at("methods")), list_of(in.at("headers")),
                list_of(in.at("exposed")), std::nullopt};
  if (in.contains("maxAge")) rule.max_age_seconds = in.at("maxAge").to_number<int>();
  return rule;
}

json::object from_settings(const BucketRecord& record) {
  json::object out{{"versioning", record.versioning}, {"ownership", record.ownership}};
  out["encryption"] = {{"algorithm", record.encryption.algorithm}, {"key", record.encryption.key_id},
                       {"bucketKey", record.encryption.bucket_key}, {"blocked", from_list(record.encryption.blocked)}};
  if (const auto& block = record.public_access)
    out["publicAccess"] = {{"blockAcls", block->block_acls}, {"ignoreAcls", block->ignore_acls},
                           {"blockPolicy", block->block_policy}, {"restrictBuckets", block->restrict_buckets}};
  json::array rules;
  for (const CorsRule& rule : record.cors) rules.push_back(from_rule(rule));
  out["cors"] = std::move(rules);
  return out;
}

void read_settings(const json::object& in, BucketRecord& record) {
  record.versioning = text_of(in, "versioning");
  record.ownership = flag_of(in, "ownership");
  const json::object& encryption = in.at("encryption").as_object();
  record.encryption = {text_of(encryption, "algorithm"), text_of(encryption, "key"), flag_of(encryption, "bucketKey"), list_of(encryption.at("blocked"))};
  record.public_access.reset();
  if (const json::value* block = in.if_contains("publicAccess")) {
    const json::object& is = block->as_object();
    record.public_access = PublicAccessBlock{flag_of(is, "blockAcls"), flag_of(is, "ignoreAcls"), flag_of(is, "blockPolicy"), flag_of(is, "restrictBuckets")};
  }
  for (const json::value& rule : in.at("cors").as_array()) record.cors.push_back(rule_of(rule.as_object()));
}

template <class Read>
auto checked(std::string_view bytes, const char* what, Read read) {
  try {
    const json::value parsed = json::parse(bytes);
    if (parsed.at("format").to_number<int>() != 1) throw std::runtime_error("of another format");
    return read(parsed.as_object());
  } catch (const std::exception& error) {
    spdlog::error("s3: the stored record of {} cannot be read: {}", what, error.what());
    throw aws::ApiError(kInternalError, "We encountered an internal error. Please try again.");
  }
}

}  // namespace

std::string to_json(const BucketRecord& record) {
  json::object out{{"format", 1}, {"id", record.id}, {"created", record.created_ms}, {"tags", from_texts(record.tags)}};
  if (record.policy) out["policy"] = *record.policy;
  out["settings"] = from_settings(record);
  return json::serialize(out);
}

std::string to_json(const ObjectRecord& record) { return json::serialize(from_object(record)); }

std::string to_json(const UploadRecord& record) {
  return json::serialize(json::object{{"format", 1}, {"key", record.key}, {"object", from_object(record.object)}});
}

std::string to_json(const PartRecord& record) {
  return json::serialize(json::object{{"format", 1}, {"piece", from_piece(record.piece)}, {"etag", record.etag},
                                      {"modified", record.modified_ms}, {"checksum", from_checksum(record.checksum)}});
}

BucketRecord parse_bucket(std::string_view bytes) {
  return checked(bytes, "a bucket", [](const json::object& in) {
    BucketRecord record;
    record.id = text_of(in, "id");
    record.created_ms = in.at("created").to_number<std::int64_t>();
    record.tags = texts_of(in.at("tags"));
    if (in.contains("policy")) record.policy = text_of(in, "policy");
    if (const json::value* settings = in.if_contains("settings")) read_settings(settings->as_object(), record);
    return record;
  });
}

ObjectRecord parse_object(std::string_view bytes) { return checked(bytes, "an object", object_of); }

UploadRecord parse_upload(std::string_view bytes) {
  return checked(bytes, "an upload", [](const json::object& in) {
    return UploadRecord{text_of(in, "key"), object_of(in.at("object").as_object())};
  });
}

PartRecord parse_part(std::string_view bytes) {
  return checked(bytes, "a part", [](const json::object& in) {
    return PartRecord{piece_of(in.at("piece").as_object()), text_of(in, "etag"), in.at("modified").to_number<std::int64_t>(),
                      checksum_of(in.at("checksum").as_object())};
  });
}

bool valid_bucket_name(std::string_view name) {
  const auto lower = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.size() < 3 || name.size() > 63 || !lower(name.front()) || !lower(name.back())) return false;
  if (name.find("..") != name.npos) return false;
  if (!std::ranges::all_of(name, [&](char c) { return lower(c) || c == '-' || c == '.'; })) return false;
  if (std::ranges::count(name, '.') == 3 && name.find_first_not_of("0123456789.") == name.npos) return false;  // an IPv4 address
  constexpr std::array<std::string_view, 3> kPrefixes = {"xn--", "sthree-", "amzn-s3-demo-"};
  constexpr std::array<std::string_view, 5> kSuffixes = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
  return std::ranges::none_of(kPrefixes, [&](auto p) { return name.starts_with(p); }) &&
         std::ranges::none_of(kSuffixes, [&](auto s) { return name.ends_with(s); });
}

}  // namespace parvis::s3
