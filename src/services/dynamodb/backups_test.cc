// Backups and restores over a store that forces conflicts and unknown outcomes.
#include "services/dynamodb/backups.h"

#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/history.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/query.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
const aws::Scope kScope{"000000000000", "us-east-1"};
constexpr std::int64_t kStartMs = 1'790'000'000'000;

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
  void remove(const std::string& p) {
    ItemWrite write;
    write.kind = ItemWrite::Kind::kDelete;
    write.table_name = "orders";
    write.item = {{"p", AttributeValue::string(p)}};
    run(items.write(kScope, write));
  }
  void set_time(std::int64_t ms) { clock.set(Millis(std::chrono::milliseconds(ms))); }
  Table table(const std::string& name) { return *run(catalog.find_if(store.snapshot(), kScope, name)); }
  void keep_history(int days) {
    run(catalog.modify_with(kScope, "orders", [&](TableRecord& record, storage::Commit& commit) {
      if (!record.history) start_history(record, "history1", days, clock.due().time_since_epoch().count(), commit);
    }));
  }
  std::map<std::string, std::string> colors(const std::string& table) {
    PageRequest request;
    request.table_name = table;
    request.limit = 1000;
    std::map<std::string, std::string> out;
    for (const Item& item : run(read_page(catalog, kScope, request)).items) {
      out[*item.at("p").as<std::string>()] = *item.at("color").as<std::string>();
    }
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
    for (int i = 0; i < 60; ++i) run(history.run(stop));
  }

  ManualClock clock{Millis(std::chrono::milliseconds(kStartMs))};
  Entropy entropy;
  storage::testing::FakeStore store;
  Catalog catalog{store, clock, entropy};
  ItemStore items{catalog};
  Backups backups{catalog};
  History history{catalog};
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

// Property: a table can be had as it was at any moment, whatever the store does meanwhile.
TEST(HistoryProperty, EveryMomentComesBack) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  World world({.seed = seed, .unknown_outcome = 0.05, .forced_conflict = 0.05});
  world.put("from before", "red");
  world.keep_history(35);
  std::vector<std::map<std::string, std::string>> moments;
  std::map<std::string, std::string> model{{"from before", "red"}};
  for (int i = 0; i < 300; ++i) {
    world.set_time(kStartMs + i * 1000);
    const std::string p = std::to_string(rng() % 20), color = rng() % 2 ? "red" : "blue";
    if (rng() % 3 == 0) {
      world.remove(p);
      model.erase(p);
    } else {
      world.put(p, color);
      model[p] = color;
    }
    moments.push_back(model);
  }
  for (const std::size_t moment : {std::size_t{0}, std::size_t{rng() % 300}, std::size_t{rng() % 300}, std::size_t{299}}) {
    const std::string name = "at-" + std::to_string(moment) + "-" + std::to_string(rng() % 1000);
    const Table source = world.table("orders");
    TableRecord target = *source;
    target.name = name;
    target.history.reset();
    run(world.history.restore(source, target, kStartMs + static_cast<std::int64_t>(moment) * 1000));
    world.work();
    EXPECT_EQ(world.colors(name), moments[moment]) << moment;
    EXPECT_EQ(world.count(name, "by_color"), moments[moment].size());
  }
  EXPECT_EQ(world.colors("orders"), model);
}

TEST(History, IsTrimmedAndGoesWithTheTable) {
  World world;
  world.keep_history(1);
  world.put("a", "red");
  world.set_time(kStartMs + 25 * 60 * 60 * 1000);
  world.put("a", "blue");
  run(world.history.trim(world.stop));
  const std::string prefix = history_prefix(kScope, "history1");
  storage::ScanOptions options;
  options.begin = prefix;
  options.end = storage::prefix_end(prefix);
  EXPECT_EQ(run(world.store.snapshot()->scan(options)).entries.size(), 1u);
  EXPECT_EQ(earliest_ms(*world.table("orders")->history, kStartMs + 25 * 60 * 60 * 1000), kStartMs + 60 * 60 * 1000);
  run(world.catalog.remove(kScope, "orders"));
  run(world.catalog.run_purges(world.stop));
  EXPECT_TRUE(run(world.store.snapshot()->scan({})).entries.empty());
}

TEST(History, ARestoreWhoseSourceIsGoneLeavesNoTable) {
  World world;
  world.keep_history(35);
  world.put("a", "red");
  const Table source = world.table("orders");
  TableRecord target = *source;
  target.name = "restored";
  target.history.reset();
  run(world.history.restore(source, target, kStartMs));
  run(world.catalog.remove(kScope, "orders"));
  world.work();
  EXPECT_FALSE(run(world.catalog.find_if(world.store.snapshot(), kScope, "restored")));
}

}  // namespace
}  // namespace parvis::dynamodb
