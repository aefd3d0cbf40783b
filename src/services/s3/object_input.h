// s3/object_input.h: what PutObject and CreateMultipartUpload have in common, and the members they refuse.
#pragma once

#include "aws/api_call.h"
#include "core/ascii.h"
#include "core/utf8.h"
#include "services/s3/errors.h"
#include "services/s3/records.h"
#include "services/s3/tags.h"

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

inline int checked_part_number(std::optional<int> number) {
  constexpr int kPartNumberMax = 10'000;
  if (!number || *number < 1 || *number > kPartNumberMax)
    throw aws::ApiError(kInvalidArgument, "Part number must be an integer between 1 and 10000, inclusive", {{"ArgumentName", "partNumber"}});
  return *number;
}

template <class Input>
ObjectRecord described(const Input& in) {
  // S3 User Guide, "Naming Amazon S3 objects": a key is UTF-8, and so is what is kept beside it here.
  if (!is_utf8(in.key.value_or(""))) throw aws::ApiError(kInvalidUri, "Couldn't parse the specified URI.");
  if (in.key.value_or("").size() > kObjectKeyBytesMax) throw aws::ApiError(kKeyTooLong, "Your key is too long");
  if ((in.acl && *in.acl != "private" && *in.acl != "bucket-owner-full-control") || in.grant_full_control || in.grant_read ||
      in.grant_read_acp || in.grant_write_acp) {
    throw aws::ApiError(kAccessControlListNotSupported, "The bucket does not allow ACLs");
  }
  refuse_if(in.storage_class && *in.storage_class != "STANDARD", "x-amz-storage-class other than STANDARD");
  refuse_if(in.server_side_encryption && *in.server_side_encryption != "AES256", "x-amz-server-side-encryption other than AES256");
  refuse_if(in.sse_customer_algorithm || in.sse_customer_key || in.sse_customer_key_md5, "x-amz-server-side-encryption-customer-*");
  refuse_if(in.ssekms_key_id || in.ssekms_encryption_context || in.bucket_key_enabled.value_or(false), "x-amz-server-side-encryption-aws-kms-*");
  refuse_if(in.website_redirect_location.has_value(), "x-amz-website-redirect-location");
  refuse_if(in.object_lock_mode || in.object_lock_retain_until_date || in.object_lock_legal_hold_status || in.object_lock_event_hold ||
                in.object_lock_event_hold_duration_days || in.object_lock_event_hold_duration_years, "x-amz-object-lock-*");
  ObjectRecord record;
  if (in.tagging) record.tags = object_tags_in(*in.tagging);
  const auto check_text = [](std::string_view name, std::string_view value) {
    if (is_utf8(name) && is_utf8(value)) return;
    throw aws::ApiError(kInvalidArgument, "Headers of an object must be UTF-8", {{"ArgumentName", to_utf8(name)}, {"ArgumentValue", to_utf8(value)}});
  };
  const auto keep = [&](const char* name, const std::optional<std::string>& value) {
    if (value) check_text(name, *value);
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
      check_text(name, value);
      bytes += name.size() + value.size();
      record.metadata[to_lower(name)] = value;
    }
  }
  if (bytes > kMetadataBytesMax) throw aws::ApiError(kMetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size");
  return record;
}

}  // namespace parvis::s3
