// A backup is the store it was made of, byte for byte and version for version, or it is refused.
#include "storage/backup.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::run;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Backup : public ::testing::Test {
 protected:
  static awaitable<> append(std::string* to, std::string piece) {
    *to += piece;
    co_return;
  }
  BackupInfo save(Store& store) {
    std::string bytes;
    const BackupInfo info = run(write_backup(store.snapshot(), Millis{}, "test 1", [&bytes](std::string piece) { return append(&bytes, std::move(piece)); }));
    std::ofstream(file(), std::ios::binary) << bytes;
    EXPECT_EQ(info.bytes, bytes.size());
    return info;
  }
  void fill(Store& store, int keys, std::size_t value_bytes) {
    for (int i = 0; i < keys; ++i)
      ASSERT_TRUE(run(store.commit(Commit().put(fmt::format("key{:04}", i), std::string(value_bytes, 'v')).put("counter", std::to_string(i)))));
    ASSERT_TRUE(run(store.commit(Commit().erase("key0001"))));
    ASSERT_TRUE(run(store.commit(Commit().put_stamped("log", "end", "x"))));
  }
  static std::vector<Entry> all(Store& store) { return run(store.snapshot()->scan({.limit = 100'000, .bytes_max = 1u << 30})).entries; }
  fs::path file() const { return dir_.path() / "backup"; }
  fs::path target() const { return dir_.path() / "restored"; }
  const testing::TemporaryDirectory dir_;
};

TEST_F(Backup, BringsBackEveryKeyVersionAndTheStamp) {
  std::vector<Entry> before;
  Stamp stamp = 0;
  {
    const auto store = open_rocksdb_store(dir_.path() / "first", SyncMode::kAlways).value();
    fill(*store, 300, 9000);  // several pieces
    before = all(*store);
    stamp = store->stable_stamp();
    const BackupInfo info = save(*store);
    EXPECT_EQ(info.records, before.size());
    EXPECT_EQ(info.stamp, stamp);
  }
  const auto restored = restore_rocksdb_store(file(), target());
  ASSERT_TRUE(restored) << restored.error();
  EXPECT_EQ(restored->by, "test 1");
  const auto store = open_rocksdb_store(target(), SyncMode::kAlways);
  ASSERT_TRUE(store) << store.error();
  const auto after = all(**store);
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(std::tie(after[i].key, after[i].value, after[i].version), std::tie(before[i].key, before[i].value, before[i].version));
  EXPECT_EQ((*store)->stable_stamp(), stamp);
  EXPECT_EQ(run((*store)->commit(Commit().put("next", ""))).value(), stamp + 1);
}

TEST_F(Backup, IsOfOneMomentWhileWritesGoOn) {
  testing::FakeStore store;
  fill(store, 50, 10);
  const auto snapshot = store.snapshot();
  ASSERT_TRUE(run(store.commit(Commit().put("late", "x").put("counter", "late"))));
  std::string bytes;
  run(write_backup(snapshot, Millis{}, "test", [&bytes](std::string piece) { return append(&bytes, std::move(piece)); }));
  std::ofstream(file(), std::ios::binary) << bytes;
  ASSERT_TRUE(restore_rocksdb_store(file(), target()));
  const auto restored = open_rocksdb_store(target(), SyncMode::kAlways).value();
  EXPECT_FALSE(run(restored->snapshot()->get("late")));
  EXPECT_EQ(run(restored->snapshot()->get("counter"))->bytes, "49");
}

TEST_F(Backup, OfAnEmptyStore) {
  testing::FakeStore store;
  save(store);
  ASSERT_TRUE(restore_rocksdb_store(file(), target()));
  EXPECT_THAT(all(*open_rocksdb_store(target(), SyncMode::kAlways).value()), ::testing::IsEmpty());
}

TEST_F(Backup, EveryDamagedByteIsNoticedAndNothingIsMade) {
  testing::FakeStore store;
  fill(store, 5, 10);
  save(store);
  const std::string good = read_file(file());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    std::ofstream(file(), std::ios::binary) << bad;
    ASSERT_FALSE(check_backup(file())) << "byte " << at;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    std::ofstream(file(), std::ios::binary) << good.substr(0, size);
    ASSERT_FALSE(check_backup(file())) << "cut at " << size;
  }
  std::ofstream(file(), std::ios::binary) << good + "x";
  const auto restored = restore_rocksdb_store(file(), target());
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error(), HasSubstr("something follows its end"));
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Backup, IsRefusedByNameWhenItCannotBeUsed) {
  testing::FakeStore store;
  fill(store, 5, 10);
  save(store);
  const auto error = [&](const fs::path& from, const fs::path& to) {
    const auto done = restore_rocksdb_store(from, to);
    return done ? std::string("it worked") : done.error();
  };
  fs::create_directories(target());
  std::ofstream(target() / "something") << "x";
  EXPECT_THAT(error(file(), target()), HasSubstr("is not empty"));
  EXPECT_THAT(error(dir_.path() / "missing", dir_.path() / "new"), HasSubstr("cannot be read"));
  std::string text = read_file(file());
  std::ofstream(dir_.path() / "newer", std::ios::binary) << text.replace(14, 1, "2");
  EXPECT_THAT(error(dir_.path() / "newer", dir_.path() / "new"), HasSubstr("newer format"));
  std::ofstream(dir_.path() / "other") << "something else that is long enough";
  EXPECT_THAT(error(dir_.path() / "other", dir_.path() / "new"), HasSubstr("is not a backup of Parvis"));
}

}  // namespace
}  // namespace parvis::storage
