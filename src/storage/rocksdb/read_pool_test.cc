// Reads that need the disk: bounded, resumed on their own executor, and the same answers as from memory.
#include <random>
#include <thread>

#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "storage/rocksdb/rocksdb_snapshot.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/testing/faulty_fs.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

using testing::run;

awaitable<std::thread::id> thread_after(ReadPool& pool, std::thread::id& worker) {
  co_await pool.run([&worker] { worker = std::this_thread::get_id(); });
  co_return std::this_thread::get_id();
}

TEST(ReadPool, WorksElsewhereAndResumesHere) {
  ReadPool pool(1, 10);
  std::thread::id worker;
  EXPECT_EQ(run(thread_after(pool, worker)), std::this_thread::get_id());
  EXPECT_NE(worker, std::this_thread::get_id());
  EXPECT_EQ(pool.reads(), 1u);
}

TEST(ReadPool, ThrowsWhatTheWorkThrows) {
  ReadPool pool(1, 10);
  EXPECT_THROW(run(pool.run([] { throw StoreFault(StoreErrc::kCorruption, "damaged"); })), StoreFault);
}

TEST(ReadPool, IsBounded) {
  ReadPool pool(1, 2);
  std::mutex gate;
  std::unique_lock closed(gate);
  asio::io_context context;
  int refused = 0, done = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(context, pool.run([&gate] { const std::lock_guard wait(gate); }), [&](std::exception_ptr error) {
      if (!error) return void(++done);
      try {
        std::rethrow_exception(error);
      } catch (const StoreFault& fault) {
        EXPECT_EQ(fault.code(), StoreErrc::kBusy);
        ++refused;
      }
    });
  }
  context.run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(refused, 3);
  closed.unlock();
  context.run();
  EXPECT_EQ(done, 2);
}

// Property: what has long left memory and cache reads as what was written: points, several at once, and ranges.
class ColdReads : public ::testing::TestWithParam<bool> {};
TEST_P(ColdReads, FindWhatWasWritten) {
  // A file system of which nothing is known to be resident sends every read that misses the cache to the pool.
  const auto opaque = rocksdb::NewCompositeEnv(std::make_shared<testing::FaultyFs>(1, ~0ull));
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  const testing::TemporaryDirectory dir;
  const auto store = open_rocksdb_store(dir.path(), SyncMode::kRelaxed, {.cache_bytes = 64u << 10, .write_buffer_bytes = 64u << 10, .env = GetParam() ? opaque.get() : nullptr}).value();
  std::map<std::string, std::string> model;
  for (int i = 0; i < 60; ++i) {
    Commit commit;
    for (int k = 0; k < 20; ++k) {
      const std::string key = fmt::format("k{:05}", rng() % 3000);
      std::string value = std::to_string(rng()) + std::string(1000, 'v');
      commit.put(key, value);
      model[key] = std::move(value);
    }
    ASSERT_TRUE(run(store->commit(std::move(commit))));
  }
  const auto snapshot = store->snapshot();
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    const std::string key = fmt::format("k{:05}", rng() % 3000);
    const auto found = run(snapshot->get(key));
    const auto want = model.find(key);
    ASSERT_EQ(found.has_value(), want != model.end()) << key;
    if (found) EXPECT_EQ(found->bytes, want->second);
    keys.push_back(key);
  }
  const auto many = run(snapshot->multi_get(keys));
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(many[i].has_value(), model.contains(keys[i]));
  const ScanPage page = run(snapshot->scan({.begin = "k", .end = "l", .limit = 10'000, .bytes_max = 64u << 20}));
  ASSERT_EQ(page.entries.size(), model.size());
  auto want = model.begin();
  for (const Entry& entry : page.entries) {
    EXPECT_EQ(entry.key, want->first);
    EXPECT_EQ(entry.value, (want++)->second);
  }
}

TEST_P(ColdReads, OfKeysThatWereNeverWritten) {
  const auto opaque = rocksdb::NewCompositeEnv(std::make_shared<testing::FaultyFs>(1, ~0ull));
  const testing::TemporaryDirectory dir;
  for (int round = 0; round < 10; ++round) {
    const auto store = open_rocksdb_store(dir.path(), SyncMode::kRelaxed, {.cache_bytes = 64u << 10, .write_buffer_bytes = 64u << 10, .env = GetParam() ? opaque.get() : nullptr}).value();
    for (int i = 0; i < 10; ++i) {
      std::vector<std::string> keys;
      Commit commit;
      for (int k = 0; k < 10; ++k) commit.put(keys.emplace_back(fmt::format("k{}-{:02}-{}", i, round, k)), std::string(5000, 'v'));
      for (const auto& found : run(store->snapshot()->multi_get(keys))) ASSERT_FALSE(found);
      ASSERT_TRUE(run(store->commit(std::move(commit))));
      for (const auto& found : run(store->snapshot()->multi_get(keys))) ASSERT_TRUE(found && found->bytes == std::string(5000, 'v'));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(FileSystems, ColdReads, ::testing::Bool(), [](const auto& info) { return info.param ? "opaque" : "system"; });

}  // namespace
}  // namespace parvis::storage
