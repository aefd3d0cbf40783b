#include "tasks/task_queue.h"

#include <atomic>
#include <deque>
#include <map>
#include <set>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <spdlog/spdlog.h>

#include "storage/retry.h"
#include "tasks/task_record.h"

namespace parvis::tasks {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kSweep{30'000};  // how soon a task that another node entered in the past is noticed
constexpr milliseconds kStoreRetry{1000};
constexpr std::size_t kScanned = 200;

struct KindState {
  Kind kind;
  std::atomic<std::size_t> waiting{0};
};

// By due time over all shards: what stands behind the shard in an index key.
struct DueOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    static const std::size_t begin = shard_prefix(0).size();
    return std::string_view(a).substr(begin) < std::string_view(b).substr(begin);
  }
};

// The tasks of one target that are due.
struct Lane {
  KindState* kind = nullptr;
  std::set<std::string, DueOrder> held;  // index keys
  std::size_t running = 0;
  bool overflowed = false;  // more of them are in the store, at or after Shard::overflow
  bool ready = false;       // in State::ready
};

struct Shard {
  std::string position;  // everything before it is held, runs or is done
  std::string overflow;  // where the first task that found its lane full lies; empty: nowhere
};

}  // namespace

struct TaskQueue::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor executor, storage::Store& store, const Clock& clock, Entropy& entropy, TaskQueueOptions options)
      : strand(asio::make_strand(executor)), timer(strand), store(store), clock(clock), entropy(entropy), options(options), owner(entropy.uuid()) {}

  asio::strand<asio::any_io_executor> strand;  // guards what follows, except the atomics
  asio::steady_timer timer;
  storage::Store& store;
  const Clock& clock;
  Entropy& entropy;
  const TaskQueueOptions options;
  const std::string owner;
  std::map<std::string, KindState, std::less<>> kinds;  // fixed after start()
  std::map<std::pair<std::string, std::string>, Lane> lanes;
  std::deque<std::pair<std::string, std::string>> ready;
  std::set<std::string> known;  // index keys that a lane holds or that run
  Shard shards[kShards];
  Millis swept_at{};
  bool kicked = false;  // look again at once
  std::atomic<std::size_t> running{0};
  std::atomic<bool> stopping{false};

  void wake(Ticket ticket) {
    asio::post(strand, [self = shared_from_this(), ticket = std::move(ticket)] {
      const std::string_view key = ticket.key;
      const std::uint64_t shard = self->shard_of_key(key);
      // What is due at once needs no scan; what is not, is found by one.
      if (key < due_position(shard, self->clock.due() + milliseconds(1))) self->hold({ticket.kind, ticket.target}, ticket.key);
      else self->shards[shard].position = std::min(self->shards[shard].position, ticket.key);
      self->pump();
      self->kick();
    });
  }

  void kick() {
    kicked = true;
    timer.cancel();
  }

  std::uint64_t shard_of_key(std::string_view key) const {
    std::uint64_t shard = 0;
    while (shard + 1 < kShards && key >= shard_prefix(shard + 1)) ++shard;
    return shard;
  }

  // Puts a due task into its lane, or notes that it has to be read again when the lane has room.
  void hold(const std::pair<std::string, std::string>& target, const std::string& key) {
    if (known.contains(key)) return;
    const auto kind = kinds.find(target.first);
    if (kind == kinds.end()) return;  // of another version of the platform: left where it is
    Lane& lane = lanes[target];
    lane.kind = &kind->second;
    // Behind those that were left in the store, so that the order stays.
    if (lane.overflowed || lane.held.size() >= options.lane_held_max) {
      lane.overflowed = true;
      std::string& overflow = shards[shard_of_key(key)].overflow;
      if (overflow.empty() || key < overflow) overflow = key;
      return;
    }
    known.insert(key);
    lane.held.insert(key);
    make_ready(target, lane);
  }

  void make_ready(const std::pair<std::string, std::string>& target, Lane& lane) {
    if (lane.ready || lane.held.empty() || lane.running >= lane.kind->kind.running_per_target_max) return;
    lane.ready = true;
    ready.push_back(target);
  }

  // Starts what may run, one of each lane in turn.
  void pump() {
    while (!stopping && !ready.empty() && running < options.running_max) {
      const std::pair<std::string, std::string> target = std::move(ready.front());
      ready.pop_front();
      Lane& lane = lanes[target];
      lane.ready = false;
      std::string key = *lane.held.begin();
      lane.held.erase(lane.held.begin());
      ++lane.running;
      ++running;
      make_ready(target, lane);
      asio::co_spawn(strand, deliver(shared_from_this(), key, lane.kind), [self = shared_from_this(), target, key](std::exception_ptr failed) {
        self->finished(target, key, failed != nullptr);
      });
    }
  }

  void finished(const std::pair<std::string, std::string>& target, const std::string& key, bool failed) {
    --running;
    known.erase(key);
    Lane& lane = lanes[target];
    --lane.running;
    if (failed) {  // the store could not be read
      spdlog::error("tasks: a task of {} could not be delivered; it is tried again", target.second);
      Shard& shard = shards[shard_of_key(key)];
      shard.overflow = shard.overflow.empty() ? key : std::min(shard.overflow, key);
    }
    make_ready(target, lane);
    if (lane.overflowed && lane.held.size() <= options.lane_held_max / 2) {
      lane.overflowed = false;
      for (Shard& shard : shards) {
        if (!shard.overflow.empty()) shard.position = std::min(shard.position, std::exchange(shard.overflow, {}));
      }
      kick();
    }
    if (lane.running == 0 && lane.held.empty()) lanes.erase(target);
    pump();
  }

  static awaitable<> loop(std::shared_ptr<State> self) {
    while (!self->stopping) {
      milliseconds wait = self->options.poll;
      self->kicked = false;
      try {
        for (std::uint64_t shard = 0; shard < kShards; ++shard) wait = std::min(wait, co_await self->scan(shard));
      } catch (const std::exception& failed) {
        spdlog::error("tasks: the store could not be read: {}", failed.what());
      }
      self->pump();
      self->retry_failed();
      if (self->kicked || wait.count() == 0) {
        co_await asio::post(self->strand, use_awaitable);
        continue;
      }
      self->timer.expires_after(wait);
      co_await self->timer.async_wait(asio::as_tuple(use_awaitable));
    }
  }

  // What could not be read is looked at once a poll; what another node entered, once a sweep.
  void retry_failed() {
    const bool sweep = options.lease.count() > 0 && clock.due() - swept_at >= kSweep;
    if (sweep) swept_at = clock.due();
    for (std::uint64_t number = 0; number < kShards; ++number) {
      Shard& shard = shards[number];
      if (sweep) shard.position = shard_prefix(number);
    }
    if (std::ranges::any_of(lanes, [](const auto& lane) { return lane.second.overflowed; })) return;
    for (Shard& shard : shards) {
      if (!shard.overflow.empty()) shard.position = std::min(shard.position, std::exchange(shard.overflow, {}));
    }
  }

  // Puts what is due into its lanes. Returns when to look again: at once, or when the next one is due, or later.
  awaitable<milliseconds> scan(std::uint64_t number) {
    const std::string begin = shards[number].position;
    const std::shared_ptr<storage::Snapshot> snapshot = store.snapshot();
    const storage::ScanPage page = co_await snapshot->scan({.begin = begin, .end = storage::prefix_end(shard_prefix(number)), .limit = kScanned});
    const Millis now = clock.due();
    const std::string not_due = due_position(number, now + milliseconds(1));
    std::string position = begin;
    for (const storage::Entry& entry : page.entries) {
      const std::optional<Task> task = decode_entry(entry.value);
      if (entry.key >= not_due) {
        move_on(number, begin, position);
        co_return task ? std::clamp(task->due - now, milliseconds(1), this->options.poll) : this->options.poll;
      }
      if (task) hold({task->kind, task->target}, entry.key);
      else spdlog::error("tasks: a stored task cannot be read and is left where it is");
      position = entry.key + '\0';
    }
    move_on(number, begin, position);
    co_return page.more ? milliseconds(0) : this->options.poll;
  }

  // Unless somebody set the position back while the shard was read.
  void move_on(std::uint64_t shard, const std::string& begin, const std::string& position) {
    if (shards[shard].position == begin) shards[shard].position = position;
  }

  static awaitable<> deliver(std::shared_ptr<State> self, std::string key, KindState* kind) {
    const std::shared_ptr<storage::Snapshot> snapshot = self->store.snapshot();
    const std::optional<storage::Value> entry = co_await snapshot->get(key);
    std::optional<Task> task = entry ? decode_entry(entry->bytes) : std::nullopt;
    if (!task) co_return;  // done since it was found
    if (task->body.empty()) {
      const std::string name = body_key(task->id);
      if (const std::optional<storage::Value> body = co_await snapshot->get(name)) task->body = body->bytes;
    }
    if (self->options.lease.count() > 0 && !co_await self->claim(key, entry->version, task->id)) co_return;
    if (self->stopping) co_return;
    Outcome outcome;
    try {
      outcome = co_await kind->kind.run(*task);
    } catch (const std::exception& thrown) {
      outcome = {Verdict::kFailed, thrown.what()};
    }
    if (outcome.verdict != Verdict::kDone && self->stopping) co_return;  // the next start finds it
    co_await settle(self, std::move(key), entry->version, std::move(*task), std::move(outcome), kind);
  }

  // False: another node runs it.
  awaitable<bool> claim(const std::string& key, storage::Version version, const std::string& id) {
    const std::string name = lease_key(id);
    const std::optional<storage::Value> held = co_await store.snapshot()->get(name);
    const std::optional<Lease> lease = held ? decode_lease(held->bytes) : std::nullopt;
    if (lease && lease->owner != owner && lease->until > clock.wall()) co_return false;
    storage::Commit with;
    with.check(key, version);
    const auto done = co_await storage::replace(store, {name, held ? std::optional(held->version) : std::nullopt,
                                                        encode_lease({owner, clock.wall() + options.lease}), std::move(with)});
    co_return done.has_value();
  }

  // Writes the outcome down. While the store refuses, the task stays as it was, and held, so that nobody runs it again.
  static awaitable<> settle(std::shared_ptr<State> self, std::string key, storage::Version version, Task task, Outcome outcome, KindState* kind) {
    const Millis now = self->clock.due();
    const Kind& rules = kind->kind;
    bool ends = outcome.verdict == Verdict::kDone || outcome.verdict == Verdict::kDead;
    if (outcome.verdict == Verdict::kFailed) {
      const auto failures = static_cast<std::size_t>(task.failures++);
      ends = failures >= rules.retry_after.size();
      if (!ends) task.due = now + rules.retry_after[failures];
    } else if (outcome.verdict == Verdict::kLater) {
      task.due = now + std::min(rules.later_first * (1 << std::min(task.delays++, 20)), rules.later_max);
    }
    ends = ends || task.due - task.accepted > rules.age_max;
    if (ends && outcome.verdict != Verdict::kDone && rules.on_dead && !co_await bury(rules, task, outcome.reason)) {
      ends = false;
      task.due = now + rules.later_max;
    }
    // It stands under its due time, so it must not come back under the key that goes.
    while (!ends && due_key(task) == key) task.due += milliseconds(1);
    storage::Commit with;
    if (self->options.lease.count() > 0) with.erase(lease_key(task.id));
    if (ends && task.body.size() > kInlineBodyBytesMax) with.erase(body_key(task.id));
    if (!ends) with.put(due_key(task), encode_entry(task));
    asio::steady_timer wait(self->strand);
    for (;;) {
      const auto done = co_await storage::replace(self->store, {key, version, std::nullopt, with});
      // A conflict: another node has settled it after our lease ran out.
      if (done || done.error().code == storage::StoreErrc::kConflict) break;
      spdlog::error("tasks: the outcome of a task could not be stored: {}", done.error().detail);
      if (self->stopping) co_return;
      wait.expires_after(kStoreRetry);
      co_await wait.async_wait(asio::as_tuple(use_awaitable));
    }
    if (ends) --kind->waiting;
    else self->wake({task.kind, task.target, due_key(task)});
  }

  // False: the dead letter could not be handed over; the task comes again.
  static awaitable<bool> bury(const Kind& rules, const Task& task, std::string reason) {
    try {
      co_await rules.on_dead(task, std::move(reason));
      co_return true;
    } catch (const std::exception& thrown) {
      spdlog::error("tasks: the dead letter of a task of {} could not be handed over: {}", task.target, thrown.what());
      co_return false;
    }
  }

  awaitable<> count() {
    for (std::uint64_t shard = 0; shard < kShards; ++shard) {
      const std::string prefix = shard_prefix(shard);
      shards[shard].position = prefix;
      storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix)};
      for (bool more = true; more;) {
        const storage::ScanPage page = co_await store.snapshot()->scan(range);
        for (const storage::Entry& entry : page.entries) {
          const std::optional<Task> task = decode_entry(entry.value);
          const auto kind = task ? kinds.find(task->kind) : kinds.end();
          if (kind != kinds.end()) ++kind->second.waiting;
        }
        more = page.more && !page.entries.empty();
        if (more) range.begin = page.entries.back().key + '\0';
      }
    }
  }
};

