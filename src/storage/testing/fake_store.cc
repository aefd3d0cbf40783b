#include "storage/testing/fake_store.h"

namespace parvis::storage::testing {
namespace {

// One written state of a key. `visible` counts applied commits, which is not the order of their stamps.
struct Cell {
  std::uint64_t visible;
  Stamp stamp;
  std::optional<std::string> bytes;  // nullopt: deleted
};

}  // namespace

struct FakeStore::State {
  explicit State(FakeStoreOptions given) : options(given), rng(given.seed) {}

  const Cell* cell_at(const std::vector<Cell>& cells, std::uint64_t visible_max) const {
    for (auto it = cells.rbegin(); it != cells.rend(); ++it) {
      if (it->visible <= visible_max) return &*it;
    }
    return nullptr;
  }
  Stamp stable() const { return in_flight.empty() ? last : *in_flight.begin() - 1; }
  bool chance(double probability) { return probability > 0 && std::bernoulli_distribution(probability)(rng); }

  std::optional<StoreError> validate(const Commit& commit) const;
  Stamp apply(const Commit& commit, Stamp stamp);

  const FakeStoreOptions options;
  mutable std::mutex mutex;
  std::mt19937_64 rng;
  std::map<std::string, std::vector<Cell>, std::less<>> keys;
  Stamp last = 0;
  std::uint64_t applied = 0;
  std::set<Stamp> in_flight;
  std::optional<StoreErrc> failing;
};

std::optional<StoreError> FakeStore::State::validate(const Commit& commit) const {
  for (const Check& check : commit.checks) {
    const auto it = keys.find(check.key);
    const Cell* cell = it == keys.end() ? nullptr : &it->second.back();
    const auto version = cell && cell->bytes ? std::optional<Version>(cell->stamp) : std::nullopt;
    if (version != check.version) return StoreError{StoreErrc::kConflict, "the key has another version", check.key};
  }
  for (const RangeGuard& guard : commit.guards) {
    for (auto it = keys.lower_bound(guard.begin); it != keys.end() && (guard.end.empty() || it->first < guard.end); ++it) {
      if (it->second.back().stamp > guard.as_of) {
        return StoreError{StoreErrc::kConflict, "a key of the guarded range was written", it->first};
      }
    }
  }
  return std::nullopt;
}

Stamp FakeStore::State::apply(const Commit& commit, Stamp stamp) {
  // A key's versions only grow: a commit that was overtaken on one of its keys is ordered anew.
  const auto newest = [this](const std::string& key) {
    const auto it = keys.find(key);
    return it == keys.end() ? Stamp{0} : it->second.back().stamp;
  };
  bool overtaken = false;
  for (const Put& put : commit.puts) overtaken |= newest(put.key) > stamp;
  for (const std::string& key : commit.deletes) overtaken |= newest(key) > stamp;
  if (overtaken) stamp = ++last;
  ++applied;
  for (const Put& put : commit.puts) keys[put.key].push_back({applied, stamp, put.value});
  for (const std::string& key : commit.deletes) keys[key].push_back({applied, stamp, std::nullopt});
  for (const StampedPut& put : commit.stamped) keys[put.key(stamp)].push_back({applied, stamp, put.value});
  return stamp;
}

namespace {

class FakeSnapshot final : public Snapshot {
 public:
  FakeSnapshot(std::shared_ptr<FakeStore::State> state, Stamp stamp, std::uint64_t visible)
      : state_(std::move(state)), stamp_(stamp), visible_(visible) {}
  Stamp stamp() const override { return stamp_; }

  awaitable<std::optional<Value>> get(std::string_view key) override { co_return find(key); }

  awaitable<std::vector<std::optional<Value>>> multi_get(std::vector<std::string> keys) override {
    std::vector<std::optional<Value>> values;
    for (const std::string& key : keys) values.push_back(find(key));
    co_return values;
  }

