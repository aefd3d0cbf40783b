#include "platform/usage.h"

#include <thread>

#include <gmock/gmock.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::platform {
namespace {

using storage::testing::FakeStore;
using storage::testing::run;

const aws::Scope kHere{"111122223333", "eu-west-1"}, kThere{"444455556666", "us-east-1"};

awaitable<int> flushed(UsageMeter& meter) {
  co_await meter.flush();
  co_return 0;
}

struct UsageTest : testing::Test {
  ManualClock clock{Millis{std::chrono::milliseconds{1'795'600'000'000}}};  // 2026-11-25
  Entropy entropy;
  static std::map<UsageKey, Counts> all(UsageMeter& meter) { return run(meter.read(0, 99991231)); }
};

TEST_F(UsageTest, DeltasAddUpAcrossFlushesProcessesAndDays) {
  FakeStore store;
  {
    UsageMeter meter(store, clock, entropy);
    meter.add(kHere, "dynamodb", "music", {.calls = 2, .bytes_in = 10});
    meter.add(kHere, "dynamodb", "music", {.calls = 1, .errors = 1});
    meter.add(kThere, "dynamodb", "music", {.calls = 5});
    run(flushed(meter));
    run(flushed(meter));  // nothing new: nothing counts twice
  }
  UsageMeter meter(store, clock, entropy);
  clock.set(clock.wall() + std::chrono::hours(24));
  meter.add(kHere, "dynamodb", "music", {.calls = 4});
  run(flushed(meter));
  const UsageKey here{kHere.account, kHere.region, "dynamodb", "music"};
  EXPECT_EQ(all(meter).at(here), (Counts{.calls = 7, .errors = 1, .bytes_in = 10}));
  EXPECT_EQ(run(meter.read(20261125, 20261125)).at(here).calls, 3u);
  EXPECT_EQ(run(meter.read(day_of(clock.wall()), day_of(clock.wall()))).at(here).calls, 4u);
  EXPECT_EQ(all(meter).at({kThere.account, kThere.region, "dynamodb", "music"}).calls, 5u);
}

// Property: however often commits fail, conflict or leave their outcome open, a delta counts exactly once.
TEST_F(UsageTest, UnknownOutcomesAndConflictsCountOnce) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  FakeStore store({.seed = seed, .unknown_outcome = 0.4, .forced_conflict = 0.2});
  UsageMeter meter(store, clock, entropy);
  for (int i = 0; i < 100; ++i) {
    meter.add(kHere, "lambda", "f" + std::to_string(i % 7), {.invocations = 1});
    run(flushed(meter));
  }
  for (int i = 0; i < 50; ++i) run(flushed(meter));  // what failed ten times over is kept and written later
  std::uint64_t sum = 0;
  for (const auto& [key, counts] : all(meter)) sum += counts.invocations;
  EXPECT_EQ(sum, 100u);
}

TEST_F(UsageTest, ThreadsCountWithoutLosing) {
  FakeStore store;
  UsageMeter meter(store, clock, entropy);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] { for (int i = 0; i < 20'000; ++i) meter.add(kHere, "s3", "bucket", {.calls = 1}); });
  for (int i = 0; i < 20; ++i) run(flushed(meter));
  for (auto& thread : threads) thread.join();
  run(flushed(meter));
  EXPECT_EQ(all(meter).begin()->second.calls, 80'000u);
}

TEST_F(UsageTest, AFailedStoreKeepsWhatWasCounted) {
  FakeStore store;
  UsageMeter meter(store, clock, entropy);
  meter.add(kHere, "s3", "bucket", {.calls = 1});
  store.fail_commits_with(storage::StoreErrc::kBusy);
  run(flushed(meter));
  store.fail_commits_with(std::nullopt);
  run(flushed(meter));
  EXPECT_EQ(all(meter).begin()->second.calls, 1u);
}

TEST_F(UsageTest, NamesFromClientsAreBounded) {
  FakeStore store;
  UsageMeter meter(store, clock, entropy);
  for (std::size_t i = 0; i < UsageMeter::kResourcesMax + 500; ++i) meter.add(kHere, "s3", "b" + std::to_string(i), {.calls = 1});
  run(flushed(meter));
  EXPECT_EQ(all(meter).at({kHere.account, kHere.region, "s3", "(other)"}).calls, 500u);
  const std::string page = meter.metrics();
  EXPECT_LE(std::ranges::count(page, '\n'), static_cast<std::ptrdiff_t>(UsageMeter::kSeriesMax + 20));
  aws::CallRecord missing{.service = "s3", .operation = "GetObject", .call = {.scope = kHere, .principal = {}, .request_id = {}, .trace = {}, .origin = {}},
                          .status = 404, .error_code = "NoSuchBucket", .error_message = {}, .resources = {"made-up"}, .ignored = {}, .warnings = {}};
  meter.call(missing);
  run(flushed(meter));
  EXPECT_EQ(all(meter).at({kHere.account, kHere.region, "s3", ""}).errors, 1u);
}

TEST_F(UsageTest, LabelsCannotBreakThePage) {
  FakeStore store;
  UsageMeter meter(store, clock, entropy);
  meter.add(kHere, "s3", "a\"} 1\n\\", {.calls = 3});
  run(flushed(meter));
  EXPECT_THAT(meter.metrics(), testing::HasSubstr("parvis_resource_calls_total{account=\"111122223333\",region=\"eu-west-1\",service=\"s3\",resource=\"a_} 1__\"} 3\n"));
}

}  // namespace
}  // namespace parvis::platform
