// Backups and restores over a store that forces conflicts and unknown outcomes.
#include "services/dynamodb/backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/item_store.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/query.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
const aws::Scope kScope{"000000000000", "us-east-1"};

struct World {
  explicit World(storage::testing::FakeStoreOptions options = {}) : store(options) {
    TableRecord record;
    record.name = "orders";
    record.scope = kScope;
    record.keys = {{"p", Type::kS}, std::nullopt};
    IndexRecord index;
    index.name = "by_color";
    index.keys = {{"color", Type::kS}, std::nullopt};
    record.indexes.push_back(index);
    run(catalog.create(record));
  }
  void put(const std::string& p, const std::string& color) {
    ItemWrite write;
    write.table_name = "orders";
    write.item = {{"p", AttributeValue::string(p)}, {"color", AttributeValue::string(color)}};
    run(items.write(kScope, write));
  }
  TableRecord target(const BackupRecord& backup, std::string name) {
    TableRecord out = backup.table;
    out.name = std::move(name);
    return out;
  }
  std::size_t count(const std::string& table, std::optional<std::string> index = std::nullopt) {
    PageRequest request;
    request.table_name = table;
    request.index_name = std::move(index);
    std::size_t count = 0;
    while (true) {
      const Page page = run(read_page(catalog, kScope, request));
      count += page.items.size();
      if (!page.last_key) return count;
      request.start_key = page.last_key;
    }
  }
  // As the background work does it: again until nothing is left.
  void work() {
    for (int i = 0; i < 60; ++i) run(backups.run(stop));
  }

  Clock clock;
  Entropy entropy;
  storage::testing::FakeStore store;
  Catalog catalog{store, clock, entropy};
  ItemStore items{catalog};
  Backups backups{catalog};
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
};

template <class F>
void expect_error(F call, std::string_view code) {
  try {
    run(call());
    ADD_FAILURE() << "no error";
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), code);
  }
}

// Property: a restored table holds what the table held when it was copied, with its index, whatever the store does.
TEST(BackupsProperty, ARestoredTableIsTheTableAsItWas) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  World world({.seed = seed, .unknown_outcome = 0.1, .forced_conflict = 0.1});
  for (int i = 0; i < 250; ++i) world.put(std::to_string(i), i % 2 ? "red" : "blue");
  const BackupRecord made = run(world.backups.create(kScope, "orders", "nightly"));
  world.work();
  for (int i = 0; i < 50; ++i) world.put("later " + std::to_string(i), "red");
  const BackupRecord backup = run(world.backups.find(kScope, made.arn()));
  ASSERT_TRUE(backup.available);
  EXPECT_EQ(backup.counts.items, 250);
  run(world.backups.restore(backup, world.target(backup, "restored")));
  world.work();
  EXPECT_EQ(world.count("restored"), 250u);
  EXPECT_EQ(world.count("restored", "by_color"), 250u);
  EXPECT_EQ(world.count("orders"), 300u);
}

TEST(Backups, ATableThatIsBeingRestoredIsOutOfReach) {
  World world;
  world.put("a", "red");
  const BackupRecord made = run(world.backups.create(kScope, "orders", "nightly"));
  expect_error([&] { return world.backups.restore(made, world.target(made, "restored")); }, "BackupInUseException");
  expect_error([&] { return world.backups.remove(kScope, made.arn()); }, "BackupInUseException");
  run(world.backups.run(world.stop));
  const BackupRecord backup = run(world.backups.find(kScope, made.arn()));
  expect_error([&] { return world.backups.restore(backup, world.target(backup, "orders")); }, "TableAlreadyExistsException");
  run(world.backups.restore(backup, world.target(backup, "restored")));
  expect_error([&] { return world.items.read(kScope, {{"restored", {{"p", AttributeValue::string("a")}}}}); },
               "ResourceNotFoundException");
  expect_error([&] { return world.catalog.remove(kScope, "restored"); }, "ResourceInUseException");
  expect_error([&] { return world.backups.remove(kScope, made.arn()); }, "BackupInUseException");
  run(world.backups.run(world.stop));
  EXPECT_EQ(world.count("restored"), 1u);
}

TEST(Backups, OutliveTheirTableAndLeaveNothing) {
  World world;
  world.put("a", "red");
  const BackupRecord made = run(world.backups.create(kScope, "orders", "nightly"));
  run(world.backups.run(world.stop));
  run(world.catalog.remove(kScope, "orders"));
  bool more = false;
  EXPECT_EQ(run(world.backups.list(kScope, "orders", std::nullopt, 10, more)).size(), 1u);
  run(world.backups.remove(kScope, made.arn()));
  run(world.catalog.run_purges(world.stop));
  EXPECT_TRUE(run(world.store.snapshot()->scan({})).entries.empty());
  expect_error([&] { return world.backups.find(kScope, made.arn()); }, "BackupNotFoundException");
  for (const char* arn : {"", "arn:aws:dynamodb:", "arn:aws:dynamodb:table/x/backup/y", "arn:aws:dynamodb:r:a:table/backup/", ":table/x/backup/y"}) {
    EXPECT_FALSE(BackupArn::parse(arn)) << arn;
  }
}

}  // namespace
}  // namespace parvis::dynamodb
