// Acknowledged commits survive kill -9 and power loss, whole; nothing appears that was never sent.
#include <csignal>
#include <random>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/testing/faulty_fs.h"
#include "storage/testing/run.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {

using testing::run;

constexpr int kWriters = 4;

std::string numbered(std::string_view kind, int writer, int number) {
  return TupleWriter().string(kind).u64(static_cast<std::uint64_t>(writer)).u64(static_cast<std::uint64_t>(number)).take();
}

std::string expected_value(int writer, int number) { return fmt::format("{}/{}/", writer, number) + std::string(200, 'v'); }

// Each commit writes two keys, so that half a commit would be seen.
awaitable<void> write_until_killed(Store& store, int writer, int first, int fd) {
  for (int i = first;; ++i) {
    const auto result = co_await store.commit(
        Commit().put(numbered("a", writer, i), expected_value(writer, i)).put(numbered("b", writer, i), expected_value(writer, i)));
    if (!result) co_return;
    const int ack[2] = {writer, i};
    if (::write(fd, ack, sizeof ack) != sizeof ack) co_return;
  }
}

// Not a test: the process that the test below kills.
TEST(CrashChild, DISABLED_Writes) {
  const char* dir = std::getenv("PARVIS_CRASH_DIR");
  if (!dir) GTEST_SKIP() << "run by KillNine";
  const int fd = std::atoi(std::getenv("PARVIS_CRASH_FD")), first = std::atoi(std::getenv("PARVIS_CRASH_FIRST"));
  const SyncMode mode = std::string_view(std::getenv("PARVIS_CRASH_MODE")) == "always" ? SyncMode::kAlways : SyncMode::kRelaxed;
  auto store = open_rocksdb_store(dir, mode, {.write_buffer_bytes = 64u << 10}).value();
  asio::io_context context;
  for (int writer = 0; writer < kWriters; ++writer) {
    asio::co_spawn(context, write_until_killed(*store, writer, first, fd), asio::detached);
  }
  context.run();
}

struct Acks {
  int last[kWriters];  // per writer
};

// Starts the child, kills it after `count` acknowledgements and collects those it could still send.
void write_and_kill(const std::string& dir, const std::string& mode, int first, int count, Acks& acks) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const std::string env[] = {"PARVIS_CRASH_DIR=" + dir, fmt::format("PARVIS_CRASH_FD={}", fds[1]), "PARVIS_CRASH_MODE=" + mode,
                             fmt::format("PARVIS_CRASH_FIRST={}", first)};
  std::vector<char*> environment;
  for (const std::string& line : env) environment.push_back(const_cast<char*>(line.c_str()));
  environment.push_back(nullptr);
  std::string name = "crash_child", filter = "--gtest_filter=CrashChild.*", disabled = "--gtest_also_run_disabled_tests", quiet = "--gtest_brief=1";
  char* arguments[] = {name.data(), filter.data(), disabled.data(), quiet.data(), nullptr};
  const pid_t child = ::fork();
  if (child == 0) {
    ::execve("/proc/self/exe", arguments, environment.data());
    ::_exit(127);
  }
  ::close(fds[1]);
  int ack[2];
  for (int got = 0; ::read(fds[0], ack, sizeof ack) == static_cast<ssize_t>(sizeof ack);) {
    acks.last[ack[0]] = std::max(acks.last[ack[0]], ack[1]);
    if (++got == count) ::kill(child, SIGKILL);
  }
  ::close(fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
}

class KillNine : public ::testing::TestWithParam<const char*> {};
TEST_P(KillNine, LosesNothingThatWasAcknowledged) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  const testing::TemporaryDirectory dir;
  Acks acks{{-1, -1, -1, -1}};
  int next = 0;
  for (int round = 0; round < 5; ++round) {
    ASSERT_NO_FATAL_FAILURE(write_and_kill(dir.path().string(), GetParam(), next, 20 + static_cast<int>(rng() % 400), acks));
    const auto store = open_rocksdb_store(dir.path(), SyncMode::kAlways);
    ASSERT_TRUE(store) << store.error();
    const auto snapshot = (*store)->snapshot();
    for (int writer = 0; writer < kWriters; ++writer) {
      for (int i = next; i <= acks.last[writer] + 2; ++i) {
        const auto a = run(snapshot->get(numbered("a", writer, i))), b = run(snapshot->get(numbered("b", writer, i)));
        EXPECT_EQ(a.has_value(), b.has_value()) << "half a commit, round " << round;
        if (i <= acks.last[writer]) {
          ASSERT_TRUE(a) << "lost " << writer << "/" << i << " in round " << round;
        }
        if (i == acks.last[writer] + 2) {
          EXPECT_FALSE(a) << "never sent";
        }
        if (a) {
          EXPECT_EQ(a->bytes, expected_value(writer, i));
        }
      }
    }
    next = *std::ranges::max_element(acks.last) + 3;
    for (int& last : acks.last) last = next - 1;
  }
}
INSTANTIATE_TEST_SUITE_P(Modes, KillNine, ::testing::Values("always", "relaxed"), [](const auto& info) { return std::string(info.param); });

