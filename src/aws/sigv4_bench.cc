// The check of one signed request.
#include <benchmark/benchmark.h>

#include "aws/sigv4.h"
#include "core/hash.h"

namespace parvis::aws {
namespace {

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

// Signed as the reference describes it, apart from the code under test.
http::Request signed_request(std::size_t body_bytes) {
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.body.assign(body_bytes, 'x');
  request.headers.add("Host", "127.0.0.1:4566");
  request.headers.add("X-Amz-Date", "20260101T000000Z");
  request.headers.add("X-Amz-Target", "DynamoDB_20120810.GetItem");
  const std::string canonical = "POST\n/\n\nhost:127.0.0.1:4566\nx-amz-date:20260101T000000Z\nx-amz-target:DynamoDB_20120810.GetItem\n\n"
                                "host;x-amz-date;x-amz-target\n" + hex_encode(sha256(request.body));
  auto key = hmac_sha256("AWS4" + std::string(kSecret), "20260101");
  for (const std::string_view step : {"us-east-1", "dynamodb", "aws4_request"}) key = hmac_sha256(as_bytes(key), step);
  const std::string to_sign = "AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/us-east-1/dynamodb/aws4_request\n" + hex_encode(sha256(canonical));
  request.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/dynamodb/aws4_request, "
                                       "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + hex_encode(hmac_sha256(as_bytes(key), to_sign)));
  return request;
}

void BM_VerifySignature(benchmark::State& state) {  // workload: a body of N bytes; metric: bytes/s
  http::Request request = signed_request(static_cast<std::size_t>(state.range(0)));
  const ManualClock clock(Millis(std::chrono::seconds(1767225600)));  // 2026-01-01
  VerifyOptions options;
  options.clock = &clock;
  options.service = "dynamodb";
  options.find_credential = [](std::string_view) { return SigningCredential{std::string(kSecret), {}}; };
  for (auto _ : state) {
    if (!verify_signature(request, options)) state.SkipWithError("the signature is refused");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_VerifySignature)->ArgName("body_bytes")->Arg(1)->Arg(100)->Arg(16 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace parvis::aws
