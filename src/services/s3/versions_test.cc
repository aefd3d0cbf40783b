// Property: whatever is put, deleted and switched, a key has the versions that a plain list of them has.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "services/s3/operations.h"
#include "services/s3/versions.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::s3 {
namespace {

using storage::testing::run;

const aws::Scope kScope{"000000000000", "us-east-1"};

// S3 User Guide, in a few lines: versions of one key, newest first.
struct Model {
  struct Version { std::string id, body; bool marker; };
  std::vector<Version> versions;
  void add(Version version, const std::string& versioning) {
    if (versioning != "Enabled") std::erase_if(versions, [](const Version& v) { return v.id == "null"; });
    versions.insert(versions.begin(), std::move(version));
  }
};

class KeyVersions : public testing::Test {
 protected:
  Versions load() {
    Versions versions(kScope, bucket, "k");
    run(versions.load(store.snapshot(), true));
    return versions;
  }
  void commit(storage::Commit write) { ASSERT_TRUE(run(store.commit(std::move(write)))); }
  Versions::Now now() { return {++ms / 3, entropy, blobs}; }  // a clock that stands still now and then

  Entropy entropy;
  ManualClock clock{Millis{}};
  storage::testing::FakeStore store;
  storage::BlobStore blobs{store, entropy, clock, "data"};
  BucketRecord bucket;
  std::int64_t ms = 1000;
};

TEST_F(KeyVersions, AreWhatAListOfThemIs) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  bucket.id = "b";
  Model model;
  for (int step = 0; step < 400; ++step) {
    storage::Commit write;
    const Versions at = load();
    const auto choice = random() % 10;
    if (choice == 0) {
      if (step > 50) bucket.versioning = random() % 2 ? "Enabled" : "Suspended";
    } else if (choice < 5) {
      ObjectRecord record;
      record.etag = std::to_string(step);
      at.put(record, now(), write);
      model.add({shown_version(record), record.etag, false}, bucket.versioning);
    } else if (choice < 8) {
      const auto marker = at.remove(now(), write);
      EXPECT_EQ(marker.has_value(), !bucket.versioning.empty());
      if (marker) model.add({shown_version(*marker), "", true}, bucket.versioning);
      else model.versions.clear();
    } else if (!model.versions.empty()) {
      const std::size_t which = random() % model.versions.size();
      const auto found = run(at.find(model.versions[which].id));
      ASSERT_TRUE(found) << model.versions[which].id;
      at.remove_version(*found, now(), write);
      model.versions.erase(model.versions.begin() + static_cast<std::ptrdiff_t>(which));
    }
    commit(std::move(write));

    const Versions is = load();
    const bool visible = !model.versions.empty() && !model.versions[0].marker;
    ASSERT_EQ(is.current() != nullptr, visible) << "step " << step;
    if (visible) EXPECT_EQ(is.current()->etag, model.versions[0].body);
    EXPECT_EQ(is.marker() != nullptr, !model.versions.empty() && model.versions[0].marker);
    for (const Model::Version& version : model.versions) {
      const auto found = run(is.find(version.id));
      ASSERT_TRUE(found) << "step " << step << " version " << version.id;
      EXPECT_EQ(found->record.etag, version.body);
      EXPECT_EQ(found->record.delete_marker, version.marker);
    }
    // No version more than these, and they stand in their order.
    const auto stored = run(store.snapshot()->scan({.begin = version_prefix(kScope, "b"), .end = storage::prefix_end(version_prefix(kScope, "b"))})).entries;
    ASSERT_EQ(stored.size() + (visible ? 1 : 0), model.versions.size()) << "step " << step;
    for (std::size_t i = 0; i < stored.size(); ++i)
      EXPECT_EQ(shown_version(parse_object(stored[i].value)), model.versions[i + (visible ? 1 : 0)].id) << "step " << step;
    const bool null_stored = std::any_of(stored.begin(), stored.end(), [](const auto& entry) { return parse_object(entry.value).version_id.empty(); });
    EXPECT_EQ(run(store.snapshot()->get(null_key(kScope, "b", "k"))).has_value(), null_stored) << "step " << step;
  }
}

TEST_F(KeyVersions, APlanOfYesterdayDoesNotCommit) {
  bucket.id = "b";
  bucket.versioning = "Enabled";
  const Versions before = load();
  ObjectRecord first, second;
  storage::Commit one, two, marker;
  before.put(first, now(), one);
  before.put(second, now(), two);
  before.remove(now(), marker);
  ASSERT_TRUE(run(store.commit(std::move(one))));
  EXPECT_FALSE(run(store.commit(std::move(two))));
  EXPECT_FALSE(run(store.commit(std::move(marker))));
}

// ---- the collector, and readers that are slower than it
TEST(Collector, LeavesWhatIsRead) {
  Entropy entropy;
  ManualClock clock{Millis{std::chrono::hours(1)}};
  storage::testing::FakeStore store;
  Service service(store, clock, entropy);
  aws::Registry registry;
  service.bind(registry);
  aws::CallContext call;
  call.scope = kScope;
  const auto ask = [&]<class Op>(Op, typename Op::Input in) {
    auto handler = registry.find("s3", Op::model().name)->handler;
    return *std::static_pointer_cast<typename Op::Output>(run(handler(call, std::make_shared<typename Op::Input>(std::move(in)))));
  };
  model::CreateBucketInput bucket;
  bucket.bucket = "bucket";
  ask(model::CreateBucket{}, bucket);
  const std::string bytes(700'000, 'x');
  model::PutObjectInput put;
  put.bucket = "bucket";
  put.key = "k";
  put.body = aws::Body(bytes);
  ask(model::PutObject{}, put);
  model::GetObjectInput get;
  get.bucket = "bucket";
  get.key = "k";
  auto answer = ask(model::GetObject{}, get);
  std::string read = *run(answer.body->source->read());
  model::DeleteObjectInput gone;
  gone.bucket = "bucket";
  gone.key = "k";
  ask(model::DeleteObject{}, gone);
  const auto chunks = [&] {
    std::size_t bytes_left = 0;
    for (const auto& entry : run(store.snapshot()->scan({.begin = {}, .end = {}, .limit = 1000, .bytes_max = 64u << 20})).entries) bytes_left += entry.value.size();
    return bytes_left;
  };
  clock.set(clock.wall() + std::chrono::hours(2));
  run(service.collect());
  while (auto piece = run(answer.body->source->read())) read += *piece;
  EXPECT_EQ(read, bytes);
  EXPECT_GT(chunks(), bytes.size());
  answer = {};
  run(service.collect());
  EXPECT_LT(chunks(), 10'000u);
}

}  // namespace
}  // namespace parvis::s3
