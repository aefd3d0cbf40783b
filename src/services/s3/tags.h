// s3/tags.h: tags of buckets and objects as callers send them. Throw InvalidTag, BadRequest and InvalidArgument.
// Source: S3 User Guide, "Categorizing your objects using tags"; messages as S3 answers them (recorded by its users' tests).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/s3.h"

namespace parvis::s3 {

using Tags = std::map<std::string, std::string>;

Tags bucket_tags_in(const std::vector<aws::model::s3::Tag>& given);
Tags object_tags_in(const std::vector<aws::model::s3::Tag>& given);
// x-amz-tagging: "a=b&c=d", URL-encoded.
Tags object_tags_in(const std::string& header);
std::vector<aws::model::s3::Tag> tag_set(const Tags& tags);

}  // namespace parvis::s3
