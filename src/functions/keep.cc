// Environments that are there without a call: those to be kept (provisioned concurrency) and those loaded at deploy; and what of them
// is given back when memory is short.
#include <algorithm>
#include <thread>

#include <spdlog/spdlog.h>

#include "functions/engine_impl.h"

namespace parvis::functions {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kKeepAgainFirst{200}, kKeepAgainMax{60'000};
constexpr std::chrono::seconds kWarmSettled{60};     // an environment loaded at deploy makes room for a newer one after so long without a call
constexpr milliseconds kMemoryLook{2000}, kMemoryLookShort{250};
constexpr std::uint64_t kReserveMax = 512u << 20;

unsigned loading_max() { return std::max(2u, std::thread::hardware_concurrency()); }

}  // namespace

void Engine::Impl::keep(Locked& locked, const std::shared_ptr<const FunctionSpec>& spec, unsigned count) {
  unkeepable.erase(spec->key);
  const auto known = pools.find(spec->key);
  if (stopped || stopping || (count == 0 && known == pools.end())) return;
  const auto runtime = runtime_of(spec->runtime);
  if (!runtime) {
    unkeepable[spec->key] = runtime.error();
    return;
  }
  const auto pool = pool_of(spec, *runtime);
  if (!pool->kept_spec) {
    auto kept_spec = std::make_shared<FunctionSpec>(*spec);
    kept_spec->environment["AWS_LAMBDA_INITIALIZATION_TYPE"] = "provisioned-concurrency";
    pool->kept_spec = std::move(kept_spec);
  }
  pool->keep = pool->debugged ? 0 : count;
  pool->keep_failures = 0;
  pool->keep_again = {};
  for (const auto idle = pool->idle; const auto& slot : idle) {
    if (pool->kept > pool->keep && slot->kept) end_worker(slot);
  }
  tend(locked);  // those at work end after their call
}

void Engine::Impl::tend(Locked& locked) {
  if (stopped || stopping || memory_short || !setup_error.empty()) return;
  unsigned loading = 0;
  for (const auto& [key, pool] : pools) loading += pool->loading;
  for (const auto& [key, pool] : pools) {
    if (!tend_kept(locked, pool, loading)) return;
  }
  const auto now = Steady::now();
  while (!to_warm.empty() && loading < loading_max()) {
    const auto spec = std::move(to_warm.front());
    to_warm.pop_front();
    const auto runtime = runtime_of(spec->runtime);
    if (!runtime) continue;
    if (const auto known = pools.find(spec->key); known != pools.end() && known->second->total > 0) continue;
    if (!room_for_warm(now)) {
      if (!std::exchange(warm_bound_told, true)) spdlog::warn("functions: {} MB of environments are loaded, no more are at deploy (--warm): the first call of {} starts it, and so of others", options.warm_bytes_max >> 20, spec->name);
      continue;
    }
    start_worker(locked, pool_of(spec, *runtime), Why::kWarm);
    ++loading;
  }
}

// False: as many load as should at a time.
bool Engine::Impl::tend_kept(Locked& locked, const std::shared_ptr<Pool>& pool, unsigned& loading) {
  if (pool->retired || pool->kept >= pool->keep) return true;
  if (Steady::now() < pool->keep_again) {
    wake_at(pool->keep_again);
    return true;
  }
  while (pool->kept < pool->keep) {
    if (loading >= loading_max()) return false;
    start_worker(locked, pool, Why::kKept);
    ++loading;
  }
  return true;
}

void Engine::Impl::keep_failed(Pool& pool) {
  ++pool.keep_failures;
  const milliseconds wait = std::min(kKeepAgainMax, kKeepAgainFirst * (1 << std::min(pool.keep_failures - 1, 10u)));
  pool.keep_again = Steady::now() + wait;
  if (pool.keep_failures == kKeepFailuresMax) spdlog::warn("function {}: its provisioned concurrency cannot be had, because loading failed {} times", pool.spec->name, kKeepFailuresMax);
  wake_at(pool.keep_again);
}

// Environments that have not been called for a while make room for functions that were deployed just now.
bool Engine::Impl::room_for_warm(Steady::time_point now) {
  if (workers - kept >= options.workers_max) return false;
  if (options.warm_bytes_max == 0) return true;
  std::uint64_t taken = warm_estimate_bytes;
  for (const auto& [key, pool] : pools) taken += pool->loading * warm_estimate_bytes;
  for (const auto& slot : slots) {
    if (!slot->warmed || slot->ending || slot->state == Slot::State::kLoading) continue;
    if (slot->state == Slot::State::kIdle) slot->memory_bytes = private_memory_bytes(slot->pid());
    taken += slot->memory_bytes;
  }
  while (taken > options.warm_bytes_max) {
    const auto oldest = longest_unused(nullptr, true);
    if (!oldest || oldest->since + kWarmSettled > now) return false;
    taken -= std::min(taken, oldest->memory_bytes);
    end_worker(oldest);
  }
  return true;
}

// The idle worker that has been unused for longest, and that nobody asked to keep.
std::shared_ptr<Slot> Engine::Impl::longest_unused(const Pool* except, bool warmed_only) const {
  std::shared_ptr<Slot> oldest;
  for (const auto& [key, pool] : pools) {
    if (pool.get() == except || pool->debugged) continue;
    for (const auto& slot : pool->idle) {  // the most recently used last
      if (slot->kept || (warmed_only && !slot->warmed)) continue;
      if (!oldest || slot->since < oldest->since) oldest = slot;
      break;
    }
  }
  return oldest;
}

Steady::time_point Engine::Impl::relieve(const std::optional<Memory>& memory, Steady::time_point now) {
  if (!memory) return now + kMemoryLook;
  const std::uint64_t reserve = options.memory_reserve_bytes != 0 ? options.memory_reserve_bytes : std::min(kReserveMax, memory->total_bytes / 16);
  std::uint64_t left = memory->available_bytes;
  unsigned ended = 0;
  const auto end = [&](const std::shared_ptr<Slot>& slot) {
    left += private_memory_bytes(slot->pid());
    ++ended;
    end_worker(slot);
  };
  const bool was_short = std::exchange(memory_short, left < (memory_short ? reserve + reserve / 4 : reserve));
  if (memory_short && !was_short) spdlog::warn("functions: {} MB of memory are left, so environments without a call end, those unused for longest first", left >> 20);
  while (left < reserve) {
    const auto oldest = longest_unused();
    if (!oldest) break;
    end(oldest);
  }
  for (const auto& [interpreter, runtime] : runtimes) {
    const auto generic = runtime->generic;
    for (const auto& slot : generic) {
      if (left < reserve) end(slot);
    }
  }
  if (ended > 0) spdlog::info("functions: {} environments were given back", ended);
  if (was_short && !memory_short) refill();
  return now + (memory_short ? kMemoryLookShort : kMemoryLook);
}

}  // namespace parvis::functions