TaskQueue::TaskQueue(asio::any_io_executor executor, storage::Store& store, const Clock& clock, Entropy& entropy, TaskQueueOptions options)
    : state_(std::make_shared<State>(std::move(executor), store, clock, entropy, options)) {}

TaskQueue::~TaskQueue() {
  state_->stopping = true;
  asio::post(state_->strand, [state = state_] { state->timer.cancel(); });
}

void TaskQueue::add_kind(std::string name, Kind kind) { state_->kinds[std::move(name)].kind = std::move(kind); }

awaitable<> TaskQueue::start() {
  co_await state_->count();
  asio::co_spawn(state_->strand, State::loop(state_), asio::detached);
}

std::optional<TaskQueue::Ticket> TaskQueue::add_to(storage::Commit& commit, Task task) {
  KindState& kind = state_->kinds.at(task.kind);
  if (kind.waiting >= kind.kind.waiting_max) return std::nullopt;
  task.id = state_->entropy.uuid();
  task.accepted = state_->clock.due();
  if (task.due < task.accepted) task.due = task.accepted;
  Ticket ticket{task.kind, task.target, due_key(task)};
  commit.put(ticket.key, encode_entry(task));
  if (task.body.size() > kInlineBodyBytesMax) commit.put(body_key(task.id), std::move(task.body));
  return ticket;
}

