// What is damaged is refused by name, or was not needed: never silently less than was acknowledged.
#include <fstream>
#include <random>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/recent_keys.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::run;

std::string error_of(const fs::path& dir, SyncMode mode = SyncMode::kAlways) {
  const auto store = open_rocksdb_store(dir, mode);
  return store ? "" : store.error();
}

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Recovery : public ::testing::Test {
 protected:
  // 300 keys: some in tables, some in the log only. The copy is what kill -9 leaves.
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    const testing::TemporaryDirectory made;
    const auto store = open_rocksdb_store(made.path(), SyncMode::kAlways, {.write_buffer_bytes = 64u << 10}).value();
    for (int i = 0; i < 300; ++i) {
      const std::string key = fmt::format("key{:03}", i), value = std::string(500 + i, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(run(store->commit(Commit().put(key, value))));
      all_[key] = value;
    }
    fs::copy(made.path(), copy(), fs::copy_options::recursive);
  }
  fs::path copy() const { return dir_.path() / "copy"; }
  fs::path fresh_copy() const {
    const fs::path path = dir_.path() / "damaged";
    fs::remove_all(path);
    fs::copy(copy(), path, fs::copy_options::recursive);
    return path;
  }
  std::vector<fs::path> files(std::string_view part) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(copy() / "db")) {
      if (entry.path().filename().string().find(part) != std::string::npos) found.push_back(entry.path().filename());
    }
    std::ranges::sort(found);
    return found;
  }
  std::map<std::string, std::string> read_all(Store& store) {
    std::map<std::string, std::string> found;
    for (const Entry& entry : run(store.snapshot()->scan({.limit = 100'000, .bytes_max = 1u << 30})).entries) found[entry.key] = entry.value;
    return found;
  }

  testing::TemporaryDirectory dir_;
  std::map<std::string, std::string> all_;
};

TEST_F(Recovery, AnUndamagedCopyHoldsAll) {
  EXPECT_FALSE(files(".sst").empty());
  EXPECT_FALSE(files(".log").empty());
  for (int times = 0; times < 3; ++times) {
    const auto store = open_rocksdb_store(copy(), times == 1 ? SyncMode::kRelaxed : SyncMode::kAlways);
    ASSERT_TRUE(store) << store.error();
    EXPECT_EQ(read_all(**store), all_);
    EXPECT_GE((*store)->stable_stamp(), 300u);
  }
}

TEST_F(Recovery, FlippedBytesAreNeverSilentlyLess) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(::testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  int refused = 0, failed_reads = 0, whole = 0;
  for (int trial = 0; trial < 60; ++trial) {
    constexpr const char* kKinds[] = {".log", ".sst", "MANIFEST"};
    const auto names = files(kKinds[trial % 3]);
    const fs::path dir = fresh_copy(), file = dir / "db" / names[rng() % names.size()];
    std::string bytes = read_file(file);
    if (bytes.empty()) continue;
    const std::size_t at = trial % 4 == 0 ? bytes.size() - 1 - rng() % std::min<std::size_t>(bytes.size(), 600) : rng() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng() % 8));
    write_file(file, bytes);
    SCOPED_TRACE(::testing::Message() << "byte " << at << " of " << bytes.size() << " of " << file.filename());
    const auto store = open_rocksdb_store(dir, trial % 2 ? SyncMode::kAlways : SyncMode::kRelaxed);
    if (!store) {
      EXPECT_THAT(store.error(), HasSubstr(dir.string()));
      ++refused;
      continue;
    }
    try {
      EXPECT_EQ(read_all(**store), all_);
      ++whole;
    } catch (const StoreFault& fault) {
      EXPECT_EQ(fault.code(), StoreErrc::kCorruption);
      EXPECT_THAT(fault.what(), HasSubstr(".sst"));
      ++failed_reads;
    }
  }
  EXPECT_GT(refused, 10);
  RecordProperty("refused", refused);
  RecordProperty("failed_reads", failed_reads);
  RecordProperty("whole", whole);
}

TEST_F(Recovery, ACutLogIsRefusedByTheDurableMark) {
  const fs::path name = files(".log").back();
  const std::string bytes = read_file(copy() / "db" / name);
  ASSERT_GT(bytes.size(), 1000u);
  for (const SyncMode mode : {SyncMode::kAlways, SyncMode::kRelaxed}) {
    for (const std::size_t kept : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      const fs::path dir = fresh_copy();
      write_file(dir / "db" / name, bytes.substr(0, kept));
      EXPECT_THAT(error_of(dir, mode), HasSubstr(name.string())) << kept;
    }
  }
}

TEST_F(Recovery, AMissingFileIsRefused) {
  for (const fs::path& name : {files(".log").back(), files(".sst").front(), files("MANIFEST").back(), fs::path("CURRENT")}) {
    const fs::path dir = fresh_copy();
    fs::remove(dir / "db" / name);
    EXPECT_THAT(error_of(dir), HasSubstr(dir.string())) << name;
  }
  fs::path dir = fresh_copy();
  fs::remove(dir / "DURABLE");
  EXPECT_THAT(error_of(dir), HasSubstr("DURABLE"));
  dir = fresh_copy();
  fs::remove(dir / "FORMAT");
  EXPECT_THAT(error_of(dir), HasSubstr("FORMAT"));
}

TEST_F(Recovery, ADamagedMarkIsRefusedUnlessOneSlotIsGood) {
  fs::path dir = fresh_copy();
  std::string mark = read_file(dir / "DURABLE");
  ASSERT_GT(mark.size(), 4096u);
  mark[10] ^= 1;
  write_file(dir / "DURABLE", mark);
  EXPECT_EQ(error_of(dir), "");
  dir = fresh_copy();
  mark[4106] ^= 1;
  write_file(dir / "DURABLE", mark);
  EXPECT_THAT(error_of(dir), HasSubstr("DURABLE"));
}

TEST(DataDirectory, RefusesANewerFormat) {
  const testing::TemporaryDirectory dir;
  ASSERT_EQ(error_of(dir.path()), "");
  write_file(dir.path() / "FORMAT", "parvis-store 2\n");
  EXPECT_THAT(error_of(dir.path()), HasSubstr("has format 2"));
  write_file(dir.path() / "FORMAT", "something else");
  EXPECT_THAT(error_of(dir.path()), HasSubstr("FORMAT"));
}

TEST(DataDirectory, NamesTheProcessThatHoldsIt) {
  const testing::TemporaryDirectory dir;
  const auto store = open_rocksdb_store(dir.path(), SyncMode::kRelaxed);
  ASSERT_TRUE(store);
  EXPECT_THAT(error_of(dir.path()), HasSubstr(fmt::format("in use by process {}", ::getpid())));
}

TEST(DataDirectory, SaysWhyItCannotBeMade) { EXPECT_THAT(error_of("/proc/no-such-place"), HasSubstr("/proc/no-such-place")); }

TEST(RecentKeys, ForgetsTheOldestAndSaysSo) {
  RecentKeys recent(10, 2);
  recent.record("a", 11, true);
  recent.record("b", 12, true);
  recent.record("a", 13, false);
  recent.record("a", 13, true);  // again in the same commit
  EXPECT_EQ(recent.floor(), 10u);
  recent.trim();
  EXPECT_EQ(recent.floor(), 11u);
  ASSERT_TRUE(recent.find("a"));
  EXPECT_EQ(recent.find("a")->stamp, 13u);
  recent.record("c", 14, true);
  recent.trim();
  EXPECT_FALSE(recent.find("b"));
  EXPECT_EQ(*recent.written_after("a", "b", 12), "a");
  EXPECT_EQ(recent.written_after("a", "b", 13), nullptr);
  EXPECT_EQ(*recent.written_after("b", "", 13), "c");
}

// The log of recent keys is bounded: an old guard is a conflict, not a guess.
TEST(RangeGuards, OlderThanTheRememberedCommitsAreConflicts) {
  const testing::TemporaryDirectory dir;
  const auto store = open_rocksdb_store(dir.path(), SyncMode::kRelaxed, {.recent_keys_max = 4}).value();
  const Stamp old = store->snapshot()->stamp();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(run(store->commit(Commit().put(fmt::format("x{}", i), "v"))));
  Commit guarded;
  guarded.guards.push_back({"a", "b", old});
  const auto result = run(store->commit(guarded.put("out", "v")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, StoreErrc::kConflict);
  EXPECT_THAT(result.error().detail, HasSubstr("older than"));
}

TEST(CommitQueue, IsBounded) {
  const testing::TemporaryDirectory dir;
  const auto store = open_rocksdb_store(dir.path(), SyncMode::kRelaxed, {.queue_bytes_max = 100}).value();
  EXPECT_EQ(run(store->commit(Commit().put("k", std::string(200, 'v')))).error().code, StoreErrc::kBusy);
  EXPECT_TRUE(run(store->commit(Commit().put("k", "v"))));
}

}  // namespace
}  // namespace parvis::storage
