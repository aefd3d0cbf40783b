#include "services/s3/conditions.h"

#include <cmath>

#include "services/s3/errors.h"

namespace parvis::s3 {
namespace {

struct Outcome {
  std::string_view failed;  // the name of the condition that does not hold
  bool not_modified = false;
};

// RFC 9110, section 13.2.2: the order in which preconditions count.
Outcome outcome_of(const ReadConditions& in, const ObjectRecord& record) {
  const double modified = std::floor(static_cast<double>(record.modified_ms) / 1000.0);  // HTTP dates are whole seconds
  if (in.if_match) {
    if (!names_etag(*in.if_match, record.etag)) return {"If-Match"};
  } else if (in.if_unmodified_since && modified > in.if_unmodified_since->epoch_seconds) {
    return {"If-Unmodified-Since"};
  }
  if (in.if_none_match) {
    if (names_etag(*in.if_none_match, record.etag)) return {"If-None-Match", true};
  } else if (in.if_modified_since && modified <= in.if_modified_since->epoch_seconds) {
    return {"If-Modified-Since", true};
  }
  return {};
}

}  // namespace

std::string quoted(std::string_view etag) { return "\"" + std::string(etag) + "\""; }

bool names_etag(std::string_view list, std::string_view etag) {
  if (list == "*" || list == etag) return true;
  return list.find(quoted(etag)) != list.npos;
}

void check_read(const ReadConditions& conditions, const ObjectRecord& record) {
  const Outcome outcome = outcome_of(conditions, record);
  if (outcome.not_modified) throw aws::ApiError(kNotModified, "Not Modified");
  if (!outcome.failed.empty()) throw precondition_failed(outcome.failed);
}

void check_source(const ReadConditions& conditions, const ObjectRecord& record) {
  const Outcome outcome = outcome_of(conditions, record);
  if (!outcome.failed.empty()) throw precondition_failed("x-amz-copy-source-" + std::string(outcome.failed));
}

void check_write(const std::optional<std::string>& if_match, const std::optional<std::string>& if_none_match, const ObjectRecord* now,
                 const std::string& key) {
  if (if_none_match) {
    if (*if_none_match != "*") refuse("If-None-Match other than *");
    if (now) throw precondition_failed("If-None-Match");
  }
  if (if_match) {
    if (!now) throw no_such_key(key);
    if (!names_etag(*if_match, now->etag)) throw precondition_failed("If-Match");
  }
}

}  // namespace parvis::s3
