// core/clock.h: wall time and due time. All code takes time from here, so that tests can move due time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace parvis {

// Milliseconds since the Unix epoch, UTC.
using Millis = std::chrono::sys_time<std::chrono::milliseconds>;

class Clock {  // thread-safe
 public:
  virtual ~Clock() = default;
  // Signatures, tokens, Date headers, TLS. Never moved.
  virtual Millis wall() const {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  // Schedules, waits, TTL, retries. Wall time plus an offset that tests and `parvis dev` may advance.
  virtual Millis due() const { return wall() + std::chrono::milliseconds(offset_ms_.load()); }
  void advance(std::chrono::milliseconds by) { offset_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> offset_ms_{0};
};

// A clock that only moves when told to.
class ManualClock : public Clock {
 public:
  explicit ManualClock(Millis start) : now_(start) {}
  Millis wall() const override { return now_.load(); }
  void set(Millis now) { now_ = now; }

 private:
  std::atomic<Millis> now_;
};

}  // namespace parvis
