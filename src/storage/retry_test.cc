// Commits over a store whose answers get lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/retry.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::storage {
namespace {

using testing::FakeStore;
using testing::run;

class Retry : public ::testing::Test {
 protected:
  static constexpr int kTimes = 200;
  // Half of all answers are lost, half of those before the commit was applied.
  FakeStore store_{{.seed = testing::test_seed(), .latency_max = {}, .unknown_outcome = 0.5, .forced_conflict = 0}};
  std::optional<Value> get(const std::string& key) { return run(store_.snapshot()->get(key)); }
};

TEST_F(Retry, ARepeatableCommitArrivesOrSaysThatNobodyKnows) {
  int known = 0;
  for (int i = 0; i < kTimes; ++i) {
    const std::string key = std::to_string(i);
    const auto done = run(commit_repeatable(store_, Commit().put(key, "v")));
    known += done.has_value();
    if (done) EXPECT_TRUE(get(key));
    else EXPECT_EQ(done.error().code, StoreErrc::kUnknownOutcome);
  }
  EXPECT_GT(known, kTimes * 8 / 10);
}

TEST_F(Retry, AReplacementKnowsItsOwnRecordAgain) {
  std::optional<Version> version;
  int known = 0;
  for (int i = 0; i < kTimes; ++i) {
    const std::string bytes = std::to_string(i);
    const auto done = run(replace(store_, {"k", version, bytes}));
    if (done) {
      ++known;
      EXPECT_EQ(get("k")->bytes, bytes);
      EXPECT_EQ(get("k")->version, *done);
    } else {
      EXPECT_EQ(done.error().code, StoreErrc::kUnknownOutcome) << "no one else writes this record";
    }
    const auto now = get("k");
    version = now ? std::optional(now->version) : std::nullopt;
  }
  EXPECT_GT(known, kTimes * 8 / 10);
}

TEST_F(Retry, AnErasureThatArrivedIsDone) {
  for (int i = 0; i < kTimes; ++i) {
    while (!get("k")) run(store_.commit(Commit().put("k", "v")));
    const auto done = run(replace(store_, {"k", get("k")->version, std::nullopt}));
    if (done) EXPECT_FALSE(get("k"));
    else EXPECT_EQ(done.error().code, StoreErrc::kUnknownOutcome);
  }
}

TEST(RetryConflict, AnotherWriterIsAConflict) {
  FakeStore store;
  const Stamp stamp = run(store.commit(Commit().put("k", "theirs"))).value();
  EXPECT_EQ(run(replace(store, {"k", std::nullopt, "ours"})).error().code, StoreErrc::kConflict);
  EXPECT_EQ(run(replace(store, {"k", stamp, "ours", Commit().check("other", stamp)})).error().key, "other");
  EXPECT_EQ(run(store.snapshot()->get("k"))->bytes, "theirs");
}

TEST(RetryConflict, AfterAnUnknownOutcomeAnotherWritersRecordIsAConflict) {
  FakeStore store({.seed = 1, .latency_max = {}, .unknown_outcome = 1, .forced_conflict = 0});
  const auto done = run(replace(store, {"k", std::nullopt, "ours"}));
  // Every answer is lost: only the record itself can tell.
  if (done) EXPECT_EQ(run(store.snapshot()->get("k"))->bytes, "ours");
  else EXPECT_EQ(done.error().code, StoreErrc::kUnknownOutcome);
}

}  // namespace
}  // namespace parvis::storage
