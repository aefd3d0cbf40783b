#include "services/s3/bucket_properties.h"

#include <array>
#include <charconv>

#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

// Templates may write numbers and truths as text.
value typed(const value& given) {
  if (!given.is_string()) return given;
  const std::string_view text = given.get_string();
  if (text == "true" || text == "false") return text == "true";
  int number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed == std::errc{} && end == text.data() + text.size()) return number;
  return given;
}

const object& object_in(const value& given, const char* name) {
  if (!given.is_object()) throw aws::ApiError(kInvalidRequest, std::string("Properties validation failed: ") + name + " must be an object");
  return given.get_object();
}

const array& list_in(const object& given, const char* name) {
  const value* list = given.if_contains(name);
  if (!list || !list->is_array()) throw aws::ApiError(kInvalidRequest, std::string("Properties validation failed: ") + name + " must be a list");
  return list->get_array();
}

// `given` with some of its members under other names.
object renamed(const object& given, std::initializer_list<std::pair<std::string_view, std::string_view>> names) {
  object out;
  for (const auto& [name, member] : given) {
    std::string_view to = name;
    for (const auto& [from, api] : names) if (name == from) to = api;
    out[to] = member;
  }
  return out;
}

value versioning(const value& given) { return object_in(given, "VersioningConfiguration"); }
value ownership(const value& given) { return object_in(given, "OwnershipControls"); }

value encryption(const value& given) {
  array rules;
  for (const value& rule : list_in(object_in(given, "BucketEncryption"), "ServerSideEncryptionConfiguration")) {
    object to = renamed(object_in(rule, "ServerSideEncryptionConfiguration[]"), {{"ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault"}});
    if (value* key = to.if_contains("BucketKeyEnabled")) *key = typed(*key);
    rules.push_back(std::move(to));
  }
  return object{{"Rules", std::move(rules)}};
}

value public_access(const value& given) {
  object out;
  for (const auto& [name, member] : object_in(given, "PublicAccessBlockConfiguration")) out[name] = typed(member);
  return out;
}

value cors(const value& given) {
  array rules;
  for (const value& rule : list_in(object_in(given, "CorsConfiguration"), "CorsRules")) {
    object to = renamed(object_in(rule, "CorsRules[]"), {{"ExposedHeaders", "ExposeHeaders"}, {"Id", "ID"}, {"MaxAge", "MaxAgeSeconds"}});
    if (value* age = to.if_contains("MaxAgeSeconds")) *age = typed(*age);
    rules.push_back(std::move(to));
  }
  return object{{"CORSRules", std::move(rules)}};
}

struct Setting {
  const char* property;
  const char* put;
  const char* member;
  value (*translate)(const value&);
  const char* remove;  // nullptr: there is no such operation
};
constexpr std::array kSettings = {
    Setting{"VersioningConfiguration", "PutBucketVersioning", "VersioningConfiguration", versioning, nullptr},
    Setting{"BucketEncryption", "PutBucketEncryption", "ServerSideEncryptionConfiguration", encryption, "DeleteBucketEncryption"},
    Setting{"PublicAccessBlockConfiguration", "PutPublicAccessBlock", "PublicAccessBlockConfiguration", public_access, "DeletePublicAccessBlock"},
    Setting{"OwnershipControls", "PutBucketOwnershipControls", "OwnershipControls", ownership, "DeleteBucketOwnershipControls"},
    Setting{"CorsConfiguration", "PutBucketCors", "CORSConfiguration", cors, "DeleteBucketCors"},
};

}  // namespace

awaitable<> apply_settings(aws::ApiClient& api, const aws::ResourceRequest& request, std::string bucket) {
  for (const Setting& setting : kSettings) {
    if (const value* given = request.properties.if_contains(setting.property)) {
      object input{{"Bucket", bucket}};
      input[setting.member] = setting.translate(*given);
      co_await api.call_json(request.call, "s3", setting.put, std::move(input));
    } else if (request.old_properties.contains(setting.property) && setting.remove) {
      co_await api.call_json(request.call, "s3", setting.remove, object{{"Bucket", bucket}});
    } else if (request.old_properties.contains(setting.property)) {
      // Versions that were made stay: versioning can only be suspended.
      co_await api.call_json(request.call, "s3", setting.put, object{{"Bucket", bucket}, {setting.member, object{{"Status", "Suspended"}}}});
    }
  }
}

}  // namespace parvis::s3
