#include "services/s3/tags.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/utf8.h"
#include "http/message.h"
#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

using aws::model::s3::Tag;

constexpr std::size_t kBucketTagsMax = 50, kObjectTagsMax = 10, kKeyLettersMax = 128, kValueLettersMax = 256;

// Letters of UTF-8: every byte that does not continue one.
std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void add(Tags& tags, const std::string& key, const std::string& value) {
  if (key.empty() || letters(key) > kKeyLettersMax || !is_utf8(key)) throw aws::ApiError(kInvalidTag, "The TagKey you have provided is invalid", {{"TagKey", key}});
  if (key.starts_with("aws:")) throw aws::ApiError(kInvalidTag, "System tags cannot be added/updated by requester");
  if (letters(value) > kValueLettersMax || !is_utf8(value))
    throw aws::ApiError(kInvalidTag, "The TagValue you have provided is invalid", {{"TagKey", key}, {"TagValue", value}});
  if (!tags.emplace(key, value).second) throw aws::ApiError(kInvalidTag, "Cannot provide multiple Tags with the same key", {{"TagKey", key}});
}

void check_object_count(const Tags& tags) {
  if (tags.size() > kObjectTagsMax) throw aws::ApiError(kBadRequest, fmt::format("Object tags cannot be greater than {}", kObjectTagsMax));
}

}  // namespace

Tags bucket_tags_in(const std::vector<Tag>& given) {
  Tags tags;
  for (const Tag& tag : given) {
    const std::string key = tag.key.value_or("");
    // CloudFormation tags the buckets of its stacks by this same call.
    if (key.starts_with("aws:cloudformation:")) tags.emplace(key, tag.value.value_or(""));
    else add(tags, key, tag.value.value_or(""));
  }
  if (tags.size() > kBucketTagsMax) throw aws::ApiError(kBadRequest, fmt::format("Bucket tag count cannot be greater than {}", kBucketTagsMax));
  return tags;
}

Tags object_tags_in(const std::vector<Tag>& given) {
  Tags tags;
  for (const Tag& tag : given) add(tags, tag.key.value_or(""), tag.value.value_or(""));
  check_object_count(tags);
  return tags;
}

Tags object_tags_in(const std::string& header) {
  Tags tags;
  if (header.empty()) return tags;
  for (const auto& [key, value] : http::parse_query(header)) {
    if (tags.contains(key)) {
      throw aws::ApiError(kInvalidArgument, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
                          {{"ArgumentName", "x-amz-tagging"}, {"ArgumentValue", header}});
    }
    add(tags, key, value);
  }
  check_object_count(tags);
  return tags;
}

std::vector<Tag> tag_set(const Tags& tags) {
  std::vector<Tag> out;
  for (const auto& [key, value] : tags) {
    Tag& tag = out.emplace_back();
    tag.key = key;
    tag.value = value;
  }
  return out;
}

}  // namespace parvis::s3
