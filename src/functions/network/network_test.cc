#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "functions/network/authority.h"
#include "functions/network/dns.h"
#include "functions/network/doors.h"
#include "functions/network/names.h"
#include "functions/network/upstream.h"

namespace parvis::network {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using namespace std::string_view_literals;

struct NameCase { const char* name; std::string_view text; bool platform, local; };
class Names : public testing::TestWithParam<NameCase> {};
TEST_P(Names, MeanThePlatformOrNot) {
  EXPECT_EQ(is_platform_name(GetParam().text), GetParam().platform);
  EXPECT_EQ(is_local_name(GetParam().text), GetParam().local);
}
INSTANTIATE_TEST_SUITE_P(All, Names, testing::Values(
    NameCase{"service", "dynamodb.eu-west-1.amazonaws.com", true, false}, NameCase{"any_case", "S3.AmazonAWS.com", true, false}, NameCase{"dot_at_the_end", "sqs.us-east-1.amazonaws.com.", true, false},
    NameCase{"the_domain", "amazonaws.com", true, false}, NameCase{"china", "s3.cn-north-1.amazonaws.com.cn", true, false}, NameCase{"dual_stack", "lambda.eu-west-1.api.aws", true, false},
    NameCase{"bucket", "my.own.bucket.s3.amazonaws.com", true, false}, NameCase{"host_prefix", "sync-states.eu-west-1.amazonaws.com", true, false}, NameCase{"function_url", "abc.lambda-url.eu-west-1.on.aws", true, false},
    NameCase{"longer_word", "evilamazonaws.com", false, false}, NameCase{"domain_in_front", "amazonaws.com.example.org", false, false}, NameCase{"empty", "", false, false}, NameCase{"dot", ".", false, false},
    NameCase{"localhost", "localhost", false, true}, NameCase{"below_localhost", "abc.execute-api.localhost", false, true}, NameCase{"prefixed_address", "sync-127.0.0.1", false, true},
    NameCase{"bucket_of_address", "bucket.127.0.0.1", false, true}, NameCase{"address", "127.0.0.1", false, false}, NameCase{"other_address", "1127.0.0.1", false, false}), [](const auto& info) { return info.param.name; });

const std::string kHead("\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12), kTail("\x00\x01\x00\x01", 4);
std::string query_of(std::string_view labels) { return kHead + std::string(labels) + kTail; }

TEST(Dns, ReadsAQuestionAndAnswersIt) {
  const std::string query = query_of("\x02S3\x09"sv "amazonaws\x03" "com\x00"sv);
  const auto question = read_question(query);
  ASSERT_TRUE(question.has_value());
  EXPECT_EQ(question->name, "s3.amazonaws.com");
  EXPECT_EQ(question->type, kTypeA);
  EXPECT_EQ(question->end, query.size());
  const std::string reply = answer(query, &*question, Rcode::kNone, std::array<std::uint8_t, 4>{127, 0, 0, 1});
  EXPECT_EQ(reply, "\xab\xcd\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"s + query.substr(12) + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"s);
}
TEST(Dns, AnswersWithoutARecordInTheQuestionsForm) {
  const std::string query = query_of("\x01" "a\x00"sv);
  const auto question = read_question(query);
  EXPECT_EQ(answer(query, &*question, Rcode::kNoSuchName), "\xab\xcd\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00"s + query.substr(12));
  EXPECT_EQ(answer(query, nullptr, Rcode::kFormat), "\xab\xcd\x81\x81\x00\x00\x00\x00\x00\x00\x00\x00"s);
}

struct BadQuestion { const char* name; std::string query; std::optional<Rcode> code; };
class BadQuestions : public testing::TestWithParam<BadQuestion> {};
TEST_P(BadQuestions, AreNotRead) {
  const auto question = read_question(GetParam().query);
  ASSERT_FALSE(question.has_value());
  EXPECT_EQ(question.error(), GetParam().code);
}
std::string with(std::size_t at, char value) {
  std::string query = query_of("\x01" "a\x00"sv);
  query[at] = value;
  return query;
}
INSTANTIATE_TEST_SUITE_P(All, BadQuestions, testing::Values(
    BadQuestion{"nothing", "", std::nullopt}, BadQuestion{"half_a_head", kHead.substr(0, 11), std::nullopt}, BadQuestion{"an_answer", with(2, '\x81'), std::nullopt},
    BadQuestion{"an_update", with(2, '\x28'), Rcode::kNotImplemented}, BadQuestion{"no_question", with(5, 0), Rcode::kFormat}, BadQuestion{"two_questions", with(5, 2), Rcode::kFormat},
    BadQuestion{"answers_within", with(7, 1), Rcode::kFormat}, BadQuestion{"pointer_to_itself", query_of("\xc0\x0c"sv), Rcode::kFormat}, BadQuestion{"pointer_behind_a_label", query_of("\x01" "a\xc0\x0c"sv), Rcode::kFormat},
    BadQuestion{"label_past_the_end", kHead + "\x3f" "abc", Rcode::kFormat}, BadQuestion{"label_of_64", query_of("\x40" + std::string(64, 'a') + '\0'), Rcode::kFormat},
    BadQuestion{"dot_in_a_label", query_of("\x01.\x00"sv), Rcode::kFormat}, BadQuestion{"nul_in_a_label", query_of("\x01\x00\x00"sv), Rcode::kFormat},
    BadQuestion{"name_of_256", query_of([] { std::string name; for (int i = 0; i < 4; ++i) name += '\x3f' + std::string(63, 'a'); return name + '\0'; }()), Rcode::kFormat},
    BadQuestion{"without_class", query_of("\x01" "a\x00"sv).substr(0, 17), Rcode::kFormat}, BadQuestion{"too_long", query_of("\x01" "a\x00"sv) + std::string(kQueryBytesMax, 'x'), Rcode::kFormat}),
    [](const auto& info) { return info.param.name; });

TEST(MayLeave, IsNotForThisMachine) {
  for (const std::uint32_t address : {0x7f000001u, 0x7fffffffu, 0u, 0x00ffffffu, 0xa9fea9feu, 0xe0000001u, 0xffffffffu}) EXPECT_FALSE(may_leave(address)) << std::hex << address;
  for (const std::uint32_t address : {0x01010101u, 0x0a000001u, 0xc0a80001u, 0x7e000001u, 0x80000001u, 0xa9fd0001u, 0xdfffffffu}) EXPECT_TRUE(may_leave(address)) << std::hex << address;
}

TEST(ResolvConf, KeepsServersAndSearch) {
  const ResolvConf conf = parse_resolv_conf("# x\nnameserver 10.0.0.1\nnameserver ::1\nnameserver not-one\nsearch corp.example\noptions ndots:2\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nsortlist 1.1.1.1\n");
  ASSERT_EQ(conf.servers.size(), 3u);
  EXPECT_EQ(conf.servers[1].to_string(), "::1");
  EXPECT_EQ(conf.rest, "search corp.example\noptions ndots:2\n");
}

// A name server at an address of its own, which needs the right to port 53. Answers what `reply` makes of a question, twice.
struct FakeServer {
  explicit FakeServer(std::function<std::string(std::string)> reply) : fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(0x7f000058);
    bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!bound) return;
    thread = std::thread([this, reply = std::move(reply)] {
      char text[2048];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got = recvfrom(fd.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &size);
      const std::string query(text, got > 0 ? static_cast<std::size_t>(got) : 0), out = reply(query);
      std::string forged = out;  // somebody who does not know the id comes first
      forged[0] = static_cast<char>(forged[0] + 1);
      for (const std::string& each : {forged, out}) sendto(fd.get(), each.data(), each.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
    });
  }
  ~FakeServer() { if (thread.joinable()) thread.join(); }
  Fd fd;
  bool bound = false;
  std::thread thread;
};

TEST(Upstream, TakesTheAnswerToItsOwnQuestion) {
  const std::string query = query_of("\x01" "a\x00"sv);
  const auto answered = [](const std::string& asked) {
    const auto question = read_question(asked);
    return answer(asked, &*question, Rcode::kNone, std::array<std::uint8_t, 4>{10, 1, 2, 3});
  };
  FakeServer server(answered);
  if (!server.bound) GTEST_SKIP() << "port 53 of 127.0.0.88 cannot be had";
  asio::io_context context;
  Entropy entropy;
  std::string reply;
  asio::co_spawn(context, [&]() -> awaitable<> { reply = co_await ask_upstream({asio::ip::make_address("127.0.0.88")}, query, false, entropy); }, asio::detached);
  context.run();
  EXPECT_EQ(reply, answered(query));
}

class AuthorityTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/authorityXXXXXX";
    folder_ = mkdtemp(name.data());
    std::ofstream(folder_ / "system.pem") << "the system's\n";
  }
  void TearDown() override { fs::remove_all(folder_); }
  auto open() { return Authority::open(folder_ / "made", (folder_ / "system.pem").string()); }

