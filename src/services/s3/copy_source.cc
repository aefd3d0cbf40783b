#include "services/s3/copy_source.h"

#include "http/message.h"
#include "services/s3/errors.h"

namespace parvis::s3 {

CopySource copy_source_of(const std::string& header) {
  constexpr std::string_view kVersion = "?versionId=";
  std::string_view text = header;
  CopySource source;
  if (const std::size_t at = text.rfind(kVersion); at != text.npos) {
    source.version_id = text.substr(at + kVersion.size());
    text = text.substr(0, at);
  }
  const std::string path = http::percent_decode(text).value_or(std::string(text));
  std::string_view rest = path;
  if (rest.starts_with('/')) rest.remove_prefix(1);
  refuse_if(rest.starts_with("arn:"), "x-amz-copy-source that is an ARN");
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos || slash == 0 || slash + 1 == rest.size()) {
    throw aws::ApiError(kInvalidArgument, "Invalid copy source object key", {{"ArgumentName", "x-amz-copy-source"}, {"ArgumentValue", header}});
  }
  source.bucket = rest.substr(0, slash);
  source.key = rest.substr(slash + 1);
  return source;
}

}  // namespace parvis::s3
