// Updates (read-modify-writes that queue up), run over every adapter, and what they may show before they are durable.
#include <thread>

#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/store.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/faulty_fs.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

using testing::FakeStore;
using testing::run;
using Newest = std::span<const std::optional<Value>>;

enum class Adapter { kRocksAlways, kRocksRelaxed, kFake, kFakeUnkind };

class StoreUpdate : public ::testing::TestWithParam<Adapter> {
 protected:
  StoreUpdate() {
    switch (GetParam()) {
      case Adapter::kRocksAlways: store_ = open_rocksdb_store(dir_.path(), SyncMode::kAlways).value(); break;
      case Adapter::kRocksRelaxed: store_ = open_rocksdb_store(dir_.path(), SyncMode::kRelaxed).value(); break;
      case Adapter::kFake: store_ = std::make_unique<FakeStore>(); break;
      case Adapter::kFakeUnkind:
        store_ = std::make_unique<FakeStore>(testing::FakeStoreOptions{.seed = testing::test_seed(), .latency_max = std::chrono::microseconds(200),
                                                                       .unknown_outcome = 0, .forced_conflict = 0.2});
        break;
    }
  }
  bool is_embedded() const { return GetParam() == Adapter::kRocksAlways || GetParam() == Adapter::kRocksRelaxed; }
  Stamp put(std::string key, std::string value) { return retried(Commit().put(std::move(key), std::move(value))); }
  // The unkind fake refuses some for no reason.
  Stamp retried(const Commit& commit) {
    for (;;) {
      const auto done = run(store_->commit(commit));
      if (done) return *done;
    }
  }
  std::optional<Value> get(const std::string& key) { return run(store_->snapshot()->get(key)); }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<Store> store_;
};

int number_of(const std::optional<Value>& value) { return value ? std::stoi(value->bytes) : 0; }

// Adds one and gives the number that it made.
awaitable<std::expected<int, StoreError>> add_one(Store& store, std::string key) {
  int made = 0;
  Update update{{key}, [&made, key](Newest newest) {
                  made = number_of(newest[0]) + 1;
                  return Commit().put(key, std::to_string(made));
                }};
  const auto done = co_await store.update(std::move(update));
  if (!done) co_return std::unexpected(done.error());
  co_return made;
}

TEST_P(StoreUpdate, DecidesOnTheNewestValues) {
  const Stamp stamp = put("a", "1");
  std::vector<std::optional<Value>> seen;
  const auto done = run(store_->update({{"b", "a"}, [&](Newest newest) {
                                          seen.assign(newest.begin(), newest.end());
                                          return Commit().put("b", "2").erase("a");
                                        }}));
  ASSERT_TRUE(done) << done.error().detail;
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_FALSE(seen[0]);
  EXPECT_EQ(seen[1]->bytes, "1");
  EXPECT_EQ(seen[1]->version, stamp);
  EXPECT_EQ(get("b")->version, *done);
  EXPECT_FALSE(get("a"));
}

TEST_P(StoreUpdate, ThrowsWhatTheDecisionThrows) {
  put("a", "1");
  EXPECT_THROW(run(store_->update({{"a"}, [](Newest) -> Commit { throw std::out_of_range("no"); }})), std::out_of_range);
  EXPECT_EQ(get("a")->bytes, "1");
}

TEST_P(StoreUpdate, MayWriteNothing) {
  const Stamp stamp = put("a", "1");
  const auto done = run(store_->update({{"a"}, [](Newest) { return Commit(); }}));
  ASSERT_TRUE(done);
  EXPECT_GE(*done, stamp);
}

TEST_P(StoreUpdate, AConflictOfTheDecisionsOwnCheckIsTheCallers) {
  put("table", "1");
  StoreError error{StoreErrc::kStopping, {}, {}};
  do {
    const auto done = run(store_->update({{"a"}, [](Newest) { return Commit().check("table", std::nullopt).put("a", "x"); }}));
    ASSERT_FALSE(done);
    error = done.error();
  } while (error.key.empty());
  EXPECT_EQ(error.code, StoreErrc::kConflict);
  EXPECT_EQ(error.key, "table");
  EXPECT_FALSE(get("a"));
}

