#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "http/test_server.h"

namespace parvis::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

awaitable<> count_down(ByteSink& sink) {
  for (const char* piece : {"three", "two", "one"}) co_await sink.write(piece);
}
awaitable<> echo_stream(std::shared_ptr<ByteSource> source, ByteSink& sink) {
  while (auto piece = co_await source->read()) co_await sink.write(std::move(*piece));
}
awaitable<> break_off(ByteSink& sink) {
  co_await sink.write("half");
  throw std::runtime_error("no more");
}

awaitable<Response> answer(Request r) {
  const std::string path(r.path());
  if (path == "/throw") throw std::runtime_error("on purpose");
  if (path == "/bad-header") {
    Response out;
    out.headers.add("X", "a\r\nInjected: 1");
    co_return out;
  }
  Response out;
  if (path == "/none") out.status = 204;
  if (path == "/count") out.stream = [](ByteSink& sink) { return count_down(sink); };
  if (path == "/count-sized") {
    out.headers.add("Content-Length", "11");
    out.stream = [](ByteSink& sink) { return count_down(sink); };
  }
  if (path == "/break") out.stream = [](ByteSink& sink) { return break_off(sink); };
  if (path == "/stream/echo") out.stream = [source = r.stream](ByteSink& sink) { return echo_stream(source, sink); };
  if (path == "/stream/ignore") out.body = "ignored";
  if (path == "/stream/sum") {
    std::size_t total = 0;
    while (auto piece = co_await r.stream->read()) total += piece->size();
    out.body = std::to_string(total);
  }
  if (path == "/big") out.body = std::string(300'000, 'b');
  if (out.body.empty() && !out.stream && out.status == 200) out.body = fmt::format("{} {} {} [{}]", r.method, r.target, r.host, r.body);
  co_return out;
}

ServerOptions small_limits() {
  ServerOptions options;
  options.header_bytes_max = 1024;
  options.body_bytes_max = 1000;
  options.stream_bytes_max = 100'000;
  options.header_timeout = std::chrono::milliseconds(200);
  options.idle_timeout = std::chrono::milliseconds(400);
  options.wants_stream = [](const Request& r) { return r.target.starts_with("/stream/"); };
  return options;
}

struct Exchange {
  const char* name;
  std::string sent;
  std::vector<std::string> want;  // parts of everything that comes back until the server closes
  std::string never = "<timeout>";
};
class RawExchange : public testing::TestWithParam<Exchange> {};
TEST_P(RawExchange, AnswersAndCloses) {
  TestServer server(small_limits(), answer);
  RawClient client(server.server->port());
  client.send(GetParam().sent);
  const std::string got = client.read_all();
  for (const std::string& part : GetParam().want) EXPECT_THAT(got, HasSubstr(part));
  EXPECT_THAT(got, Not(HasSubstr(GetParam().never)));
  EXPECT_THAT(got, Not(HasSubstr("<timeout>")));
}
const auto kName = [](const auto& info) { return std::string(info.param.name); };

// A second request behind a malformed first one must never be served.
const std::string kNext = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
Exchange refused(const char* name, std::string sent, const char* status = "HTTP/1.1 400 ") {
  return {name, std::move(sent) + kNext, {status, "Connection: close\r\n"}, "smuggled"};
}
INSTANTIATE_TEST_SUITE_P(Smuggling, RawExchange, testing::Values(
    refused("both_lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    refused("coding_then_length", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
    refused("two_lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"),
    refused("repeated_length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"),
    refused("length_list", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 4\r\n\r\nabcd"),
    refused("signed_length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd"),
    refused("huge_length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\nabcd"),
    refused("unknown_coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    refused("obscured_coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    refused("two_codings", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    refused("coding_in_1_0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    refused("space_before_colon", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    refused("continuation_line", "POST / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"),
    refused("bare_lf", "GET / HTTP/1.1\nHost: h\n\n"), refused("lf_in_headers", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
    refused("bare_cr", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
    refused("nul_in_value", std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 35)),
    refused("chunk_bare_lf", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n"),
    refused("chunk_lf_after_data", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\n0\r\n\r\n"),
    refused("chunk_too_short", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"),
    refused("chunk_size_prefix", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n"),
    refused("chunk_size_overflow", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000004\r\nabcd\r\n0\r\n\r\n"),
    refused("two_hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), refused("no_host", "GET / HTTP/1.1\r\n\r\n"),
    refused("host_with_slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), refused("target_without_slash", "GET x HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("version_2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 "), refused("not_http", "\x16\x03\x01hello\r\n\r\n")), kName);

const std::string kClose = "Connection: close\r\n";
INSTANTIATE_TEST_SUITE_P(Limits, RawExchange, testing::Values(
    Exchange{"long_header", "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x') + "\r\n\r\n", {"HTTP/1.1 431 "}},
    Exchange{"long_header_unfinished", "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x'), {"HTTP/1.1 431 "}},
    Exchange{"long_target", "GET /" + std::string(2000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n", {"HTTP/1.1 431 "}},
    Exchange{"long_body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'), {"HTTP/1.1 413 "}},
    Exchange{"long_body_not_sent", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", {"HTTP/1.1 413 "}, "100 Continue"},
    Exchange{"long_chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", {"HTTP/1.1 413 "}},
    Exchange{"many_chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\nx\r\n0\r\n\r\n", {"HTTP/1.1 413 "}},
    Exchange{"endless_chunk_line", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(40'000, 'x'), {"HTTP/1.1 400 "}},
    Exchange{"long_stream", "PUT /stream/sum HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n", {"HTTP/1.1 413 "}},
    Exchange{"long_chunked_stream", "PUT /stream/sum HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", {"HTTP/1.1 413 "}},
    Exchange{"other_expectation", "POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", {"HTTP/1.1 417 "}},
    Exchange{"slow_header", "GET / HTTP/1.1\r\nHo", {}, "HTTP/1.1"}, Exchange{"silent", "", {}, "HTTP/1.1"},
    Exchange{"slow_body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", {}, "200"}), kName);

INSTANTIATE_TEST_SUITE_P(Answers, RawExchange, testing::Values(
    Exchange{"plain", "GET /a?b HTTP/1.1\r\nHost: LocalHost:80\r\n" + kClose + "\r\n",
             {"HTTP/1.1 200 OK\r\n", "\r\nDate: ", "Content-Length: 24\r\n", kClose, "\r\n\r\nGET /a?b localhost:80 []"}},
    Exchange{"absolute_form", "GET http://Other:1/p HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"GET /p other:1 []"}},
    Exchange{"version_1_0", "GET / HTTP/1.0\r\n\r\n", {"HTTP/1.1 200 OK", kClose, "GET /  []"}},
    Exchange{"leading_empty_lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"GET / h []"}},
    Exchange{"head", "HEAD / HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"Content-Length: 11\r\n"}, "HEAD /"},
    Exchange{"no_content", "GET /none HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"HTTP/1.1 204 No Content"}, "Content-Length"},
    Exchange{"handler_throws", "GET /throw HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"HTTP/1.1 500 "}, "on purpose"},
    Exchange{"header_injection", "GET /bad-header HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"HTTP/1.1 500 "}, "Injected"},
    Exchange{"chunked_request", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n" + kClose + "\r\n3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\nTrailer-Field: z\r\n\r\n", {"POST / h [abcde]"}},
    Exchange{"continue_not_needed", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + kClose + "\r\nab", {"[ab]"}, "100 Continue"},
    Exchange{"pipelined", "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n",
             {"GET /1 h []", "POST /2 h [ab]", "GET /3 h []"}},
    Exchange{"streamed", "GET /count HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"Transfer-Encoding: chunked\r\n", "\r\n\r\n5\r\nthree\r\n3\r\ntwo\r\n3\r\none\r\n0\r\n\r\n"}},
    Exchange{"streamed_with_length", "GET /count-sized HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"Content-Length: 11\r\n", "\r\n\r\nthreetwoone"}, "chunked"},
    Exchange{"streamed_to_1_0", "GET /count HTTP/1.0\r\n\r\n", {"\r\n\r\nthreetwoone"}, "chunked"},
    Exchange{"streamed_head", "HEAD /count HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n", {"HTTP/1.1 200 OK"}, "three"},
    Exchange{"broken_stream", "GET /break HTTP/1.1\r\nHost: h\r\n\r\n", {"half\r\n"}, "0\r\n\r\n"},
    Exchange{"stream_ignored", "PUT /stream/ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nab", {"ignored", kClose}},
    Exchange{"stream_malformed", "PUT /stream/sum HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", {"HTTP/1.1 400 "}}), kName);

TEST(Server, AsksForTheBodyOnce) {
  TestServer server(small_limits(), answer);
  RawClient client(server.server->port());
  for (const char* path : {"/whole", "/stream/sum"}) {
    client.send(fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", path));
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    EXPECT_THAT(client.read_until(path == std::string("/whole") ? "[hello]" : "\r\n\r\n5"), StartsWith("HTTP/1.1 200 OK"));
  }
}

TEST(Server, StreamsBothWaysAtOnce) {
  TestServer server(small_limits(), answer);
  RawClient client(server.server->port());
  client.send("POST /stream/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char* word : {"alpha", "beta", "gamma"}) {
    client.send(fmt::format("{:x}\r\n{}\r\n", std::strlen(word), word));
    EXPECT_THAT(client.read_until(word), Not(HasSubstr("<timeout>")));  // before the request has ended
  }
  client.send("0\r\n\r\n");
  EXPECT_THAT(client.read_until("0\r\n\r\n"), Not(HasSubstr("<timeout>")));
  client.send("GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_until("/again h []"), StartsWith("HTTP/1.1 200 OK"));
}

TEST(Server, ReadsLargeStreamsAndWritesLargeBodies) {
  TestServer server(small_limits(), answer);
  RawClient client(server.server->port());
  client.send("PUT /stream/sum HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_THAT(client.read_until("\r\n\r\n100000"), StartsWith("HTTP/1.1 200 OK"));
  client.send("GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.read_all(), testing::EndsWith(std::string(300'000, 'b')));
}

TEST(Server, RefusesConnectionsPastTheLimit) {
  ServerOptions options = small_limits();
  options.connections_max = 1;
  options.idle_timeout = std::chrono::seconds(5);
  TestServer server(options, answer);
  RawClient first(server.server->port());
  first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  first.read_until("[]");
  RawClient second(server.server->port());
  EXPECT_THAT(second.read_all(), StartsWith("HTTP/1.1 503 "));
}

TEST(Server, BoundsLargeBodiesOfAllConnectionsTogether) {
  ServerOptions options = small_limits();
  options.body_bytes_max = 1u << 20;
  options.buffered_bytes_max = 150'000;
  options.idle_timeout = std::chrono::seconds(5);
  std::promise<void> entered, leave;
  TestServer server(options, [&, waits = std::make_shared<std::atomic<bool>>(true)](Request r) -> awaitable<Response> {
    if (r.target == "/held" && waits->exchange(false)) {
      entered.set_value();
      asio::steady_timer poll(co_await asio::this_coro::executor);
      for (auto left = leave.get_future(); left.wait_for(std::chrono::seconds(0)) != std::future_status::ready;) {
        poll.expires_after(std::chrono::milliseconds(1));
        co_await poll.async_wait(use_awaitable);
      }
    }
    co_return Response{.status = 200, .body = r.body.substr(0, 5)};
  });
  const std::string large = "Host: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x');
  RawClient first(server.server->port()), second(server.server->port()), third(server.server->port()), fourth(server.server->port());
  first.send("POST /held HTTP/1.1\r\n" + large);
  entered.get_future().wait();  // now its body is held
  second.send("POST / HTTP/1.1\r\n" + large);
  EXPECT_THAT(second.read_all(), StartsWith("HTTP/1.1 503 "));
  third.send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(third.read_all(), HasSubstr("hello"));
  leave.set_value();
  EXPECT_THAT(first.read_all(), StartsWith("HTTP/1.1 200 "));
  fourth.send("POST / HTTP/1.1\r\n" + large);
  EXPECT_THAT(fourth.read_all(), StartsWith("HTTP/1.1 200 "));
}

awaitable<Response> slow(Request) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(150));
  co_await timer.async_wait(use_awaitable);
  co_return Response{.status = 200, .body = "done"};
}

TEST(Server, StopLetsOpenRequestsFinish) {
  ServerOptions options;
  TestServer server(options, slow);
  RawClient busy(server.server->port()), idle(server.server->port());
  busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server.server->stop(std::chrono::seconds(5));
  EXPECT_EQ(idle.read_all(), "");
  const std::string got = busy.read_until("done");
  EXPECT_THAT(got, HasSubstr("Connection: close"));
  busy.finish_sending();
  for (int i = 0; i < 200 && server.server->connection_count() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(server.server->connection_count(), 0u);
}

TEST(Server, StopCutsOffWhatOutlastsTheGrace) {
  TestServer server(ServerOptions{}, slow);
  RawClient client(server.server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  server.server->stop(std::chrono::milliseconds(20));
  EXPECT_EQ(client.read_all(), "");
}

TEST(Server, NamesTheAddressItCannotBind) {
  TestServer server(ServerOptions{}, answer);
  ServerOptions same;
  same.port = server.server->port();
  asio::io_context context;
  try {
    Server second({&context}, same, answer);
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:" + std::to_string(same.port)));
  }
}

}  // namespace
}  // namespace parvis::http
