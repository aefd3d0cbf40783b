#include "storage/rocksdb/resident_reads.h"

#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/fd.h"
#include "storage/testing/faulty_fs.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

constexpr std::size_t kBytes = 64 << 10;

class ResidentReads : public ::testing::Test {
 protected:
  ResidentReads() {
    std::ofstream(path_) << std::string(kBytes, 'x');
    Fd file(::open(path_.c_str(), O_RDWR));
    ::fsync(file.get());
  }
  std::unique_ptr<rocksdb::FSRandomAccessFile> open(const std::shared_ptr<rocksdb::FileSystem>& files) const {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    EXPECT_TRUE(files->NewRandomAccessFile(path_, {}, &file, nullptr).ok());
    return file;
  }
  static std::string read(const rocksdb::FSRandomAccessFile& file, std::uint64_t offset, std::size_t size) {
    std::string scratch(size, '\0');
    rocksdb::Slice result;
    const auto status = file.Read(offset, size, {}, &result, scratch.data(), nullptr);
    return status.ok() ? result.ToString() : status.ToString();
  }

  const testing::TemporaryDirectory dir_;
  const std::string path_ = (dir_.path() / "table").string();
};

TEST_F(ResidentReads, TakeWhatTheSystemHolds) {
  const auto file = open(with_resident_reads(rocksdb::FileSystem::Default(), true));
  EXPECT_EQ(read(*file, 10, 20), std::string(20, 'x'));
  const ResidentOnly only;
  EXPECT_EQ(read(*file, 10, 20), std::string(20, 'x'));
  EXPECT_EQ(read(*file, kBytes - 5, 20), std::string(5, 'x')) << "a read ends where the file does";
  EXPECT_FALSE(only.missed());
}

TEST_F(ResidentReads, AreRefusedWhatOnlyTheDiskHolds) {
  const auto file = open(with_resident_reads(rocksdb::FileSystem::Default(), true));
  {
    ASSERT_TRUE(file->InvalidateCache(0, kBytes).ok());
    const ResidentOnly only;
    if (read(*file, 0, 4096) == std::string(4096, 'x')) GTEST_SKIP() << "this file system forgets nothing";
    EXPECT_TRUE(only.missed());
  }
  EXPECT_EQ(read(*file, 0, 4096), std::string(4096, 'x'));
  const ResidentOnly again;
  EXPECT_FALSE(again.missed()) << "the refusal of before is over";
}

TEST_F(ResidentReads, FindNothingInOtherFiles) {
  const auto file = open(with_resident_reads(std::make_shared<testing::FaultyFs>(1, ~0ull), false));
  EXPECT_EQ(read(*file, 0, 8), "xxxxxxxx");
  const ResidentOnly only;
  EXPECT_NE(read(*file, 0, 8), "xxxxxxxx");
  EXPECT_TRUE(only.missed());
}

TEST_F(ResidentReads, NameAFileThatIsNotThere) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  const auto status = with_resident_reads(rocksdb::FileSystem::Default(), true)->NewRandomAccessFile(path_ + "2", {}, &file, nullptr);
  EXPECT_TRUE(status.IsPathNotFound()) << status.ToString();
  EXPECT_NE(status.ToString().find(path_ + "2"), std::string::npos);
}

}  // namespace
}  // namespace parvis::storage
