// s3/conditions.h: If-Match and its kin, on reads, writes and the source of copies. Pure.
// Sources: RFC 9110, section 13; S3 API Reference, GetObject, PutObject, CopyObject.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aws/model.h"
#include "services/s3/records.h"

namespace parvis::s3 {

std::string quoted(std::string_view etag);
// Whether a list of entity tags as If-Match has it names this one.
bool names_etag(std::string_view list, std::string_view etag);

struct ReadConditions {
  const std::optional<std::string>&if_match, &if_none_match;
  const std::optional<aws::Timestamp>&if_modified_since, &if_unmodified_since;
};
// Throws PreconditionFailed and NotModified.
void check_read(const ReadConditions& conditions, const ObjectRecord& record);
// The same of a copy's source, where nothing is "not modified". Throws PreconditionFailed.
void check_source(const ReadConditions& conditions, const ObjectRecord& record);
// Conditional writes. `now`: the object as it is, if there is one. Throws NoSuchKey, PreconditionFailed and NotImplemented.
void check_write(const std::optional<std::string>& if_match, const std::optional<std::string>& if_none_match, const ObjectRecord* now,
                 const std::string& key);

}  // namespace parvis::s3
