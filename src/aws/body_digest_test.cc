#include "aws/body_digest.h"

#include <gmock/gmock.h>

#include "core/hash.h"
#include "models/s3.h"

namespace parvis::aws {
namespace {

constexpr std::string_view kBody = "<Delete/>";

struct DigestCase { const char* name; std::string header, value, code; };
class BodyDigest : public testing::TestWithParam<DigestCase> {};
TEST_P(BodyDigest, IsComparedWithTheBody) {
  http::Request request;
  request.body = kBody;
  request.headers.add(GetParam().header, GetParam().value);
  std::string code;
  try {
    check_body_digest(model::s3::DeleteObjects::model(), request);
  } catch (const ApiError& error) {
    code = error.code();
  }
  EXPECT_EQ(code, GetParam().code);
}
INSTANTIATE_TEST_SUITE_P(Headers, BodyDigest, testing::Values(
    DigestCase{"right_md5", "content-md5", base64_encode(as_bytes(md5(kBody))), ""},
    DigestCase{"other_md5", "Content-MD5", base64_encode(as_bytes(md5("other"))), "BadDigest"},
    DigestCase{"no_md5", "Content-MD5", "bWQ1", "InvalidDigest"},
    DigestCase{"other_crc32", "x-amz-checksum-crc32", "AAAAAA==", "BadDigest"},
    DigestCase{"right_sha256", "X-Amz-Checksum-SHA256", base64_encode(as_bytes(sha256(kBody))), ""},
    DigestCase{"other_sha256", "x-amz-checksum-sha256", base64_encode(as_bytes(sha256("other"))), "BadDigest"},
    DigestCase{"short_sha1", "x-amz-checksum-sha1", "AAAA", "InvalidRequest"},
    DigestCase{"unknown_algorithm", "x-amz-checksum-xxhash64", "AAAA", "NotImplemented"},
    DigestCase{"mode_is_no_checksum", "x-amz-checksum-mode", "ENABLED", ""}),
    [](const auto& info) { return info.param.name; });

TEST(BodyDigestOfAnUpload, BoundHeadersSayAnotherThing) {
  http::Request request;
  request.body = "<CompleteMultipartUpload/>";
  request.headers.add("x-amz-checksum-crc32", "AAAAAA==");  // of the object
  EXPECT_NO_THROW(check_body_digest(model::s3::CompleteMultipartUpload::model(), request));
}

}  // namespace
}  // namespace parvis::aws