// Per key: what a crash may leave. `maybe` are puts whose outcome is unknown, sent after the acknowledged one.
struct KeyModel {
  std::optional<std::string> acknowledged;
  std::vector<std::string> maybe;
};
using Model = std::map<std::string, KeyModel>;

awaitable<void> put_and_record(Store& store, std::string key, std::string value, Model& model) {
  model[key].maybe.push_back(value);
  if (co_await store.commit(Commit().put(key, value))) model[key] = {std::move(value), {}};
}

// Each coroutine has keys of its own, so that their puts have an order.
awaitable<void> put_many(Store& store, int writer, std::uint64_t seed, Model& model) {
  std::mt19937_64 rng(seed);
  for (int i = 0; i < 25; ++i) {
    std::string value = fmt::format("{}:", rng()) + std::string(rng() % 4000, 'v');
    co_await put_and_record(store, fmt::format("{}/{}", writer, rng() % 6), std::move(value), model);
  }
}

void expect_allowed(Store& store, Model& model) {
  const ScanPage page = run(store.snapshot()->scan({.limit = 100'000, .bytes_max = 1u << 30}));
  std::map<std::string, std::string> found;
  for (const Entry& entry : page.entries) found[entry.key] = entry.value;
  for (auto& [key, state] : model) {
    const auto it = found.find(key);
    if (it == found.end()) {
      EXPECT_FALSE(state.acknowledged) << "lost " << key;
      state = {};
      continue;
    }
    const bool known = state.acknowledged == it->second || std::ranges::count(state.maybe, it->second) > 0;
    EXPECT_TRUE(known) << key << " holds what was not the last written";
    state = {it->second, {}};
    found.erase(it);
  }
  EXPECT_TRUE(found.empty()) << found.begin()->first << " was never sent";
}

TEST(PowerLoss, LosesNothingThatWasAcknowledged) {
  spdlog::set_level(spdlog::level::off);  // every round ends in a failed write
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  const testing::TemporaryDirectory dir;
  Model model;
  std::uint64_t lost_bytes = 0;
  int opened = 0;
  for (int round = 0; round < 30 && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(::testing::Message() << "round " << round);
    // The first round makes the store in peace.
    const auto fs = std::make_shared<testing::FaultyFs>(rng(), round == 0 ? ~0ull : 1 + rng() % 250);
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
    {
      const auto store = open_rocksdb_store(dir.path(), SyncMode::kAlways, {.write_buffer_bytes = 64u << 10, .env = env.get()});
      if (store) {
        ++opened;
        expect_allowed(**store, model);
        asio::io_context context;
        for (int writer = 0; writer < 6; ++writer) asio::co_spawn(context, put_many(**store, writer, rng(), model), asio::detached);
        context.run();
      } else {
        EXPECT_TRUE(fs->dead()) << store.error();  // nothing else may keep it closed
      }
      fs->die();
    }
    lost_bytes += fs->forget();
  }
  EXPECT_GT(opened, 10);
  EXPECT_GT(lost_bytes, 0u);
}

TEST(PowerLoss, WhileTheStoreIsMadeLeavesNothingInTheWay) {
  spdlog::set_level(spdlog::level::off);
  for (std::uint64_t operations = 1; operations < 40; operations += 2) {
    SCOPED_TRACE(operations);
    const testing::TemporaryDirectory dir;
    const auto fs = std::make_shared<testing::FaultyFs>(operations, operations);
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
    {
      const auto store = open_rocksdb_store(dir.path(), SyncMode::kAlways, {.env = env.get()});
      fs->die();
    }
    fs->forget();
    const auto store = open_rocksdb_store(dir.path(), SyncMode::kAlways);
    ASSERT_TRUE(store) << store.error();
    EXPECT_TRUE(run((*store)->commit(Commit().put("k", "v"))));
  }
}

}  // namespace
}  // namespace parvis::storage
