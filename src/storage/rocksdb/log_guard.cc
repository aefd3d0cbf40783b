#include "storage/rocksdb/log_guard.h"

#include <rocksdb/file_system.h>

#include "storage/rocksdb/resident_reads.h"

namespace parvis::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class GuardedLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  GuardedLog(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<LogGuard> guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(std::move(guard)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return checked(target()->Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return checked(target()->Append(data, options, info, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override { return checked(target()->Flush(options, debug)); }
  IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options, IODebugContext* debug) override {
    return checked(target()->RangeSync(offset, bytes, options, debug));
  }

 private:
  IOStatus checked(IOStatus status) {
    if (!status.ok()) guard_->failed(status);
    return status;
  }
  const std::shared_ptr<LogGuard> guard_;
};

class GuardedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  GuardedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& under, std::shared_ptr<LogGuard> guard)
      : FileSystemWrapper(under), guard_(std::move(guard)) {}
  const char* Name() const override { return "parvis.GuardedFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    IOStatus status = target()->NewWritableFile(path, options, result, debug);
    if (status.ok() && path.ends_with(".log")) *result = std::make_unique<GuardedLog>(std::move(*result), guard_);
    return status;
  }

 private:
  const std::shared_ptr<LogGuard> guard_;
};

}  // namespace

rocksdb::Status LogGuard::sync(const std::function<rocksdb::Status()>& sync) {
  const std::lock_guard lock(mutex_);
  return failure_.ok() ? sync() : failure_;
}

void LogGuard::failed(const rocksdb::Status& status) {
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = status;
}

std::unique_ptr<rocksdb::Env> guarded_env(rocksdb::Env* under, std::shared_ptr<LogGuard> guard) {
  const rocksdb::Env* env = under ? under : rocksdb::Env::Default();
  const auto files = with_resident_reads(env->GetFileSystem(), under == nullptr);
  return rocksdb::NewCompositeEnv(std::make_shared<GuardedFileSystem>(files, std::move(guard)));
}

}  // namespace parvis::storage
