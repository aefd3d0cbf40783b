// s3/uses.h: which blobs somebody in this process reads or writes right now, so that the collector leaves them alone.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace parvis::s3 {

class BlobUses {  // thread-safe
 public:
  bool contains(const std::string& id) const {
    std::scoped_lock lock(mutex_);
    return counts_.contains(id);
  }

 private:
  friend class BlobUse;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> counts_;
};

class BlobUse {  // from its construction until its end
 public:
  BlobUse(std::shared_ptr<BlobUses> uses, std::vector<std::string> ids) : uses_(std::move(uses)), ids_(std::move(ids)) {
    std::scoped_lock lock(uses_->mutex_);
    for (const std::string& id : ids_) ++uses_->counts_[id];
  }
  ~BlobUse() {
    std::scoped_lock lock(uses_->mutex_);
    for (const std::string& id : ids_) {
      const auto at = uses_->counts_.find(id);
      if (--at->second == 0) uses_->counts_.erase(at);
    }
  }
  BlobUse(const BlobUse&) = delete;
  BlobUse& operator=(const BlobUse&) = delete;

 private:
  const std::shared_ptr<BlobUses> uses_;
  const std::vector<std::string> ids_;
};

}  // namespace parvis::s3
