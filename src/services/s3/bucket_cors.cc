// The CORS configuration of buckets as API calls. Messages as S3 answers them (recorded by its users' tests).
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "services/s3/errors.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

using Words = std::vector<std::string>;
constexpr std::size_t kRulesMax = 100;
constexpr std::array<std::string_view, 5> kMethods = {"GET", "PUT", "HEAD", "POST", "DELETE"};

void check_wildcards(const char* member, const Words& words) {
  for (const std::string& word : words) {
    if (std::ranges::count(word, '*') > 1)
      throw aws::ApiError(kInvalidRequest, fmt::format("{} \"{}\" can not have more than one wildcard.", member, word));
  }
}

CorsRule rule_in(const model::CORSRule& given) {
  CorsRule rule{given.id.value_or(""), given.allowed_origins.value_or(Words{}), given.allowed_methods.value_or(Words{}),
                given.allowed_headers.value_or(Words{}), given.expose_headers.value_or(Words{}), given.max_age_seconds};
  if (rule.origins.empty() || rule.methods.empty()) throw malformed_xml();
  for (const std::string& method : rule.methods) {
    if (std::ranges::find(kMethods, method) == kMethods.end())
      throw aws::ApiError(kInvalidRequest, fmt::format("Found unsupported HTTP method in CORS config. Unsupported method is {}", method));
  }
  check_wildcards("AllowedOrigin", rule.origins);
  check_wildcards("AllowedHeader", rule.headers);
  for (const std::string& header : rule.exposed) {
    if (header.find('*') != header.npos)
      throw aws::ApiError(kInvalidRequest, fmt::format("ExposeHeader \"{}\" contains wildcard. We currently do not support wildcard for ExposeHeader.", header));
  }
  return rule;
}

}  // namespace

awaitable<model::GetBucketCorsOutput> Service::get_cors(aws::CallContext call, model::GetBucketCorsInput in) {
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  if (bucket.record.cors.empty()) throw aws::ApiError(kNoSuchCorsConfiguration, "The CORS configuration does not exist", {{"BucketName", *in.bucket}});
  const auto shown = [](const Words& words) { return words.empty() ? std::nullopt : std::optional(words); };
  model::GetBucketCorsOutput out;
  out.cors_rules.emplace();
  for (const CorsRule& rule : bucket.record.cors) {
    model::CORSRule& to = out.cors_rules->emplace_back();
    if (!rule.id.empty()) to.id = rule.id;
    to.allowed_origins = rule.origins;
    to.allowed_methods = rule.methods;
    to.allowed_headers = shown(rule.headers);
    to.expose_headers = shown(rule.exposed);
    to.max_age_seconds = rule.max_age_seconds;
  }
  co_return out;
}

awaitable<model::PutBucketCorsOutput> Service::put_cors(aws::CallContext call, model::PutBucketCorsInput in) {
  if (!in.cors_configuration || !in.cors_configuration->cors_rules || in.cors_configuration->cors_rules->empty()) throw malformed_xml();
  if (in.cors_configuration->cors_rules->size() > kRulesMax)
    throw aws::ApiError(kInvalidRequest, fmt::format("The number of CORS rules should not exceed allowed limit of {} rules.", kRulesMax));
  std::vector<CorsRule> rules;
  for (const model::CORSRule& rule : *in.cors_configuration->cors_rules) rules.push_back(rule_in(rule));
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [&](BucketRecord& record) { record.cors = rules; });
  co_return model::PutBucketCorsOutput{};
}

awaitable<model::DeleteBucketCorsOutput> Service::delete_cors(aws::CallContext call, model::DeleteBucketCorsInput in) {
  co_await change_bucket(call.scope, *in.bucket, in.expected_bucket_owner, [](BucketRecord& record) { record.cors.clear(); });
  co_return model::DeleteBucketCorsOutput{};
}

}  // namespace parvis::s3
