// A request's head read and an answer's head written: what every request pays before and after its handler.
#include <benchmark/benchmark.h>

#include "http/request_parser.h"
#include "http/response_head.h"

namespace parvis::http {
namespace {

void BM_ReadRequest(benchmark::State& state) {  // workload: a POST as the SDKs send it, with a body of N bytes; metric: bytes/s
  const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
  const std::string request = "POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
                              "X-Amz-Date: 20260101T000000Z\r\nUser-Agent: Boto3/1.35 Botocore/1.35 Python/3.11\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  for (auto _ : state) {
    HeadScanner scanner;
    RequestParser parser(64u << 10);
    if (scanner.scan(request) != HeadScanner::State::kDone) state.SkipWithError("the head has no end");
    parser.feed(std::string_view(request).substr(0, scanner.head_size()));
    parser.check_head();
    parser.eager(true);
    parser.feed(std::string_view(request).substr(scanner.head_size()));
    if (parser.status != 0 || !parser.is_done()) state.SkipWithError("the request is refused");
    benchmark::DoNotOptimize(parser.request);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(request.size()));
}
BENCHMARK(BM_ReadRequest)->ArgName("body_bytes")->Arg(1)->Arg(100)->Arg(16 << 10);

void BM_WriteHead(benchmark::State& state) {  // workload: a head with N headers of a service's length; metric: heads/s
  Response response;
  for (std::int64_t i = 0; i < state.range(0); ++i) response.headers.add("x-amzn-RequestId", "4KVNMQ0EJ2J2G4KL3NHPRE0T7FVV4KQNSO5AEMVJF66Q9ASUAAJG");
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_head(out, response, choose_framing(response, false, true, true), true);
    benchmark::DoNotOptimize(out);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_WriteHead)->ArgName("headers")->Arg(1)->Arg(3)->Arg(20);

}  // namespace
}  // namespace parvis::http
