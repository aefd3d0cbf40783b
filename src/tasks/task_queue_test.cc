// What was accepted runs at least once, in due order, and nobody waits for a slow target; also over restarts.
#include <random>

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"
#include "tasks/task_queue.h"
#include "tasks/task_record.h"

namespace parvis::tasks {
namespace {

using namespace std::chrono_literals;
using storage::testing::FakeStore;
using storage::testing::FakeStoreOptions;

constexpr Millis kBegin{1'000'000'000ms};

// What outlives a crash, and what the handlers saw.
struct World {
  explicit World(FakeStoreOptions options = {}) : store(options) {}
  ManualClock clock{kBegin};
  Entropy entropy;
  FakeStore store;
  std::vector<Task> ran;
  std::vector<Millis> ran_at;
  std::function<Outcome(const Task&)> outcome = [](const Task&) { return Outcome{}; };
  std::vector<std::string> dead;
};

awaitable<Outcome> run_task(World& world, Task task) {
  world.ran.push_back(task);
  world.ran_at.push_back(world.clock.due());
  co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
  if (task.target == "slow") {
    asio::steady_timer never(co_await asio::this_coro::executor, 1h);
    co_await never.async_wait(use_awaitable);
  }
  co_return world.outcome(task);
}

awaitable<> bury_task(World& world, Task task, std::string reason) {
  world.dead.push_back(task.body + ": " + reason);
  co_return;
}

// One life of the process. Destroying it is a crash.
struct Process {
  explicit Process(World& world, TaskQueueOptions options = {}, std::size_t per_target = 4) : world(world) {
    options.poll = 1ms;
    queue.emplace(context.get_executor(), world.store, world.clock, world.entropy, options);
    Kind kind;
    kind.run = [&world](Task task) { return run_task(world, std::move(task)); };
    kind.retry_after = {60s, 120s};
    kind.running_per_target_max = per_target;
    kind.on_dead = [&world](Task task, std::string reason) { return bury_task(world, std::move(task), std::move(reason)); };
    queue->add_kind("test", kind);
    asio::co_spawn(context, queue->start(), asio::detached);
  }
  // Submits and runs until it is answered. True: accepted.
  bool submit(std::string target, std::string body, Millis due = {}) {
    std::optional<bool> accepted;
    asio::co_spawn(context, queue->submit({.kind = "test", .target = std::move(target), .account = "111122223333", .region = "eu-west-1", .body = std::move(body), .due = due}),
                   [&](std::exception_ptr, std::expected<void, storage::StoreError> done) { accepted = done.has_value(); });
    while (!accepted) context.run_one();
    return *accepted;
  }
  // Until `done` or for two seconds.
  bool run_until(std::function<bool()> done) {
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    while (!done() && std::chrono::steady_clock::now() < deadline) context.run_one_for(10ms);
    return done();
  }
  std::size_t waiting() const { return queue->waiting("test"); }

  World& world;
  asio::io_context context;
  std::optional<TaskQueue> queue;
};

std::vector<std::string> bodies(const World& world) {
  std::vector<std::string> out;
  for (const Task& task : world.ran) out.push_back(task.body);
  return out;
}

TEST(TaskQueue, RunsATaskOnceAtItsDueTime) {
  World world;
  Process process(world);
  ASSERT_TRUE(process.submit("a", "now"));
  ASSERT_TRUE(process.submit("a", "later", kBegin + 5s));
  EXPECT_TRUE(process.run_until([&] { return process.waiting() == 1; }));
  EXPECT_THAT(bodies(world), testing::ElementsAre("now"));
  world.clock.set(kBegin + 4999ms);
  process.context.run_for(20ms);
  EXPECT_EQ(world.ran.size(), 1u);
  world.clock.set(kBegin + 5s);
  EXPECT_TRUE(process.run_until([&] { return process.waiting() == 0; }));
  EXPECT_THAT(bodies(world), testing::ElementsAre("now", "later"));
  EXPECT_EQ(world.ran[1].account, "111122223333");
  process.context.run_for(20ms);
  EXPECT_EQ(world.ran.size(), 2u);
  EXPECT_TRUE(storage::testing::run(world.store.snapshot()->scan({})).entries.empty());
}

TEST(TaskQueue, FailuresComeAgainAndThenGoToTheirKind) {
  World world;
  world.outcome = [](const Task&) { return Outcome{Verdict::kFailed, "no"}; };
  Process process(world);
  ASSERT_TRUE(process.submit("a", "x"));
  EXPECT_TRUE(process.run_until([&] { return world.ran.size() == 1; }));
  for (const auto at : {60s, 180s}) {
    process.context.run_for(10ms);
    world.clock.set(kBegin + at - 1ms);
    process.context.run_for(10ms);
    const std::size_t before = world.ran.size();
    world.clock.set(kBegin + at);
    EXPECT_TRUE(process.run_until([&] { return world.ran.size() == before + 1; })) << at.count();
  }
  EXPECT_TRUE(process.run_until([&] { return process.waiting() == 0; }));
  EXPECT_EQ(world.ran.size(), 3u);
  EXPECT_THAT(world.dead, testing::ElementsAre("x: no"));
  world.clock.set(kBegin + 24h);
  process.context.run_for(10ms);
  EXPECT_EQ(world.ran.size(), 3u);
}

TEST(TaskQueue, ADelayCountsAsNoFailure) {
  World world;
  world.outcome = [&](const Task&) { return world.ran.size() < 6 ? Outcome{Verdict::kLater, "busy"} : Outcome{}; };
  Process process(world);
  ASSERT_TRUE(process.submit("a", "x"));
  EXPECT_TRUE(process.run_until([&] {
    world.clock.set(world.clock.due() + 1s);
    return process.waiting() == 0;
  }));
  EXPECT_EQ(world.ran.size(), 6u);
  EXPECT_EQ(world.ran.back().failures, 0);
  for (std::size_t i = 1; i < world.ran.size(); ++i) EXPECT_GE(world.ran_at[i] - world.ran_at[i - 1], 1000ms * (1 << (i - 1)));
  EXPECT_TRUE(world.dead.empty());
}

TEST(TaskQueue, ASlowTargetHoldsBackNobody) {
  World world;
  Process process(world, {.running_max = 64, .lane_held_max = 8}, 2);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(process.submit("slow", "s"));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(process.submit(i % 2 ? "quick" : "other", "q"));
  EXPECT_TRUE(process.run_until([&] { return process.waiting() == 60; }));
  EXPECT_EQ(std::ranges::count(bodies(world), "q"), 100);
  EXPECT_EQ(std::ranges::count(bodies(world), "s"), 2) << "its own bound";
}

TEST(TaskQueue, ALongLineIsReadFromTheStoreAndKeepsItsOrder) {
  World world;
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  Process process(world, {.running_max = 64, .lane_held_max = 8}, 1);
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(process.submit("a", "x", kBegin + 1s + std::chrono::milliseconds(rng() % 1000)));
  world.clock.set(kBegin + 10s);
  EXPECT_TRUE(process.run_until([&] { return process.waiting() == 0; }));
  ASSERT_EQ(world.ran.size(), 300u);
  std::map<std::uint64_t, Millis> last;
  for (const Task& task : world.ran) {
    Millis& before = last[shard_of(task.id)];
    EXPECT_LE(before, task.due);
    before = task.due;
  }
}

TEST(TaskQueue, TakesNoMoreThanTheKindAllows) {
  World world;
  Process process(world);
  Kind full;
  full.run = [&world](Task task) { return run_task(world, std::move(task)); };
  full.waiting_max = 1;
  process.queue->add_kind("test", full);
  EXPECT_TRUE(process.submit("slow", "1"));
  EXPECT_FALSE(process.submit("slow", "2"));
}

TEST(TaskQueue, NodesThatShareAStoreDoNotRunATaskTwice) {
  World world;
  Process first(world, {.lease = 60s}), second(world, {.lease = 60s});
  first.context.run_for(5ms);
  second.context.run_for(5ms);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(first.submit("a", std::to_string(i), kBegin + 1s));
  world.clock.set(kBegin + 60s);  // past a sweep: the second node finds them too
  for (int i = 0; i < 400 && (first.waiting() || i < 40); ++i) {
    second.context.run_one_for(1ms);
    first.context.run_one_for(1ms);
  }
  first.context.run_for(50ms);
  second.context.run_for(50ms);
  std::vector<std::string> ran = bodies(world);
  EXPECT_EQ(ran.size(), 20u);
  std::ranges::sort(ran);
  EXPECT_EQ(std::ranges::unique(ran).size(), 0u) << "a task ran twice";
}

// Property: every accepted task is done, none before its due time, whatever the store answers and whenever the process dies.
// Method: lives of random length over an unkind store; each submits, runs a while, and is cut off.
TEST(TaskQueueProperty, NothingAcceptedIsLost) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  World world({.seed = seed, .latency_max = 200us, .unknown_outcome = 0.1, .forced_conflict = 0});
  std::map<std::string, Millis> accepted;
  std::set<std::string> done;
  world.outcome = [&](const Task& task) {
    const auto chance = rng() % 10;
    if (chance == 0) return Outcome{Verdict::kLater, "busy"};
    if (chance == 1 && task.failures < 2) return Outcome{Verdict::kFailed, "no"};
    done.insert(task.body);
    return Outcome{};
  };
  for (int life = 0; life < 15; ++life) {
    Process process(world, {.running_max = 8, .lane_held_max = 4}, 2);
    for (int i = 0; i < 12; ++i) {
      const std::string body = std::to_string(life) + "/" + std::to_string(i);
      const Millis due = world.clock.due() + std::chrono::seconds(rng() % 20);
      if (process.submit(std::to_string(rng() % 3), body, due)) accepted[body] = due;
      world.clock.set(world.clock.due() + std::chrono::seconds(rng() % 3));
      for (auto steps = rng() % 20; steps > 0; --steps) process.context.run_one_for(1ms);
    }
  }
  Process last(world);
  EXPECT_TRUE(last.run_until([&] {
    world.clock.set(world.clock.due() + 10s);
    return std::ranges::all_of(accepted, [&](const auto& each) { return done.contains(each.first); });
  }));
  for (const auto& [body, due] : accepted) EXPECT_TRUE(done.contains(body)) << body << " was lost";
  for (std::size_t i = 0; i < world.ran.size(); ++i) {
    const auto found = accepted.find(world.ran[i].body);
    if (found != accepted.end()) EXPECT_GE(world.ran_at[i], found->second) << "too early";
  }
  EXPECT_GT(accepted.size(), 100u);
}

}  // namespace
}  // namespace parvis::tasks