  // A handshake in memory with a client that trusts the authority alone; empty, or why it failed.
  std::string handshake(Authority& authority, const char* asked, const char* expected) {
    using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
    using Connection = std::unique_ptr<SSL, decltype(&SSL_free)>;
    const Context server(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), client(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    authority.serve(server.get());
    SSL_CTX_load_verify_file(client.get(), authority.certificate_path().c_str());
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_PEER, nullptr);
    const Connection there(SSL_new(server.get()), SSL_free), here(SSL_new(client.get()), SSL_free);
    BIO *one = nullptr, *other = nullptr;
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(there.get(), one, one);
    SSL_set_bio(here.get(), other, other);
    SSL_set_accept_state(there.get());
    SSL_set_connect_state(here.get());
    if (asked) SSL_set_tlsext_host_name(here.get(), asked);
    SSL_set1_host(here.get(), expected);
    for (int turns = 0; turns < 10; ++turns) {
      SSL_do_handshake(here.get());
      SSL_do_handshake(there.get());
    }
    if (SSL_is_init_finished(here.get()) && SSL_is_init_finished(there.get())) return {};
    return SSL_get_verify_result(here.get()) == X509_V_OK ? "refused" : X509_verify_cert_error_string(SSL_get_verify_result(here.get()));
  }
  fs::path folder_;
};

