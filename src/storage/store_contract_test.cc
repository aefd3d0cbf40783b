// The contract of Store, run over every adapter.
#include <thread>

#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/store.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

using testing::FakeStore;
using testing::run;

enum class Adapter { kRocksAlways, kRocksRelaxed, kFake, kFakeSlow };

class StoreContract : public ::testing::TestWithParam<Adapter> {
 protected:
  StoreContract() {
    switch (GetParam()) {
      case Adapter::kRocksAlways: store_ = open_rocksdb_store(dir_.path(), SyncMode::kAlways).value(); break;
      case Adapter::kRocksRelaxed: store_ = open_rocksdb_store(dir_.path(), SyncMode::kRelaxed).value(); break;
      case Adapter::kFake: store_ = std::make_unique<FakeStore>(); break;
      case Adapter::kFakeSlow:
        store_ = std::make_unique<FakeStore>(testing::FakeStoreOptions{
            .seed = testing::test_seed(), .latency_max = std::chrono::microseconds(300), .unknown_outcome = 0, .forced_conflict = 0});
        break;
    }
  }
  std::expected<Stamp, StoreError> commit(Commit commit) { return run(store_->commit(std::move(commit))); }
  Stamp put(std::string key, std::string value) { return commit(Commit().put(std::move(key), std::move(value))).value(); }
  std::optional<Value> get(const std::string& key) { return run(store_->snapshot()->get(key)); }
  ScanPage scan(ScanOptions options) { return run(store_->snapshot()->scan(std::move(options))); }
  StoreErrc commit_error(Commit given) {
    auto result = commit(std::move(given));
    EXPECT_FALSE(result.has_value());
    return result ? StoreErrc::kStopping : result.error().code;
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<Store> store_;
};

std::vector<std::string> keys_of(const ScanPage& page) {
  std::vector<std::string> keys;
  for (const Entry& entry : page.entries) keys.push_back(entry.key);
  return keys;
}

TEST_P(StoreContract, ReadsItsOwnWritesWithTheirVersion) {
  const Stamp stamp = put("k", "v");
  ASSERT_TRUE(get("k"));
  EXPECT_EQ(get("k")->bytes, "v");
  EXPECT_EQ(get("k")->version, stamp);
  EXPECT_GE(store_->stable_stamp(), stamp);
  EXPECT_FALSE(get("other"));
  EXPECT_FALSE(get(""));
  ASSERT_TRUE(commit(Commit().erase("k")));
  EXPECT_FALSE(get("k"));
}

TEST_P(StoreContract, StampsGrow) {
  Stamp last = 0;
  for (int i = 0; i < 10; ++i) {
    const Stamp stamp = put("k", std::to_string(i));
    EXPECT_GT(stamp, last);
    last = stamp;
  }
}

TEST_P(StoreContract, ChecksCompareTheVersion) {
  const Stamp stamp = put("k", "v");
  EXPECT_EQ(commit_error(Commit().check("k", std::nullopt).put("k", "x")), StoreErrc::kConflict);
  EXPECT_EQ(commit_error(Commit().check("k", stamp + 1).put("k", "x")), StoreErrc::kConflict);
  EXPECT_EQ(commit_error(Commit().check("absent", stamp).put("k", "x")), StoreErrc::kConflict);
  EXPECT_EQ(get("k")->bytes, "v");
  EXPECT_TRUE(commit(Commit().check("k", stamp).check("absent", std::nullopt).put("k", "x")));
  EXPECT_EQ(get("k")->bytes, "x");
  ASSERT_TRUE(commit(Commit().erase("k")));
  EXPECT_TRUE(commit(Commit().check("k", std::nullopt).put("k", "again")));
}

TEST_P(StoreContract, AConflictNamesTheKeyAndWritesNothing) {
  put("b", "1");
  const auto result = commit(Commit().check("b", std::nullopt).put("a", "1").put("b", "2"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().key, "b");
  EXPECT_FALSE(get("a"));
}

TEST_P(StoreContract, ACommitThatWritesNothingStillChecks) {
  const Stamp stamp = put("k", "v");
  EXPECT_TRUE(commit(Commit().check("k", stamp)));
  EXPECT_EQ(commit_error(Commit().check("k", std::nullopt)), StoreErrc::kConflict);
}

TEST_P(StoreContract, SnapshotsDoNotMove) {
  put("a", "1");
  put("gone", "1");
  const auto before = store_->snapshot();
  put("a", "2");
  put("new", "1");
  ASSERT_TRUE(commit(Commit().erase("gone")));
  EXPECT_EQ(run(before->get("a"))->bytes, "1");
  EXPECT_TRUE(run(before->get("gone")));
  EXPECT_FALSE(run(before->get("new")));
  EXPECT_EQ(keys_of(run(before->scan({}))), (std::vector<std::string>{"a", "gone"}));
  EXPECT_EQ(keys_of(scan({})), (std::vector<std::string>{"a", "new"}));
}

TEST_P(StoreContract, MultiGetKeepsTheOrder) {
  put("a", "1");
  put("c", "3");
  const auto values = run(store_->snapshot()->multi_get({"c", "b", "", "a"}));
  ASSERT_EQ(values.size(), 4u);
  EXPECT_EQ(values[0]->bytes, "3");
  EXPECT_FALSE(values[1]);
  EXPECT_FALSE(values[2]);
  EXPECT_EQ(values[3]->bytes, "1");
}

struct ScanCase {
  ScanOptions options;
  std::vector<std::string> keys;
  bool more;
};
TEST_P(StoreContract, ScansBothWaysWithBounds) {
  Commit five;
  for (const char* key : {"a", "b", "c", "d", "\xFF"}) five.put(key, std::string(10, 'v'));
  ASSERT_TRUE(commit(five));
  const ScanCase cases[] = {
      {{}, {"a", "b", "c", "d", "\xFF"}, false},
      {{.begin = "b", .end = "d"}, {"b", "c"}, false},
      {{.begin = "b", .end = "d", .reverse = true}, {"c", "b"}, false},
      {{.begin = "aa", .end = "", .reverse = true}, {"\xFF", "d", "c", "b"}, false},
      {{.begin = "", .end = "", .reverse = false, .limit = 2}, {"a", "b"}, true},
      {{.begin = "", .end = "", .reverse = true, .limit = 5}, {"\xFF", "d", "c", "b", "a"}, false},
      {{.begin = "", .end = "", .reverse = false, .limit = 1000, .bytes_max = 11}, {"a", "b"}, true},
      {{.begin = "d", .end = "b"}, {}, false},
      {{.begin = "b", .end = "b"}, {}, false},
  };
  for (const ScanCase& row : cases) {
    SCOPED_TRACE(::testing::Message() << &row - cases);
    const ScanPage page = scan(row.options);
    EXPECT_EQ(keys_of(page), row.keys);
    EXPECT_EQ(page.more, row.more);
  }
}

TEST_P(StoreContract, PagesCoverARangeOnce) {
  Commit many;
  for (int i = 100; i < 200; ++i) many.put("k" + std::to_string(i), "v");
  ASSERT_TRUE(commit(many));
  std::vector<std::string> forward, backward;
  const auto snapshot = store_->snapshot();
  for (ScanOptions options{.begin = "k", .end = "l", .limit = 7};;) {
    const ScanPage page = run(snapshot->scan(options));
    for (const Entry& entry : page.entries) forward.push_back(entry.key);
    if (!page.more) break;
    options.begin = page.entries.back().key + '\0';
  }
  for (ScanOptions options{.begin = "k", .end = "l", .reverse = true, .limit = 7};;) {
    const ScanPage page = run(snapshot->scan(options));
    for (const Entry& entry : page.entries) backward.push_back(entry.key);
    if (!page.more) break;
    options.end = page.entries.back().key;
  }
  EXPECT_EQ(forward.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(forward));
  std::ranges::reverse(backward);
  EXPECT_EQ(forward, backward);
}

TEST_P(StoreContract, RangeGuardsSeeInsertsChangesAndDeletes) {
  put("r/1", "v");
  const auto guarded = [](Stamp as_of) {
    Commit commit;
    commit.guards.push_back({"r/", "r0", as_of});
    return commit.put("out", "v");
  };
  Stamp as_of = store_->snapshot()->stamp();
  put("q", "outside");
  EXPECT_TRUE(commit(guarded(as_of)));
  put("r/2", "inserted");
  EXPECT_EQ(commit_error(guarded(as_of)), StoreErrc::kConflict);
  as_of = store_->snapshot()->stamp();
  EXPECT_TRUE(commit(guarded(as_of)));
  put("r/1", "changed");
  EXPECT_EQ(commit_error(guarded(as_of)), StoreErrc::kConflict);
  as_of = store_->snapshot()->stamp();
  ASSERT_TRUE(commit(Commit().erase("r/1")));
  EXPECT_EQ(commit_error(guarded(as_of)), StoreErrc::kConflict);
}

TEST_P(StoreContract, LimitsAreRefusedByName) {
  Commit keys;
  for (std::size_t i = 0; i <= kCommitKeysMax; ++i) keys.put(std::to_string(i), "");
  EXPECT_EQ(commit_error(keys), StoreErrc::kTooLarge);
  keys.puts.pop_back();
  EXPECT_TRUE(commit(keys));
  EXPECT_EQ(commit_error(Commit().put("k", std::string(kCommitBytesMax, 'x'))), StoreErrc::kTooLarge);
  EXPECT_EQ(commit_error(Commit().put("", "x")), StoreErrc::kTooLarge);
  EXPECT_EQ(commit_error(Commit().erase(std::string(kKeyBytesMax + 1, 'k'))), StoreErrc::kTooLarge);
  EXPECT_FALSE(get("k"));
}

// The largest DynamoDB transaction: 100 items, 4 MB in all, each with 20 index entries and a stream record.
TEST_P(StoreContract, TheLargestTransactionFits) {
  Commit commit_;
  for (int item = 0; item < 100; ++item) {
    const std::string bytes(4'000'000 / 100, 'x');
    for (int copy = 0; copy < 4; ++copy) commit_.put(fmt::format("item{}/{}", item, copy), bytes);
    for (int index = 4; index < 22; ++index) commit_.put(fmt::format("item{}/{}", item, index), std::string(2048, 'k'));
  }
  EXPECT_TRUE(commit(std::move(commit_)));
}

awaitable<void> count_up(Store& store, int times, std::atomic<int>& conflicts) {
  for (int done = 0; done < times;) {
    const auto current = co_await store.snapshot()->get("counter");
    const int value = current ? std::stoi(current->bytes) : 0;
    const auto version = current ? std::optional<Version>(current->version) : std::nullopt;
    const auto result = co_await store.commit(Commit().check("counter", version).put("counter", std::to_string(value + 1)));
    if (result) {
      ++done;
    } else {
      EXPECT_EQ(result.error().code, StoreErrc::kConflict);
      ++conflicts;
    }
  }
}

// Property: no update is lost. Method: 8 coroutines on 2 threads read, add one and write if unchanged.
TEST_P(StoreContract, AHotCounterLosesNoUpdate) {
  constexpr int kTimes = 40;
  asio::io_context context;
  std::atomic<int> conflicts = 0;
  for (int i = 0; i < 8; ++i) {
    asio::co_spawn(asio::make_strand(context), count_up(*store_, kTimes, conflicts), [](std::exception_ptr error) { EXPECT_FALSE(error); });
  }
  std::thread other([&] { context.run(); });
  context.run();
  other.join();
  EXPECT_EQ(get("counter")->bytes, std::to_string(8 * kTimes));
}

awaitable<void> append_log(Store& store, int writer, int count) {
  for (int i = 0; i < count; ++i) {
    const auto result = co_await store.commit(Commit().put(fmt::format("log/{}/{:04}", writer, i), "v"));
    EXPECT_TRUE(result);
  }
}

awaitable<void> follow_log(Store& store, std::set<std::string>& seen, std::size_t want) {
  Stamp from = 0;
  while (seen.size() < want) {
    // Read the stamp first: all up to it is in the snapshot taken after.
    const Stamp stable = store.stable_stamp();
    const ScanPage page = co_await store.snapshot()->scan({.begin = "log/", .end = "log0", .limit = 100'000});
    for (const Entry& entry : page.entries) {
      if (entry.version > from && entry.version <= stable) {
        EXPECT_TRUE(seen.insert(entry.key).second) << entry.key;
      }
    }
    from = stable;
    co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
  }
}

// Property: who reads only up to stable_stamp() sees every commit exactly once.
TEST_P(StoreContract, NothingAppearsBelowTheStableStamp) {
  asio::io_context context;
  std::set<std::string> seen;
  for (int writer = 0; writer < 4; ++writer) asio::co_spawn(context, append_log(*store_, writer, 50), asio::detached);
  asio::co_spawn(context, follow_log(*store_, seen, 200), [](std::exception_ptr error) { EXPECT_FALSE(error); });
  context.run_for(std::chrono::seconds(60));
  EXPECT_EQ(seen.size(), 200u);
}

awaitable<void> append_stamped(Store& store, int writer, int count) {
  for (int i = 0; i < count; ++i) {
    const auto result = co_await store.commit(Commit().put_stamped("s/", fmt::format("/{}/{}", writer, i), "v"));
    EXPECT_TRUE(result);
  }
}

// Reads on from the last key, as a follower of a log does: an entry that appears before it would be missed.
awaitable<void> follow_stamped(Store& store, std::vector<Entry>& seen, std::size_t want) {
  std::string next = "s/";
  while (seen.size() < want) {
    const Stamp stable = store.stable_stamp();
    ScanPage page = co_await store.snapshot()->scan({.begin = next, .end = "s0", .limit = 7});
    for (Entry& entry : page.entries) {
      if (entry.version > stable) break;
      next = entry.key + '\0';
      seen.push_back(std::move(entry));
    }
    co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
  }
}

// Property: a log of stamped keys, read below the stable stamp, shows each entry once, in the order of the commits.
TEST_P(StoreContract, StampedKeysAreALogInCommitOrder) {
  asio::io_context context;
  std::vector<Entry> seen;
  for (int writer = 0; writer < 4; ++writer) asio::co_spawn(context, append_stamped(*store_, writer, 50), asio::detached);
  asio::co_spawn(context, follow_stamped(*store_, seen, 200), [](std::exception_ptr error) { EXPECT_FALSE(error); });
  context.run_for(std::chrono::seconds(60));
  ASSERT_EQ(seen.size(), 200u);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_TRUE(seen[i].key.starts_with(StampedPut{"s/", "/", ""}.key(seen[i].version)));
    if (i > 0) EXPECT_LT(seen[i - 1].version, seen[i].version);
  }
}

awaitable<void> commit_and_note_thread(Store& store, std::thread::id& resumed_on) {
  const auto result = co_await store.commit(Commit().put("k", "v"));
  EXPECT_TRUE(result);
  resumed_on = std::this_thread::get_id();
}

TEST_P(StoreContract, ACommitResumesOnItsOwnExecutor) {
  std::thread::id resumed_on;
  run(commit_and_note_thread(*store_, resumed_on));
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

std::string adapter_name(const ::testing::TestParamInfo<Adapter>& info) {
  constexpr const char* kNames[] = {"RocksDbAlways", "RocksDbRelaxed", "Fake", "FakeSlow"};
  return kNames[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Adapters, StoreContract,
                         ::testing::Values(Adapter::kRocksAlways, Adapter::kRocksRelaxed, Adapter::kFake, Adapter::kFakeSlow),
                         adapter_name);

TEST(FakeStore, UnknownOutcomesAreSometimesWritten) {
  FakeStore store({.seed = 7, .latency_max = {}, .unknown_outcome = 1, .forced_conflict = 0});
  int written = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    EXPECT_EQ(run(store.commit(Commit().put(key, ""))).error().code, StoreErrc::kUnknownOutcome);
    written += run(store.snapshot()->get(key)).has_value();
  }
  EXPECT_GT(written, 20);
  EXPECT_LT(written, 80);
}

TEST(FakeStore, ForcedConflictsWriteNothing) {
  FakeStore store({.seed = 7, .latency_max = {}, .unknown_outcome = 0, .forced_conflict = 1});
  EXPECT_EQ(run(store.commit(Commit().put("k", ""))).error().code, StoreErrc::kConflict);
  EXPECT_FALSE(run(store.snapshot()->get("k")));
}

}  // namespace
}  // namespace parvis::storage
