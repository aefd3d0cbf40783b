// The sizes of item collections, over a store that forces conflicts and unknown outcomes: always those of the items and entries
// that are there, and held to their limit.
#include "services/dynamodb/collections.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/backups.h"
#include "services/dynamodb/expiry.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/testing/items.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
using Sizes = std::map<std::string, std::int64_t>;  // by the rest of the collection's key
const aws::Scope kScope{"000000000000", "us-east-1"};

IndexRecord index_on(std::string name, KeySchema keys, bool global, Projected projected) {
  IndexRecord index;
  index.id = index.name = std::move(name);
  index.keys = std::move(keys);
  index.global = global;
  index.projected = projected;
  return index;
}

struct World {
  explicit World(storage::testing::FakeStoreOptions options = {}) : store(options) {
    TableRecord record;
    record.name = "orders";
    record.scope = kScope;
    record.keys = {{"p", Type::kS}, KeyAttribute{"n", Type::kN}};
    record.indexes.push_back(index_on("by_color", {{"p", Type::kS}, KeyAttribute{"color", Type::kS}}, false, Projected::kAll));
    record.indexes.push_back(index_on("by_width", {{"p", Type::kS}, KeyAttribute{"width", Type::kN}}, false, Projected::kKeysOnly));
    record.indexes.push_back(index_on("all_colors", {{"color", Type::kS}, std::nullopt}, true, Projected::kAll));
    record.counts_collections = true;
    run(catalog.create(record));
  }
  Table table(const std::string& name = "orders") { return *run(catalog.find_if(store.snapshot(), kScope, name)); }
  std::vector<storage::Entry> entries(const std::string& prefix) {
    return run(store.snapshot()->scan({.begin = prefix, .end = storage::prefix_end(prefix), .limit = 100'000, .bytes_max = 1u << 30})).entries;
  }
  Sizes kept(const std::string& name = "orders") {
    const std::string prefix = collections_prefix(kScope, table(name)->id);
    Sizes out;
    for (const storage::Entry& entry : entries(prefix)) out[entry.key.substr(prefix.size())] = decode_collection_bytes(entry.value);
    return out;
  }
  // From the items and entries that are there.
  Sizes counted(const std::string& name = "orders") {
    const Table of = table(name);
    Sizes out;
    const auto add = [&](const std::string& prefix) {
      for (const storage::Entry& entry : entries(prefix)) {
        const Item item = decode_stored(entry.value).item;
        std::string key = collection_key(*of, item);
        out[key.substr(collections_prefix(kScope, of->id).size())] += static_cast<std::int64_t>(item_size_bytes(item));
      }
    };
    add(items_prefix(kScope, of->id));
    for (const IndexRecord& index : of->indexes) {
      if (!index.global) add(index_prefix(kScope, of->id, index.id));
    }
    return out;
  }

  ManualClock clock{Millis(std::chrono::seconds(1'790'000'000))};
  Entropy entropy;
  storage::testing::FakeStore store;
  Catalog catalog{store, clock, entropy};
  ItemStore items{catalog};
};

Item key(const std::string& p, std::int64_t n) { return {{"p", AttributeValue::string(p)}, {"n", number(n)}}; }

ItemWrite put(const std::string& p, std::int64_t n, std::size_t bytes) {
  Item item = key(p, n);
  item["text"] = AttributeValue::string(std::string(bytes, 'x'));
  return write_of(ItemWrite::Kind::kPut, std::move(item));
}
ItemWrite random_write(std::mt19937_64& rng, std::int64_t n) {
  const std::string p(1, static_cast<char>('a' + rng() % 3));
  if (rng() % 4 == 0) return write_of(ItemWrite::Kind::kDelete, key(p, n));
  ItemWrite write = put(p, n, rng() % 50);
  if (rng() % 2) write.item["color"] = AttributeValue::string(rng() % 2 ? "red" : "green");
  if (rng() % 2) write.item["width"] = number(static_cast<std::int64_t>(rng() % 100));
  return write;
}

TEST(CollectionProperty, SizesAreThoseOfTheItemsAndEntriesThatAreThere) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  World world({.seed = seed, .unknown_outcome = 0.1, .forced_conflict = 0.1});
  for (int i = 0; i < 200; ++i) {
    std::vector<ItemWrite> writes;
    for (std::int64_t n = 0; n < static_cast<std::int64_t>(1 + rng() % 4); ++n) writes.push_back(random_write(rng, n * 10 + static_cast<std::int64_t>(rng() % 8)));
    const auto way = rng() % 3;
    if (way == 0) run(world.items.write(kScope, writes[0]));
    else if (way == 1) run(world.items.transact(kScope, writes, "", "f"));
    else run(world.items.write_batch(kScope, writes));
    ASSERT_EQ(world.kept(), world.counted()) << "after write " << i;
  }
  for (const std::string p : {"a", "b", "c"}) {
    for (std::int64_t n = 0; n < 40; ++n) run(world.items.write(kScope, write_of(ItemWrite::Kind::kDelete, key(p, n))));
  }
  EXPECT_TRUE(world.kept().empty());
}

struct ThrownBy {
  std::string code, message;
};
template <class Call>
ThrownBy thrown_by(Call call) {
  try {
    run(call());
  } catch (const aws::ApiError& error) {
    return {error.code(), error.message()};
  }
  return {};
}

TEST(Collections, GrowToTheirLimitAndNoFurther) {
  World world;
  world.items.set_collection_bytes_max(1000);
  run(world.items.write(kScope, put("a", 1, 900)));
  const Sizes before = world.kept();
  const ThrownBy alone = thrown_by([&] { return world.items.write(kScope, put("a", 2, 100)); });
  EXPECT_EQ(alone.code, "ItemCollectionSizeLimitExceededException");
  EXPECT_EQ(alone.message, "Collection size exceeded.");
  EXPECT_EQ(thrown_by([&] { return world.items.write_batch(kScope, {put("b", 1, 1), put("a", 2, 100)}); }).code,
            "ItemCollectionSizeLimitExceededException");
  const ThrownBy transaction = thrown_by([&] { return world.items.transact(kScope, {put("b", 1, 1), put("a", 2, 100)}, "", "f"); });
  EXPECT_EQ(transaction.code, "TransactionCanceledException");
  EXPECT_THAT(transaction.message, testing::HasSubstr("[None, ItemCollectionSizeLimitExceeded]"));
  EXPECT_EQ(world.kept(), before);
  EXPECT_EQ(world.counted(), before);
  // Other collections, and what does not grow, go on.
  run(world.items.write(kScope, put("b", 1, 900)));
  world.items.set_collection_bytes_max(10);
  run(world.items.write(kScope, put("a", 1, 800)));
  run(world.items.write(kScope, write_of(ItemWrite::Kind::kDelete, key("a", 1))));
  EXPECT_EQ(world.kept().size(), 1u);
}

TEST(Collections, ResultsTellTheSizeAfterwards) {
  World world;
  const ItemWriteResult first = run(world.items.write(kScope, put("a", 1, 10)));
  const ItemWriteResult second = run(world.items.write(kScope, put("a", 2, 10)));
  EXPECT_EQ(second.collection_bytes, 2 * first.collection_bytes.value());
  EXPECT_EQ(run(world.items.write(kScope, write_of(ItemWrite::Kind::kDelete, key("a", 3)))).collection_bytes, second.collection_bytes);
}

TEST(Collections, ExpiryTakesItsItemsAway) {
  World world({.seed = 5, .unknown_outcome = 0.1, .forced_conflict = 0.1});
  run(world.catalog.modify_with(kScope, "orders", [](TableRecord& record, storage::Commit& commit) {
    if (record.ttl_id.empty()) start_expiry(record, "ttl1", "expires", commit);
  }));
  for (int i = 0; i < 60; ++i) {
    ItemWrite write = put(i % 2 ? "a" : "b", i, 10);
    if (i % 3) write.item["expires"] = number(1'780'000'000);
    write.item["color"] = AttributeValue::string("red");
    run(world.items.write(kScope, write));
  }
  Expiry expiry{world.items};
  for (int i = 0; i < 60; ++i) run(expiry.sweep(std::make_shared<std::atomic<bool>>(false)));
  EXPECT_EQ(world.entries(items_prefix(kScope, world.table()->id)).size(), 20u);
  EXPECT_EQ(world.kept(), world.counted());
}

TEST(Collections, RestoredTablesAreCounted) {
  World world;
  for (int i = 0; i < 350; ++i) {
    ItemWrite write = put(std::string(1, static_cast<char>('a' + i % 5)), i, static_cast<std::size_t>(i));
    if (i % 2) write.item["color"] = AttributeValue::string("red");
    run(world.items.write(kScope, write));
  }
  Backups backups{world.catalog};
  const auto stop = std::make_shared<std::atomic<bool>>(false);
  const BackupRecord made = run(backups.create(kScope, "orders", "copy"));
  run(backups.run(stop));
  const BackupRecord backup = run(backups.find(kScope, made.arn()));
  TableRecord target = backup.table;
  target.name = "restored";
  run(backups.restore(backup, target));
  run(backups.run(stop));
  EXPECT_EQ(world.kept("restored"), world.kept());
  EXPECT_EQ(world.kept("restored"), world.counted("restored"));
}

TEST(Collections, ADeletedTableLeavesNoSizes) {
  World world;
  run(world.items.write(kScope, put("a", 1, 10)));
  const std::string prefix = collections_prefix(kScope, world.table()->id);
  run(world.catalog.remove(kScope, "orders"));
  run(world.catalog.run_purges(std::make_shared<std::atomic<bool>>(false)));
  EXPECT_TRUE(world.entries(prefix).empty());
}

}  // namespace
}  // namespace parvis::dynamodb