TEST_F(AuthorityTest, SignsAWSsNamesAndNoOthers) {
  const auto authority = open();
  ASSERT_TRUE(authority.has_value()) << authority.error();
  for (const char* name : {"dynamodb.eu-west-1.amazonaws.com", "a.b.c.s3.amazonaws.com", "x.lambda-url.eu-west-1.on.aws", "S3.AMAZONAWS.COM"}) EXPECT_EQ(handshake(**authority, name, name), "") << name;
  const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + ".amazonaws.com";
  EXPECT_EQ(handshake(**authority, longest.c_str(), longest.c_str()), "");
  for (const char* name : {"example.com", "evilamazonaws.com", "a,DNS:b.amazonaws.com", "a\nb.amazonaws.com"}) EXPECT_EQ(handshake(**authority, name, name), "refused") << name;
  EXPECT_EQ(handshake(**authority, nullptr, "s3.amazonaws.com"), "refused");
  EXPECT_EQ(handshake(**authority, "s3.amazonaws.com", "sqs.amazonaws.com"), "hostname mismatch");
}
TEST_F(AuthorityTest, StaysTheSame) {
  const auto first = open(), second = open();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(handshake(**second, "s3.amazonaws.com", "s3.amazonaws.com"), "");
  const auto text = [](const std::string& path) { std::ifstream file(path); return std::string(std::istreambuf_iterator<char>(file), {}); };
  EXPECT_EQ(text((*first)->bundle_path()), "the system's\n\n" + text((*first)->certificate_path()));
  EXPECT_EQ(fs::status(folder_ / "made/ca.key").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}
TEST_F(AuthorityTest, RefusesAKeyThatOthersMayRead) {
  ASSERT_TRUE(open());
  fs::permissions(folder_ / "made/ca.key", fs::perms(0644));
  const auto again = open();
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error(), testing::HasSubstr("ca.key may be read by others"));
}
TEST_F(AuthorityTest, RefusesAKeyThatIsNone) {
  fs::create_directories(folder_ / "made");
  std::ofstream(folder_ / "made/ca.key") << "no key";
  fs::permissions(folder_ / "made/ca.key", fs::perms(0600));
  const auto opened = open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error(), testing::HasSubstr("is not a private key"));
}

}  // namespace
}  // namespace parvis::network
