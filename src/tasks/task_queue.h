// tasks/task_queue.h: durable delayed work. What was accepted runs at least once, at or after its due time, also after a
// crash; an error is tried again later, and what fails for good is handed to its kind before it goes.
//
// Each target (a function, a queue, an API destination) has a lane of its own with a bound on what runs at once, so a slow
// one holds back nobody. Tasks of one target within one shard start in the order of their due times. Due times are those of
// core::Clock: an advanced clock is noticed within a second.
//
//   ("", "", "tasks", "due", shard, due in ms, id)  entry, JSON: kind, target, account, Region, times, attempts; after a line
//                                                   feed the body, when it is small
//   ("", "", "tasks", "body", id)                   a larger body, which stays when the task moves to another time
//   ("", "", "tasks", "lease", id)                  who runs it and until when; only where nodes share the store
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "storage/store.h"

namespace parvis::tasks {

inline constexpr std::uint64_t kShards = 8;  // part of the stored format

struct Task {
  std::string kind = {}, target = {};  // they name the lane
  std::string account = {}, region = {};
  std::string body = {};
  Millis due{};                        // in the past: at once
  // Set by the queue.
  std::string id = {};
  Millis accepted{};
  int failures = 0, delays = 0;
};

enum class Verdict {
  kDone,
  kFailed,  // counts as an attempt: again after Kind::retry_after, or dead after the last
  kLater,   // counts as none (a throttle): again after Kind::later_first, doubled each time up to later_max
  kDead,    // never again
};
struct Outcome {
  Verdict verdict = Verdict::kDone;
  std::string reason = {};
};

struct Kind {
  std::function<awaitable<Outcome>(Task)> run;  // what it throws counts as kFailed
  std::vector<std::chrono::milliseconds> retry_after;
  std::chrono::milliseconds later_first{1000}, later_max{300'000};
  std::chrono::milliseconds age_max{std::chrono::hours(24 * 365 * 10)};  // a task that would run again later than this is dead
  std::size_t running_per_target_max = 16;
  std::size_t waiting_max = 100'000;
  // For dead letters; before the task goes, so a crash may bring it twice.
  std::function<awaitable<>(Task, std::string reason)> on_dead;
};

struct TaskQueueOptions {
  std::size_t running_max = 1024;
  std::size_t lane_held_max = 4096;  // of one target in memory; the others stay in the store until it has caught up
  std::chrono::milliseconds poll{1000};  // how soon an advanced clock is noticed
  // Where nodes share the store: longer than the longest run, it is not renewed. Zero where this process alone has the store
  // open: then nothing else can run what it runs.
  std::chrono::milliseconds lease{0};
};

class TaskQueue {  // thread-safe; everything given outlives the executor's run
 public:
  TaskQueue(asio::any_io_executor executor, storage::Store& store, const Clock& clock, Entropy& entropy, TaskQueueOptions options = {});
  ~TaskQueue();
  // All of them before start().
  void add_kind(std::string name, Kind kind);
  // Finds the tasks of an earlier run and begins to work. Call once.
  awaitable<> start();

  // Durable when it returns. kBusy: as many wait as the kind allows.
  awaitable<std::expected<void, storage::StoreError>> submit(Task task);
  // The same inside a commit of the caller's, which then calls committed() with the id. nullopt: as many wait as the kind allows.
  struct Ticket {
    std::string kind, target, key;
  };
  std::optional<Ticket> add_to(storage::Commit& commit, Task task);
  void committed(const Ticket& ticket);

  // Begins nothing more; waits for what runs, at most `limit`. What did not finish runs at the next start.
  awaitable<> stop(std::chrono::milliseconds limit);
  std::size_t waiting(const std::string& kind) const;  // waiting and running

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace parvis::tasks