TEST_P(StoreUpdate, LimitsAreRefused) {
  const auto of = [this](std::string key, std::string value) {
    return run(store_->update({{std::move(key)}, [&](Newest) { return Commit().put("k", value); }}));
  };
  EXPECT_EQ(of("", "x").error().code, StoreErrc::kTooLarge);
  EXPECT_EQ(of(std::string(kKeyBytesMax + 1, 'k'), "x").error().code, StoreErrc::kTooLarge);
  EXPECT_EQ(of("k", std::string(kCommitBytesMax, 'x')).error().code, StoreErrc::kTooLarge);
  EXPECT_FALSE(get("k"));
}

awaitable<void> count_up(Store& store, int times, std::set<int>& made, std::mutex& mutex) {
  for (int done = 0; done < times;) {
    const auto number = co_await add_one(store, "counter");
    if (!number) {
      EXPECT_EQ(number.error().code, StoreErrc::kConflict) << number.error().detail;
      continue;
    }
    ++done;
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(made.insert(*number).second) << *number << " was made twice";
  }
}

// Property: no update is lost and none is told a number that another one was told. Method: 16 coroutines on 2 threads.
TEST_P(StoreUpdate, AHotCounterLosesNothing) {
  constexpr int kWriters = 16, kTimes = 50;
  asio::io_context context;
  std::set<int> made;
  std::mutex mutex;
  for (int i = 0; i < kWriters; ++i) {
    asio::co_spawn(asio::make_strand(context), count_up(*store_, kTimes, made, mutex), [](std::exception_ptr error) { EXPECT_FALSE(error); });
  }
  std::thread other([&] { context.run(); });
  context.run();
  other.join();
  EXPECT_EQ(get("counter")->bytes, std::to_string(kWriters * kTimes));
  EXPECT_EQ(made.size(), std::size_t{kWriters * kTimes});
}

awaitable<void> move_money(Store& store, int times, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  for (int i = 0; i < times; ++i) {
    const std::string from = std::to_string(rng() % 4), to = std::to_string(4 + rng() % 4);
    const int amount = static_cast<int>(rng() % 10);
    const auto done = co_await store.update({{from, to}, [&](Newest newest) {
                                               return Commit().put(from, std::to_string(number_of(newest[0]) - amount)).put(to, std::to_string(number_of(newest[1]) + amount));
                                             }});
    EXPECT_TRUE(done || done.error().code == StoreErrc::kConflict);
  }
}

// Property: updates of two keys are atomic: the sum never changes.
TEST_P(StoreUpdate, TransfersKeepTheSum) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  asio::io_context context;
  for (std::uint64_t i = 0; i < 8; ++i) asio::co_spawn(context, move_money(*store_, 50, seed + i), asio::detached);
  context.run();
  int sum = 0;
  for (int i = 0; i < 8; ++i) sum += number_of(get(std::to_string(i)));
  EXPECT_EQ(sum, 0);
}

TEST_P(StoreUpdate, UpdatesAndPlainCommitsOfOneKeyRespectEachOther) {
  const Stamp stamp = put("k", "1");
  ASSERT_TRUE(run(add_one(*store_, "k")));
  StoreErrc code = StoreErrc::kBusy;
  if (const auto done = run(store_->commit(Commit().check("k", stamp).put("k", "9"))); !done) code = done.error().code;
  EXPECT_EQ(code, StoreErrc::kConflict);
  EXPECT_EQ(get("k")->bytes, "2");
}

