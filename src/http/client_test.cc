#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/test_server.h"

namespace parvis::http {
namespace {

using Kind = ClientError::Kind;

awaitable<Response> echo(Request r) {
  if (r.path() == "/hang") {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(30));
    co_await timer.async_wait(use_awaitable);
  }
  Response out;
  out.headers.add("X-Host", r.host);
  out.headers.add("Set-Cookie", "a=1");
  out.headers.add("Set-Cookie", "b=2");
  if (r.path() == "/close") out.headers.add("X", "y");
  out.body = r.method + " " + r.target + " " + r.body;
  co_return out;
}

awaitable<std::vector<Response>> send_all(Client& client, std::vector<std::pair<std::string, Request>> requests) {
  std::vector<Response> out;
  for (auto& [url, request] : requests) out.push_back(co_await client.send(url, std::move(request), std::chrono::milliseconds(500)));
  co_return out;
}

// Runs on a context of its own; the client is gone before it.
std::vector<Response> run(std::vector<std::pair<std::string, Request>> requests) {
  asio::io_context context;
  std::vector<Response> out;
  std::exception_ptr failure;
  Client client;
  asio::co_spawn(context, send_all(client, std::move(requests)), [&](std::exception_ptr e, std::vector<Response> r) {
    failure = e;
    out = std::move(r);
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return out;
}

Kind kind_of(std::string url, Request request = {}) {
  try {
    run({{std::move(url), std::move(request)}});
  } catch (const ClientError& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return Kind::kUrl;
}

TEST(Client, SendsAndKeepsTheConnection) {
  TestServer server(ServerOptions{}, echo);
  const std::string base = "http://127.0.0.1:" + std::to_string(server.server->port());
  Request post;
  post.method = "POST";
  post.target = "/p?q=1";
  post.body = "body";
  Request head;
  head.method = "HEAD";
  const auto got = run({{base + "/own?x", {}}, {base, post}, {base, head}, {base + "/after", {}}});
  EXPECT_EQ(got[0].body, "GET /own?x ");
  EXPECT_EQ(got[1].body, "POST /p?q=1 body");
  EXPECT_EQ(got[2].body, "");
  EXPECT_EQ(got[3].body, "GET /after ");
  EXPECT_EQ(got[0].headers.all("set-cookie").size(), 2u);
  EXPECT_EQ(got[0].headers.get("x-host"), base.substr(7));
}

TEST(Client, NamesWhatWentWrong) {
  TestServer server(ServerOptions{}, echo);
  const std::string base = "http://127.0.0.1:" + std::to_string(server.server->port());
  EXPECT_EQ(kind_of("not a url"), Kind::kUrl);
  EXPECT_EQ(kind_of("https://localhost/"), Kind::kUrl);
  EXPECT_EQ(kind_of("http://127.0.0.1:1/"), Kind::kConnect);
  EXPECT_EQ(kind_of(base + "/hang"), Kind::kTimeout);
  Request injected;
  injected.headers.add("X", "a\r\nHost: evil");
  EXPECT_EQ(kind_of(base, injected), Kind::kUrl);
}

}  // namespace
}  // namespace parvis::http
