// s3/object_input.h: what PutObject and CreateMultipartUpload have in common, and the members they refuse.
#pragma once

#include "aws/api_call.h"
#include "services/s3/errors.h"
#include "services/s3/records.h"

namespace parvis::s3 {

inline constexpr std::size_t kMetadataBytesMax = 2048;  // S3 User Guide, "Working with object metadata"
inline constexpr std::size_t kObjectKeyBytesMax = 1024;

// The SDKs' framing of uploads is no encoding of the object.
inline std::string without_framing(std::string encoding) {
  constexpr std::string_view kFraming = "aws-chunked";
  if (!encoding.starts_with(kFraming)) return encoding;
  encoding.erase(0, kFraming.size());
  encoding.erase(0, encoding.find_first_not_of(", "));
  return encoding;
}

template <class Input>
ObjectRecord described(const Input& in) {
  if (in.key.value_or("").size() > kObjectKeyBytesMax) throw aws::ApiError(kKeyTooLong, "Your key is too long");
  refuse_if(in.acl && *in.acl != "private" && *in.acl != "bucket-owner-full-control", "x-amz-acl");
  refuse_if(in.grant_full_control || in.grant_read || in.grant_read_acp || in.grant_write_acp, "x-amz-grant-*");
  refuse_if(in.storage_class && *in.storage_class != "STANDARD", "x-amz-storage-class other than STANDARD");
  refuse_if(in.server_side_encryption && *in.server_side_encryption != "AES256", "x-amz-server-side-encryption other than AES256");
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  refuse_if(in.ssekms_key_id || in.ssekms_encryption_context || in.bucket_key_enabled.value_or(false), "x-amz-server-side-encryption-aws-kms-*");
  refuse_if(in.website_redirect_location.has_value(), "x-amz-website-redirect-location");
  refuse_if(in.tagging.has_value(), "x-amz-tagging");
  refuse_if(in.object_lock_mode || in.object_lock_retain_until_date || in.object_lock_legal_hold_status || in.object_lock_event_hold ||
                in.object_lock_event_hold_duration_days || in.object_lock_event_hold_duration_years, "x-amz-object-lock-*");
  ObjectRecord record;
  const auto keep = [&](const char* name, const std::optional<std::string>& value) {
    if (value && !value->empty()) record.headers[name] = *value;
  };
  keep("Cache-Control", in.cache_control);
  keep("Content-Disposition", in.content_disposition);
  if (in.content_encoding) keep("Content-Encoding", without_framing(*in.content_encoding));
  keep("Content-Language", in.content_language);
  keep("Content-Type", in.content_type);
  keep("Expires", in.expires);
  std::size_t bytes = 0;
  if (in.metadata) {
    for (const auto& [name, value] : *in.metadata) {
      bytes += name.size() + value.size();
      std::string lower = name;
      for (char& c : lower) if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      record.metadata[lower] = value;
    }
  }
  if (bytes > kMetadataBytesMax) throw aws::ApiError(kMetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size");
  return record;
}

inline std::string quoted(std::string_view etag) { return "\"" + std::string(etag) + "\""; }
// Whether a list of entity tags as If-Match has it names this one.
inline bool names_etag(std::string_view list, std::string_view etag) {
  if (list == "*" || list == etag) return true;
  return list.find(quoted(etag)) != list.npos;
}

// Conditional writes. `now`: the object as it is, if there is one. Throws NoSuchKey and PreconditionFailed.
inline void check_write(const std::optional<std::string>& if_match, const std::optional<std::string>& if_none_match, const ObjectRecord* now,
                        const std::string& key) {
  if (if_none_match) {
    if (*if_none_match != "*") refuse("If-None-Match other than *");
    if (now) throw precondition_failed("If-None-Match");
  }
  if (if_match) {
    if (!now) throw aws::ApiError(kNoSuchKey, "The specified key does not exist.", {{"Key", key}});
    if (!names_etag(*if_match, now->etag)) throw precondition_failed("If-Match");
  }
}

}  // namespace parvis::s3