std::string adapter_name(const ::testing::TestParamInfo<Adapter>& info) {
  constexpr const char* kNames[] = {"RocksDbAlways", "RocksDbRelaxed", "Fake", "FakeUnkind"};
  return kNames[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Adapters, StoreUpdate,
                         ::testing::Values(Adapter::kRocksAlways, Adapter::kRocksRelaxed, Adapter::kFake, Adapter::kFakeUnkind), adapter_name);

// A store on a disk whose syncs can be held back.
class UnsyncedState : public ::testing::Test {
 protected:
  void open(std::uint64_t operations) {
    fs_ = std::make_shared<testing::FaultyFs>(testing::test_seed(), operations);
    env_ = rocksdb::NewCompositeEnv(fs_);
    store_ = open_rocksdb_store(dir_.path(), SyncMode::kAlways, {.env = env_.get()}).value();
  }
  // Two additions, the second built on the first, and an update that only looks; none is synced.
  void start() {
    ASSERT_TRUE(run(add_one(*store_, "k")));
    fs_->hold_syncs(true);
    for (int i = 0; i < 2; ++i) {
      asio::co_spawn(context_, add_one(*store_, "k"), [this](std::exception_ptr, std::expected<int, StoreError> result) { told_.push_back(result); });
    }
    Update look{{"k"}, [this](Newest newest) -> Commit {
                  looked_at_ = number_of(newest[0]);
                  throw std::out_of_range("seen");
                }};
    asio::co_spawn(context_, store_->update(std::move(look)), [this](std::exception_ptr error, std::expected<Stamp, StoreError> result) {
      looker_told_ = true;
      looker_threw_ = error != nullptr;
      looker_result_ = result;
    });
    context_.run_for(std::chrono::milliseconds(300));
  }

  testing::TemporaryDirectory dir_;
  std::shared_ptr<testing::FaultyFs> fs_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<Store> store_;
  asio::io_context context_;
  std::vector<std::expected<int, StoreError>> told_;
  std::atomic<int> looked_at_{0};
  bool looker_told_ = false, looker_threw_ = false;
  std::expected<Stamp, StoreError> looker_result_;
};

TEST_F(UnsyncedState, IsBuiltUponButSeenByNobody) {
  open(~0ull);
  start();
  EXPECT_TRUE(told_.empty());
  EXPECT_FALSE(looker_told_);
  EXPECT_EQ(run(store_->snapshot()->get("k"))->bytes, "1");
  fs_->hold_syncs(false);
  context_.run();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].value() + told_[1].value(), 2 + 3);
  EXPECT_TRUE(looker_threw_);
  EXPECT_EQ(looked_at_, 3);
  EXPECT_EQ(run(store_->snapshot()->get("k"))->bytes, "3");
}

TEST_F(UnsyncedState, IsToldToNobodyWhenTheSyncFails) {
  spdlog::set_level(spdlog::level::off);
  open(~0ull);
  start();
  fs_->die();
  fs_->hold_syncs(false);
  context_.run();
  ASSERT_EQ(told_.size(), 2u);
  for (const auto& each : told_) EXPECT_EQ(each.error().code, StoreErrc::kUnknownOutcome);
  EXPECT_TRUE(looker_told_);
  EXPECT_FALSE(looker_threw_);
  EXPECT_FALSE(looker_result_);
  EXPECT_EQ(run(store_->snapshot()->get("k"))->bytes, "1");
  EXPECT_EQ(run(add_one(*store_, "k")).error().code, StoreErrc::kCorruption) << "only a restart finds out what is on disk";
  store_.reset();
  fs_->forget();
  const auto reopened = open_rocksdb_store(dir_.path(), SyncMode::kAlways);
  ASSERT_TRUE(reopened) << reopened.error();
  EXPECT_GE(number_of(run((*reopened)->snapshot()->get("k"))), 1);
}

awaitable<void> add_until_dead(Store& store, std::string key, int& sent, int& acknowledged) {
  for (int i = 0; i < 40; ++i) {
    ++sent;
    const auto number = co_await add_one(store, key);
    if (!number) co_return;
    acknowledged = std::max(acknowledged, *number);
  }
}

// Property: a number that was told survives a power loss, and none is counted twice. Method: 8 writers add to 2 counters on
// a disk that dies after a random number of writes.
TEST(PowerLossOfUpdates, KeepsWhatWasTold) {
  spdlog::set_level(spdlog::level::off);
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  const testing::TemporaryDirectory dir;
  int sent[2] = {0, 0}, acknowledged[2] = {0, 0};
  int opened = 0;
  for (int round = 0; round < 25 && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(::testing::Message() << "round " << round);
    const auto fs = std::make_shared<testing::FaultyFs>(rng(), round == 0 ? ~0ull : 1 + rng() % 250);
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
    if (const auto store = open_rocksdb_store(dir.path(), SyncMode::kAlways, {.write_buffer_bytes = 8u << 10, .env = env.get()})) {
      ++opened;
      for (int side = 0; side < 2; ++side) {
        const int found = number_of(run((*store)->snapshot()->get("counter" + std::to_string(side))));
        EXPECT_GE(found, acknowledged[side]);
        EXPECT_LE(found, sent[side]);
        sent[side] = acknowledged[side] = found;
      }
      asio::io_context context;
      for (int writer = 0; writer < 8; ++writer) {
        asio::co_spawn(context, add_until_dead(**store, "counter" + std::to_string(writer % 2), sent[writer % 2], acknowledged[writer % 2]), asio::detached);
      }
      context.run();
      fs->die();
    } else {
      EXPECT_TRUE(fs->dead()) << store.error();
      fs->die();
    }
    fs->forget();
  }
  EXPECT_GT(opened, 8);
}

}  // namespace
}  // namespace parvis::storage
