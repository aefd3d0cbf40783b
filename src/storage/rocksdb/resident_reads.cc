#include "storage/rocksdb/resident_reads.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/fd.h"

namespace parvis::storage {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSRandomAccessFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

enum class Mode { kAny, kResident, kMissed };
thread_local Mode mode = Mode::kAny;

IOStatus refuse() {
  mode = Mode::kMissed;
  return IOStatus::Busy("not in memory");
}

IOStatus failed(const std::string& path) { return IOStatus::IOError(path, std::strerror(errno)); }

class SystemFile final : public FSRandomAccessFile {
 public:
  SystemFile(std::string path, int fd) : path_(std::move(path)), file_(fd) {}

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions&, Slice* result, char* scratch, IODebugContext*) const override {
    std::size_t done = 0;
    *result = Slice(scratch, 0);
    while (done < size) {
      const iovec rest{scratch + done, size - done};
      const ssize_t count = ::preadv2(file_.get(), &rest, 1, static_cast<off_t>(offset + done), mode == Mode::kAny ? 0 : RWF_NOWAIT);
      if (count == 0) break;
      if (count > 0) {
        done += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN || errno == EOPNOTSUPP) {
        return refuse();
      } else if (errno != EINTR) {
        return failed(path_);
      }
    }
    *result = Slice(scratch, done);
    return IOStatus::OK();
  }

  IOStatus Prefetch(std::uint64_t offset, std::size_t size, const IOOptions&, IODebugContext*) override {
    return ::readahead(file_.get(), static_cast<off_t>(offset), size) == 0 ? IOStatus::OK() : failed(path_);
  }

  void Hint(AccessPattern pattern) override { ::posix_fadvise(file_.get(), 0, 0, advice(pattern)); }

  IOStatus InvalidateCache(std::size_t offset, std::size_t size) override {
    const int error = ::posix_fadvise(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
    return error == 0 ? IOStatus::OK() : IOStatus::IOError(path_, std::strerror(error));
  }

 private:
  static int advice(AccessPattern pattern) {
    switch (pattern) {
      case kNormal: return POSIX_FADV_NORMAL;
      case kRandom: return POSIX_FADV_RANDOM;
      case kSequential: return POSIX_FADV_SEQUENTIAL;
      case kWillNeed: return POSIX_FADV_WILLNEED;
      case kWontNeed: return POSIX_FADV_DONTNEED;
    }
    return POSIX_FADV_NORMAL;
  }

  const std::string path_;
  const Fd file_;
};

class OtherFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  explicit OtherFile(std::unique_ptr<FSRandomAccessFile> file) : FSRandomAccessFileOwnerWrapper(std::move(file)) {}

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    return mode == Mode::kAny ? target()->Read(offset, size, options, result, scratch, debug) : refuse();
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, std::size_t count, const IOOptions& options, IODebugContext* debug) override {
    return FSRandomAccessFile::MultiRead(requests, count, options, debug);
  }
};

class ResidentFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  ResidentFileSystem(const std::shared_ptr<rocksdb::FileSystem>& under, bool is_system) : FileSystemWrapper(under), is_system_(is_system) {}
  const char* Name() const override { return "parvis.ResidentFileSystem"; }

  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options, std::unique_ptr<FSRandomAccessFile>* result,
                               IODebugContext* debug) override {
    if (!is_system_) {
      IOStatus status = target()->NewRandomAccessFile(path, options, result, debug);
      if (status.ok()) *result = std::make_unique<OtherFile>(std::move(*result));
      return status;
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? IOStatus::PathNotFound(path, std::strerror(errno)) : failed(path);
    *result = std::make_unique<SystemFile>(path, fd);
    return IOStatus::OK();
  }

 private:
  const bool is_system_;
};

}  // namespace

ResidentOnly::ResidentOnly() { mode = Mode::kResident; }
ResidentOnly::~ResidentOnly() { mode = Mode::kAny; }
bool ResidentOnly::missed() const { return mode == Mode::kMissed; }

std::shared_ptr<rocksdb::FileSystem> with_resident_reads(const std::shared_ptr<rocksdb::FileSystem>& under, bool is_system) {
  return std::make_shared<ResidentFileSystem>(under, is_system);
}

}  // namespace parvis::storage
