// s3/cors.h: CORS of buckets: which rule answers a page of another origin, and how.
// Source: S3 User Guide, "Using cross-origin resource sharing (CORS)"; S3 API Reference, PutBucketCors and "OPTIONS object".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/async.h"
#include "http/message.h"
#include "services/s3/records.h"

namespace parvis::s3 {

class Service;

// "https://*.example.com" and "*": one asterisk stands for any letters. Origins keep their case, headers do not.
bool matches_wildcard(std::string_view pattern, std::string_view text, bool ignore_case = false);
// The first rule that allows all of it; nullptr: none.
const CorsRule* find_rule(const std::vector<CorsRule>& rules, std::string_view origin, std::string_view method,
                          const std::vector<std::string>& headers);

struct CorsAnswer {
  std::optional<http::Response> preflight;  // the whole answer to an OPTIONS request
  http::Headers headers;                    // else: what the answer to the request itself gets
};
// nullopt: the request names no bucket, or its bucket says nothing of this origin. `request` outlives the call.
awaitable<std::optional<CorsAnswer>> answer_cors(Service& service, const http::Request& request);

}  // namespace parvis::s3