void TaskQueue::committed(const Ticket& ticket) {
  ++state_->kinds.at(ticket.kind).waiting;
  state_->wake(ticket);
}

awaitable<std::expected<void, storage::StoreError>> TaskQueue::submit(Task task) {
  storage::Commit commit;
  const std::optional<Ticket> ticket = add_to(commit, std::move(task));
  if (!ticket) co_return std::unexpected(storage::StoreError{storage::StoreErrc::kBusy, "too many tasks are waiting", {}});
  const auto done = co_await storage::commit_repeatable(state_->store, std::move(commit));
  if (!done) co_return std::unexpected(done.error());
  committed(*ticket);
  co_return std::expected<void, storage::StoreError>{};
}

awaitable<> TaskQueue::stop(std::chrono::milliseconds limit) {
  state_->stopping = true;
  asio::post(state_->strand, [state = state_] { state->timer.cancel(); });
  asio::steady_timer wait(co_await asio::this_coro::executor);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (state_->running > 0 && std::chrono::steady_clock::now() < deadline) {
    wait.expires_after(milliseconds(20));
    co_await wait.async_wait(asio::as_tuple(use_awaitable));
  }
}

std::size_t TaskQueue::waiting(const std::string& kind) const {
  const auto found = state_->kinds.find(kind);
  return found == state_->kinds.end() ? 0 : found->second.waiting.load();
}

}  // namespace parvis::tasks
