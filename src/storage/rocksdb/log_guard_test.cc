#include "storage/rocksdb/log_guard.h"

#include <future>

#include <gtest/gtest.h>

#include "storage/testing/faulty_fs.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

TEST(LogGuard, TellsOfAFailedWriteWhenNoSyncRunsAndAllowsNoneAfterIt) {
  const auto guard = std::make_shared<LogGuard>();
  const auto fs = std::make_shared<testing::FaultyFs>(1, ~0ull);
  const std::unique_ptr<rocksdb::Env> faulty = rocksdb::NewCompositeEnv(fs);
  const std::unique_ptr<rocksdb::Env> env = guarded_env(faulty.get(), guard);
  const testing::TemporaryDirectory dir;
  std::unique_ptr<rocksdb::WritableFile> log, other;
  ASSERT_TRUE(env->NewWritableFile((dir.path() / "000001.log").string(), &log, {}).ok());
  ASSERT_TRUE(env->NewWritableFile((dir.path() / "000002.sst").string(), &other, {}).ok());
  EXPECT_TRUE(log->Append("kept").ok());

  std::promise<void> in_sync, end_sync;
  const auto sync = std::async(std::launch::async, [&] {
    return guard->sync([&] {
      in_sync.set_value();
      end_sync.get_future().wait();
      return rocksdb::Status::OK();
    });
  });
  in_sync.get_future().wait();
  fs->die();
  EXPECT_FALSE(other->Append("no log").ok());  // is told at once
  auto failed = std::async(std::launch::async, [&] { return log->Append("lost").ok(); });
  EXPECT_EQ(failed.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  end_sync.set_value();
  EXPECT_FALSE(failed.get());
  EXPECT_EQ(guard->sync([] { ADD_FAILURE() << "synced a log that failed"; return rocksdb::Status::OK(); }).ToString(), "IO error: the power is off");
}

}  // namespace
}  // namespace parvis::storage
