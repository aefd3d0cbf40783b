// storage/rocksdb/recent_keys.h: what the latest commits wrote, so that checks and guards need not ask the disk, and
// so that a commit sees its predecessors that are ordered but not yet written. Owned by whoever orders commits.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "storage/store.h"

namespace parvis::storage {

class RecentKeys {
 public:
  struct State {
    Stamp stamp;
    bool present;              // false: deleted
    const std::string* value;  // of a present key; valid only until the batch of `stamp` is written
  };
  // Nothing is known of commits up to `floor`.
  RecentKeys(Stamp floor, std::size_t entries_max) : floor_(floor), entries_max_(entries_max) {}

  // Stamps never fall from call to call.
  void record(std::string_view key, Stamp stamp, bool present, const std::string* value = nullptr) {
    auto it = keys_.lower_bound(key);
    if (it == keys_.end() || it->first != key) it = keys_.emplace_hint(it, std::string(key), State{0, false, nullptr});
    const bool again = it->second.stamp == stamp;
    it->second = {stamp, present, value};
    if (!again) order_.push_back({stamp, it});
  }
  const State* find(std::string_view key) const {
    const auto it = keys_.find(key);
    return it == keys_.end() ? nullptr : &it->second;
  }
  // The key in [begin, end) that a commit after `as_of` wrote; nullptr when there is none. An empty `end` is no bound.
  const std::string* written_after(std::string_view begin, std::string_view end, Stamp as_of) const {
    for (auto it = keys_.lower_bound(begin); it != keys_.end() && (end.empty() || it->first < end); ++it) {
      if (it->second.stamp > as_of) return &it->first;
    }
    return nullptr;
  }
  // Guards from before this stamp cannot be decided.
  Stamp floor() const { return floor_; }
  // Forgets the oldest. Only when all that was recorded is in the store.
  void trim() {
    while (order_.size() > entries_max_) {
      const auto [stamp, it] = order_.front();
      order_.pop_front();
      floor_ = stamp;
      if (it->second.stamp == stamp) keys_.erase(it);
    }
  }

 private:
  using Keys = std::map<std::string, State, std::less<>>;
  struct Written {
    Stamp stamp;
    Keys::iterator key;
  };
  Stamp floor_;
  std::size_t entries_max_;
  Keys keys_;
  std::deque<Written> order_;
};

}  // namespace parvis::storage