  awaitable<ScanPage> scan(ScanOptions options) override {
    const std::lock_guard lock(state_->mutex);
    ScanPage page;
    if (!options.end.empty() && options.end <= options.begin) co_return page;
    const auto first = state_->keys.lower_bound(options.begin);
    const auto last = options.end.empty() ? state_->keys.end() : state_->keys.lower_bound(options.end);
    std::size_t bytes = 0;
    // False ends the scan.
    const auto take = [&](const std::string& key, const std::vector<Cell>& cells) {
      const Cell* cell = state_->cell_at(cells, visible_);
      if (!cell || !cell->bytes) return true;
      page.more = page.entries.size() >= options.limit || bytes > options.bytes_max;
      if (page.more) return false;
      bytes += key.size() + cell->bytes->size();
      page.entries.push_back({key, *cell->bytes, cell->stamp});
      return true;
    };
    if (options.reverse) {
      for (auto it = last; it != first && take(std::prev(it)->first, std::prev(it)->second);) --it;
    } else {
      for (auto it = first; it != last && take(it->first, it->second);) ++it;
    }
    co_return page;
  }

 private:
  std::optional<Value> find(std::string_view key) const {
    const std::lock_guard lock(state_->mutex);
    const auto it = state_->keys.find(key);
    if (it == state_->keys.end()) return std::nullopt;
    const Cell* cell = state_->cell_at(it->second, visible_);
    if (!cell || !cell->bytes) return std::nullopt;
    return Value{*cell->bytes, cell->stamp};
  }

  const std::shared_ptr<FakeStore::State> state_;
  const Stamp stamp_;
  const std::uint64_t visible_;
};

awaitable<void> pause_for(std::chrono::microseconds time) {
  if (time.count() == 0) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(use_awaitable);
}

}  // namespace

FakeStore::FakeStore(FakeStoreOptions options) : state_(std::make_shared<State>(options)) {}
FakeStore::~FakeStore() = default;

std::shared_ptr<Snapshot> FakeStore::snapshot() {
  const std::lock_guard lock(state_->mutex);
  return std::make_shared<FakeSnapshot>(state_, state_->stable(), state_->applied);
}

awaitable<std::expected<Stamp, StoreError>> FakeStore::commit(Commit commit) {
  if (auto error = check_limits(commit)) co_return std::unexpected(std::move(*error));
  const std::shared_ptr<State> state = state_;
  const bool writes = commit.writes();
  bool unknown = false, lost = false;
  Stamp stamp = 0;
  std::chrono::microseconds before{0}, after{0};
  {
    const std::lock_guard lock(state->mutex);
    if (state->failing) co_return std::unexpected(StoreError{*state->failing, "made to fail by the test", {}});
    if (state->chance(state->options.forced_conflict)) {
      co_return std::unexpected(StoreError{StoreErrc::kConflict, "a conflict made by the fake", {}});
    }
    unknown = state->chance(state->options.unknown_outcome);
    lost = unknown && state->chance(0.5);
    std::uniform_int_distribution<long> latency(0, state->options.latency_max.count());
    before = std::chrono::microseconds(latency(state->rng) / 2);
    after = std::chrono::microseconds(latency(state->rng) / 2);
    if (writes) state->in_flight.insert(stamp = ++state->last);
  }
  // The stamp must not stay in flight when the wait is cut off with the coroutine.
  const auto land = [state](Stamp* landing) {
    const std::lock_guard lock(state->mutex);
    state->in_flight.erase(*landing);
  };
  const std::unique_ptr<Stamp, decltype(land)> landing(&stamp, land);
  const Stamp first_stamp = stamp;
  co_await pause_for(before);
  std::optional<StoreError> refused;
  Stamp applied = 0;
  {
    const std::lock_guard lock(state->mutex);
    refused = state->validate(commit);
    if (!refused && !lost) applied = writes ? state->apply(commit, stamp) : state->last;
    state->in_flight.erase(first_stamp);
  }
  co_await pause_for(after);
  if (unknown) co_return std::unexpected(StoreError{StoreErrc::kUnknownOutcome, "the answer was lost by the fake", {}});
  if (refused) co_return std::unexpected(std::move(*refused));
  co_return applied;
}

Stamp FakeStore::stable_stamp() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stable();
}

std::uint64_t FakeStore::size_bytes() const {
  const std::lock_guard lock(state_->mutex);
  std::uint64_t bytes = 0;
  for (const auto& [key, cells] : state_->keys) {
    bytes += key.size();
    if (cells.back().bytes) bytes += cells.back().bytes->size();
  }
  return bytes;
}

void FakeStore::fail_commits_with(std::optional<StoreErrc> code) {
  const std::lock_guard lock(state_->mutex);
  state_->failing = code;
}

}  // namespace parvis::storage::testing
