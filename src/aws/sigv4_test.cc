#include "aws/sigv4.h"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/api_call.h"
#include "aws/aws_chunked.h"
#include "core/time_format.h"

namespace parvis::aws {
namespace {

using testing::HasSubstr;

struct Vector {
  const char *name, *method, *target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// Signed by botocore 1.44.5 (botocore.auth: SigV4Auth, SigV4QueryAuth, S3SigV4Auth, S3SigV4QueryAuth) at
// 2026-11-23T10:00:00Z with the key AKIDEXAMPLE / wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY, where named with the session
// token "session/token+1=="; the prepared request's headers and URL are copied as they came.
const std::vector<Vector> kVectors = {
    {"json_post", "POST", R"v(/)v",
     {{"Host", R"v(dynamodb.us-east-1.amazonaws.com)v"}, {"Content-Type", R"v(application/x-amz-json-1.0)v"}, {"X-Amz-Target", R"v(DynamoDB_20120810.GetItem)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=a457ce5c9bce89b16a6ff6928de3dac21e0ce60d76f7be8eb0de772b3dbdb331)v"}},
     R"v({"TableName":"t"})v"},
    {"session_token", "POST", R"v(/)v",
     {{"Host", R"v(dynamodb.us-east-1.amazonaws.com)v"}, {"X-Amz-Target", R"v(DynamoDB_20120810.ListTables)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"X-Amz-Security-Token", R"v(session/token+1==)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target, Signature=687bf5fd7fb97450bfcc7c42cf8cb43f7617e20e8a04798bd6f67f8f1da0a413)v"}},
     R"v({})v"},
    {"query_order", "GET", R"v(/2015-03-31/functions/?b=2&a=1&a=0&a-b=x&empty=)v",
     {{"Host", R"v(lambda.eu-west-1.amazonaws.com)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=7406656fd37b5b913348a3a169b70e8f6e8cc431d7d6bbe980d8e2901b487d27)v"}},
     R"v()v"},
    {"escaped_path", "POST", R"v(/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations)v",
     {{"Host", R"v(lambda.us-east-1.amazonaws.com)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=2f2b43c404823d77585e407efcc8d42aad5f5feef33235b60e012b22cf57ce10)v"}},
     R"v({})v"},
    {"dot_segments", "GET", R"v(/a//b/../c/./d/)v",
     {{"Host", R"v(example.amazonaws.com)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=1e76797bb28aba3f0888f7a85a5a8c7ccf3a84bfa72de44eb15cafab74f2583c)v"}},
     R"v()v"},
    {"header_spaces", "GET", R"v(/)v",
     {{"Host", R"v(example.amazonaws.com)v"}, {"X-My", R"v(a   b  c)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date;x-my, Signature=10be4fbca9a04e90ef381efc8dc28fe64218af5abf186de0ae09597c32c6741b)v"}},
     R"v()v"},
    {"s3_put", "PUT", R"v(/a%20b//c/../d~%C3%A4?x-id=PutObject)v",
     {{"Host", R"v(bucket.s3.us-east-1.amazonaws.com)v"}, {"Content-Type", R"v(text/plain)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"X-Amz-Content-SHA256", R"v(2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=77cf439caeb9a2c428d89e6affac1d9a1eb161cdf6f06fe15589f5c493d069c4)v"}},
     R"v(hello)v"},
    {"s3_unsigned_payload", "PUT", R"v(/k)v",
     {{"Host", R"v(bucket.s3.us-east-1.amazonaws.com)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"X-Amz-Content-SHA256", R"v(UNSIGNED-PAYLOAD)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=ae9d4d7d0f602ca613cbcc5ec2fa9c68469f0fb2de3f88d35884068d0a8a921d)v"}},
     R"v(hello)v"},
    {"s3_trailer", "PUT", R"v(/k)v",
     {{"Host", R"v(bucket.s3.us-east-1.amazonaws.com)v"}, {"X-Amz-Decoded-Content-Length", R"v(5)v"}, {"X-Amz-Trailer", R"v(x-amz-checksum-crc32)v"}, {"X-Amz-Date", R"v(20261123T100000Z)v"}, {"X-Amz-Content-SHA256", R"v(STREAMING-UNSIGNED-PAYLOAD-TRAILER)v"}, {"Authorization", R"v(AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer, Signature=cef1b37b0430b9ca2aa5cde71719a5385e9091eb9bcf83b0aeb98ccba02b9ff4)v"}},
     "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"},
    {"s3_presigned", "GET", R"v(/a%20b?response-content-type=text%2Fplain&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261123T100000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=7251c04350f294bff53b89e8faa8ec5ef6d3364753743bccaaa50aea43a1b185)v",
     {{"Host", R"v(bucket.s3.us-east-1.amazonaws.com)v"}},
     R"v()v"},
    {"s3_presigned_token", "PUT", R"v(/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261123T100000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=session%2Ftoken%2B1%3D%3D&X-Amz-Signature=4890619b2b4ea7a291e9a832047913c7b97dc9b40ad6e19016074314eecf4b16)v",
     {{"Host", R"v(bucket.s3.us-east-1.amazonaws.com)v"}},
     R"v()v"},
    {"presigned", "GET", R"v(/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20261123T100000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=569f73f19e3128f12f214c1a7f92d6557b042004f8b17820daadbd4b2d2b604b)v",
     {{"Host", R"v(sts.amazonaws.com)v"}},
     R"v()v"},
};

http::Request request_of(const Vector& v) {
  http::Request r;
  r.method = v.method;
  r.target = v.target;
  for (const auto& [name, value] : v.headers) r.headers.add(name, value);
  r.host = v.headers.front().second;
  r.body = v.body;
  return r;
}
const Vector& vector_named(std::string_view name) {
  for (const Vector& v : kVectors)
    if (v.name == name) return v;
  std::abort();
}
bool is_s3(std::string_view name) { return name.starts_with("s3_"); }

class SigV4 : public testing::Test {
 public:
  std::expected<SignatureScope, SignatureError> check(http::Request& request, bool s3, ErrorFamily family = ErrorFamily::kJson) {
    VerifyOptions options;
    options.family = s3 ? ErrorFamily::kS3 : family;
    options.clock = &clock;
    options.find_credential = [this](std::string_view id) -> std::optional<SigningCredential> {
      if (id != "AKIDEXAMPLE") return std::nullopt;
      return SigningCredential{"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token};
    };
    return verify_signature(request, options);
  }
  std::string code(http::Request request, bool s3, ErrorFamily family = ErrorFamily::kJson) {
    auto result = check(request, s3, family);
    return result ? "ok" : result.error().code;
  }
  ManualClock clock{*parse_basic("20261123T100000Z")};
  std::string token;
};
class SigV4Vector : public SigV4, public testing::WithParamInterface<Vector> {};

TEST_P(SigV4Vector, IsAcceptedAndAnyChangeRefused) {
  const Vector& v = GetParam();
  const bool s3 = is_s3(v.name);
  if (std::string_view(v.name).ends_with("token")) token = "session/token+1==";
  http::Request request = request_of(v);
  auto result = check(request, s3);
  ASSERT_TRUE(result) << result.error().code << ": " << result.error().message;
  EXPECT_EQ(result->access_key_id, "AKIDEXAMPLE");
  EXPECT_EQ(parse_scope(request_of(v))->service, result->service);
  const std::string mismatch = s3 ? "SignatureDoesNotMatch" : "InvalidSignatureException";
  http::Request changed = request_of(v);
  changed.method = "DELETE";
  EXPECT_EQ(code(changed, s3), mismatch);
  changed = request_of(v);
  changed.target.insert(1, "x");
  EXPECT_EQ(code(changed, s3), mismatch);
  changed = request_of(v);
  changed.target += changed.target.find('?') == std::string::npos ? "?extra=1" : "&extra=1";
  EXPECT_EQ(code(changed, s3), mismatch);
  changed = request_of(v);
  changed.headers.set("Host", "other");
  EXPECT_EQ(code(changed, s3), mismatch);
  changed = request_of(v);
  changed.headers.add("X-Amz-Smuggled", "1");
  EXPECT_EQ(code(changed, s3), mismatch);
  token = token.empty() ? "other" : "";
  EXPECT_EQ(code(request_of(v), s3), s3 ? "InvalidToken" : "UnrecognizedClientException");
}
INSTANTIATE_TEST_SUITE_P(Botocore, SigV4Vector, testing::ValuesIn(kVectors), [](const auto& info) { return info.param.name; });

TEST_F(SigV4, ChecksTheBody) {
  http::Request json = request_of(vector_named("json_post"));
  json.body += " ";
  EXPECT_EQ(code(json, false), "InvalidSignatureException");
  http::Request put = request_of(vector_named("s3_put"));
  put.body = "other";
  EXPECT_EQ(code(put, true), "XAmzContentSHA256Mismatch");
  http::Request unsigned_body = request_of(vector_named("s3_unsigned_payload"));
  unsigned_body.body = "other";
  EXPECT_EQ(code(unsigned_body, true), "ok");
}

TEST_F(SigV4, NamesWhatIsWrong) {
  const auto json = [] { return request_of(vector_named("json_post")); };
  http::Request r = json();
  r.headers.erase("authorization");
  EXPECT_EQ(code(r, false), "MissingAuthenticationTokenException");
  EXPECT_EQ(code(r, false, ErrorFamily::kQuery), "MissingAuthenticationToken");
  EXPECT_FALSE(parse_scope(r));
  r.headers.set("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c");
  EXPECT_EQ(code(r, false), "IncompleteSignatureException");
  r.headers.set("authorization", "AWS4-ECDSA-P256-SHA256 Credential=a/b/c");
  EXPECT_EQ(code(r, false), "IncompleteSignatureException");
  r.headers.set("authorization", "Bearer x");
  EXPECT_EQ(code(r, true), "AuthorizationHeaderMalformed");
  r = json();
  std::string header(r.headers.get("authorization"));
  r.headers.set("authorization", header.replace(header.find("AKIDEXAMPLE"), 11, "AKIDUNKNOWN"));
  EXPECT_EQ(code(r, false), "UnrecognizedClientException");
  EXPECT_EQ(code(r, false, ErrorFamily::kQuery), "InvalidClientTokenId");
  r = json();
  r.headers.add("Authorization", "AWS4-HMAC-SHA256 x=y");
  EXPECT_EQ(code(r, false), "IncompleteSignatureException");
  r = json();
  r.headers.erase("x-amz-date");
  EXPECT_EQ(code(r, false), "IncompleteSignatureException");
}

TEST_F(SigV4, BoundsTheClock) {
  const Millis now = clock.wall();
  for (int minutes : {-15, 15}) {
    clock.set(now + std::chrono::minutes(minutes));
    EXPECT_EQ(code(request_of(vector_named("json_post")), false), "ok");
    clock.set(clock.wall() + std::chrono::seconds(minutes > 0 ? 1 : -1));
    EXPECT_EQ(code(request_of(vector_named("json_post")), false), "InvalidSignatureException");
    EXPECT_EQ(code(request_of(vector_named("json_post")), false, ErrorFamily::kQuery), "RequestExpired");
    EXPECT_EQ(code(request_of(vector_named("s3_put")), true), "RequestTimeTooSkewed");
  }
  clock.set(now + std::chrono::seconds(600));
  EXPECT_EQ(code(request_of(vector_named("s3_presigned")), true), "ok");
  clock.set(now + std::chrono::seconds(601));
  EXPECT_EQ(code(request_of(vector_named("s3_presigned")), true), "AccessDenied");
  EXPECT_EQ(code(request_of(vector_named("presigned")), false, ErrorFamily::kQuery), "RequestExpired");
}

TEST_F(SigV4, DecodesAndChecksTheTrailer) {
  http::Request request = request_of(vector_named("s3_trailer"));
  ASSERT_TRUE(check(request, true));
  EXPECT_EQ(request.body, "hello");
  const auto with_body = [&](std::string body) {
    http::Request r = request_of(vector_named("s3_trailer"));
    r.body = std::move(body);
    return code(std::move(r), true);
  };
  EXPECT_EQ(with_body("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), "ok");
  EXPECT_EQ(with_body("5\r\nHello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), "BadDigest");
  EXPECT_EQ(with_body("5\r\nhello\r\n0\r\n\r\n"), "InvalidRequest");  // the announced trailer is absent
  EXPECT_EQ(with_body("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-other:1\r\n\r\n"), "InvalidRequest");
  EXPECT_EQ(with_body("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n"), "InvalidRequest");  // cut off
  EXPECT_EQ(with_body("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\nmore"), "InvalidRequest");
  EXPECT_EQ(with_body("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), "BadDigest");
  EXPECT_EQ(with_body("6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), "IncompleteBody");
  EXPECT_EQ(with_body("5\nhello\r\n0\r\n\r\n"), "InvalidRequest");
  EXPECT_EQ(with_body("zz\r\nhello\r\n0\r\n\r\n"), "InvalidRequest");
  EXPECT_EQ(with_body("5\r\nhelloxx0\r\n\r\n"), "InvalidRequest");
}

// The example of the Amazon S3 API Reference, "Transferring payload in multiple chunks": 65 KiB of 'a', with its signatures.
http::Request chunked_upload() {
  http::Request r;
  r.method = "PUT";
  r.target = "/examplebucket/chunkObject.txt";
  for (auto [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Host", "s3.amazonaws.com"}, {"x-amz-date", "20130524T000000Z"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
           {"Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
           {"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, {"Content-Encoding", "aws-chunked"},
           {"x-amz-decoded-content-length", "66560"}, {"Content-Length", "66824"}})
    r.headers.add(name, value);
  r.body = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + std::string(65536, 'a') +
           "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + std::string(1024, 'a') +
           "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  return r;
}

class Pieces : public http::ByteSource {
 public:
  Pieces(std::string all, std::size_t size) : all_(std::move(all)), size_(size) {}
  awaitable<std::optional<std::string>> read() override {
    if (at_ >= all_.size()) co_return std::nullopt;
    std::string out = all_.substr(at_, size_);
    at_ += size_;
    co_return out;
  }

 private:
  std::string all_;
  std::size_t size_, at_ = 0;
};

awaitable<std::string> drain(std::shared_ptr<http::ByteSource> source) {
  std::string out;
  while (auto piece = co_await source->read()) out += *piece;
  co_return out;
}
// The decoded body, or the code of what read() threw.
std::string read_streamed(http::Request& request) {
  asio::io_context context;
  std::string out;
  asio::co_spawn(context, drain(request.stream), [&](std::exception_ptr failure, std::string body) {
    try {
      if (failure) std::rethrow_exception(failure);
      out = std::move(body);
    } catch (const ApiError& error) {
      out = error.code();
    }
  });
  context.run();
  return out;
}

class SignedChunks : public testing::Test {
 public:
  SignedChunks() {
    options.family = ErrorFamily::kS3;
    options.clock = &clock;
    options.find_credential = [](std::string_view) { return SigningCredential{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""}; };
  }
  ManualClock clock{*parse_basic("20130524T000000Z")};
  VerifyOptions options;
};

TEST_F(SignedChunks, AreDecoded) {
  http::Request request = chunked_upload();
  auto result = verify_signature(request, options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(request.body, std::string(66560, 'a'));
}

TEST_F(SignedChunks, AreRefusedWhenChanged) {
  for (std::size_t at : {100u, 65700u, 66800u}) {  // first chunk, second chunk, last signature
    http::Request request = chunked_upload();
    request.body[at] = request.body[at] == 'b' ? 'c' : 'b';
    EXPECT_EQ(verify_signature(request, options).error().code, "SignatureDoesNotMatch") << at;
  }
  http::Request cut = chunked_upload();
  cut.body.resize(65536 + 88);
  EXPECT_EQ(verify_signature(cut, options).error().code, "InvalidRequest");
}

TEST_F(SignedChunks, AreCheckedWhileStreaming) {
  for (std::size_t size : {1u, 7u, 1000u, 100'000u}) {
    http::Request request = chunked_upload();
    request.stream = std::make_shared<Pieces>(std::exchange(request.body, {}), size);
    ASSERT_TRUE(verify_signature(request, options));
    EXPECT_EQ(read_streamed(request), std::string(66560, 'a')) << size;
  }
  http::Request request = chunked_upload();
  request.body[65700] = 'b';
  request.stream = std::make_shared<Pieces>(std::exchange(request.body, {}), 1000);
  ASSERT_TRUE(verify_signature(request, options));
  EXPECT_EQ(read_streamed(request), "SignatureDoesNotMatch");
}

TEST_F(SigV4, HashesStreamsToTheirEnd) {
  for (const char* body : {"hello", "hellO"}) {
    http::Request request = request_of(vector_named("s3_put"));
    request.body.clear();
    request.stream = std::make_shared<Pieces>(body, 2);
    ASSERT_TRUE(check(request, true));
    EXPECT_EQ(read_streamed(request), body == std::string("hello") ? "hello" : "XAmzContentSHA256Mismatch");
  }
}

// Without a check of signatures the framing still has to go, and a checksum still has to fit.
TEST_F(SigV4, UnverifiedChunksAreDecodedAndTheirChecksumsCompared) {
  const auto decode = [](std::string_view kind, std::string body, bool streamed) -> std::string {
    http::Request request;
    request.method = "PUT";
    request.headers.add("x-amz-content-sha256", std::string(kind));
    request.headers.add("x-amz-trailer", "x-amz-checksum-crc32");
    request.headers.add("x-amz-decoded-content-length", "5");
    if (streamed) request.stream = std::make_shared<Pieces>(body, 3);
    else request.body = std::move(body);
    try {
      decode_unverified_payload(request, ErrorFamily::kS3);
    } catch (const ApiError& error) {
      return error.code();
    }
    return streamed ? read_streamed(request) : request.body;
  };
  const std::string good = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
  const std::string bad = "5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
  const std::string with_signatures = "5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:ef\r\n\r\n";
  for (const bool streamed : {false, true}) {
    EXPECT_EQ(decode("STREAMING-UNSIGNED-PAYLOAD-TRAILER", good, streamed), "hello");
    EXPECT_EQ(decode("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", with_signatures, streamed), "hello");
    EXPECT_EQ(decode("STREAMING-UNSIGNED-PAYLOAD-TRAILER", bad, streamed), "BadDigest");
    EXPECT_EQ(decode("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "5\r\nhel", streamed), "InvalidRequest");
    EXPECT_EQ(decode("UNSIGNED-PAYLOAD", good, streamed), good) << "not chunked: as it is";
  }
}

// The reference has no whole example of a signed trailer, so this one is signed here with the published string to sign.
TEST(AwsChunked, ChecksTheSignatureOfTheTrailer) {
  const auto sign = [](std::string_view kind, std::string_view before, std::string_view hashes) {
    return hex_encode(hmac_sha256("key", std::string(kind) + "\n20261123T100000Z\nscope\n" + std::string(before) + "\n" + std::string(hashes)));
  };
  const std::string empty = hex_encode(sha256("")), data = hex_encode(sha256("hello")), line = "x-amz-checksum-crc32:NhCmhg==";
  const std::string one = sign("AWS4-HMAC-SHA256-PAYLOAD", "seed", empty + "\n" + data), end = sign("AWS4-HMAC-SHA256-PAYLOAD", one, empty + "\n" + empty);
  const std::string trailer = sign("AWS4-HMAC-SHA256-TRAILER", end, hex_encode(sha256(line + "\n")));
  const auto decode = [&](const std::string& trailer_part) {
    AwsChunkedDecoder decoder({.signing = ChunkSigning{"key", "20261123T100000Z", "scope", "seed"}, .has_trailer = true,
                               .trailer_names = {"x-amz-checksum-crc32"}, .decoded_length = 5});
    std::string out;
    const auto error = decoder.push("5;chunk-signature=" + one + "\r\nhello\r\n0;chunk-signature=" + end + "\r\n" + trailer_part, out);
    EXPECT_EQ(out, "hello");
    return error == AwsChunkedDecoder::Error::kNone ? decoder.finish() : error;
  };
  using Error = AwsChunkedDecoder::Error;
  EXPECT_EQ(decode(line + "\r\nx-amz-trailer-signature:" + trailer + "\r\n\r\n"), Error::kNone);
  EXPECT_EQ(decode(line + "\nx-amz-trailer-signature:" + trailer + "\r\n\r\n"), Error::kNone);
  EXPECT_EQ(decode(line + "\r\n\r\n"), Error::kSignature);
  EXPECT_EQ(decode(line + "\r\nx-amz-trailer-signature:" + end + "\r\n\r\n"), Error::kSignature);
  EXPECT_EQ(decode(""), Error::kMalformed);
}

}  // namespace
}  // namespace parvis::aws
