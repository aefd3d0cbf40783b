// templates/stack_hold.h: one operation at a time on a stack. Internal.
#pragma once

#include "templates/stack.h"

namespace parvis::templates {

class StackEngine::Hold {
 public:
  Hold(StackEngine& engine, std::string key) : engine_(engine), key_(std::move(key)) {
    std::lock_guard lock(engine_.held_mutex_);
    held_ = engine_.held_.insert(key_).second;
  }
  ~Hold() {
    if (!held_) return;
    std::lock_guard lock(engine_.held_mutex_);
    engine_.held_.erase(key_);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  explicit operator bool() const { return held_; }

 private:
  StackEngine& engine_;
  const std::string key_;
  bool held_ = false;
};

}  // namespace parvis::templates
