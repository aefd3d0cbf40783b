// storage/testing/fake_store.h: a second adapter for tests, as unkind as the contract allows.
//
// In-memory MVCC. A commit may take a random time, end with kUnknownOutcome (applied or not), be refused with a
// kConflict that nothing caused, and become visible before commits with smaller stamps: a snapshot then holds more than
// all commits up to its stamp(). The same seed gives the same decisions for the same order of calls.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>

#include "storage/store.h"

namespace parvis::storage::testing {

struct FakeStoreOptions {
  std::uint64_t seed = 1;
  std::chrono::microseconds latency_max{0};  // 0: commits are immediate and in order
  double unknown_outcome = 0;                // probability of each
  double forced_conflict = 0;
};

class FakeStore final : public Store {  // thread-safe
 public:
  explicit FakeStore(FakeStoreOptions options = {});
  ~FakeStore() override;
  std::shared_ptr<Snapshot> snapshot() override;
  awaitable<std::expected<Stamp, StoreError>> commit(Commit commit) override;
  Stamp stable_stamp() const override;
  std::uint64_t size_bytes() const override;
  // Every later commit fails with this, and writes nothing.
  void fail_commits_with(std::optional<StoreErrc> code);

  struct State;

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace parvis::storage::testing
