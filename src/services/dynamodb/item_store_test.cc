// Property: with a store that forces conflicts and unknown outcomes, every write happens exactly once, indexes match their
// items, and a Query page walk sees each item once.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/item_store.h"
#include "services/dynamodb/query.h"
#include "services/dynamodb/testing/items.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
const aws::Scope kScope{"000000000000", "us-east-1"};

struct World {
  explicit World(storage::testing::FakeStoreOptions options = {}) : store(options), catalog(store, clock, entropy), items(catalog) {
    TableRecord record;
    record.name = "orders";
    record.scope = kScope;
    record.keys = {{"p", Type::kS}, KeyAttribute{"n", Type::kN}};
    IndexRecord index;
    index.name = "by_color";
    index.keys = {{"color", Type::kS}, KeyAttribute{"n", Type::kN}};
    record.indexes.push_back(index);
    run(catalog.create(record));
  }
  Clock clock;
  Entropy entropy;
  storage::testing::FakeStore store;
  Catalog catalog;
  ItemStore items;
};

Item key(const std::string& p, std::int64_t n) { return {{"p", AttributeValue::string(p)}, {"n", number(n)}}; }

ItemWrite put(Item item) { return write_of(ItemWrite::Kind::kPut, std::move(item)); }
ItemWrite update(Item key, std::string_view text, AttributeMap values) {
  Placeholders placeholders(std::nullopt, std::move(values));
  ItemWrite write = write_of(ItemWrite::Kind::kUpdate, std::move(key));
  write.update = parse_update(text, placeholders);
  return write;
}
std::optional<Item> get(World& world, const Item& key) {
  return run(world.items.read(kScope, {{"orders", key}}))[0].item;
}

std::vector<Item> all(World& world, PageRequest request) {
  std::vector<Item> items;
  request.table_name = "orders";
  while (true) {
    Page page = run(read_page(world.catalog, kScope, request));
    for (Item& item : page.items) items.push_back(std::move(item));
    if (!page.last_key) return items;
    request.start_key = page.last_key;
  }
}

PageRequest query(std::string_view text, AttributeMap values) {
  Placeholders placeholders(std::nullopt, std::move(values));
  PageRequest request;
  request.key_condition = parse_condition(text, "KeyConditionExpression", placeholders);
  return request;
}

TEST(ItemStoreProperty, MatchesTheModelUnderConflictsAndUnknownOutcomes) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  World world({.seed = seed, .unknown_outcome = 0.1, .forced_conflict = 0.1});
  std::map<std::pair<std::string, std::int64_t>, Item> model;
  const std::string colors[] = {"red", "blue", "green"};
  for (int i = 0; i < 400; ++i) {
    const std::string p(1, static_cast<char>('a' + rng() % 3));
    const std::int64_t n = static_cast<std::int64_t>(rng() % 12) - 6;
    Item& expected = model[{p, n}];
    const int action = static_cast<int>(rng() % 4);
    if (action == 0) {
      Item item = key(p, n);
      item["v"] = number(i);
      if (rng() % 2) item["color"] = AttributeValue::string(colors[rng() % 3]);
      expected = item;
      run(world.items.write(kScope, put(item)));
    } else if (action == 1) {
      ItemWrite write;
      write.kind = ItemWrite::Kind::kDelete;
      write.table_name = "orders";
      write.item = key(p, n);
      run(world.items.write(kScope, write));
    } else {
      // A counter: an update that ran twice would show.
      run(world.items.write(kScope, update(key(p, n), "ADD hits :one", {{":one", number(1)}})));
      if (expected.empty()) expected = key(p, n);
      AttributeValue& hits = expected.try_emplace("hits", number(0)).first->second;
      hits = AttributeValue::number(*Number::add(*hits.as<Number>(), Number::from_int(1)));
    }
    if (action == 1 || expected.empty()) model.erase({p, n});
  }
  for (const std::string p : {"a", "b", "c"}) {
    for (const bool forward : {true, false}) {
      std::vector<Item> want;
      for (const auto& [k, item] : model) {
        if (k.first == p) want.push_back(item);
      }
      if (!forward) std::ranges::reverse(want);
      PageRequest request = query("p = :p", {{":p", AttributeValue::string(p)}});
      request.limit = 3;
      request.forward = forward;
      EXPECT_EQ(all(world, request), want);
    }
  }
  for (const std::string& color : colors) {
    std::multiset<std::string> want, have;
    for (const auto& [k, item] : model) {
      const auto found = item.find("color");
      if (found != item.end() && *found->second.as<std::string>() == color) want.insert(encode_item(item));
    }
    PageRequest request = query("color = :c", {{":c", AttributeValue::string(color)}});
    request.index_name = "by_color";
    request.limit = 2;
    for (const Item& item : all(world, request)) have.insert(encode_item(item));
    EXPECT_EQ(have, want) << color;
  }
  std::size_t scanned = 0;
  for (std::int64_t segment = 0; segment < 3; ++segment) {
    PageRequest request;
    request.segment = segment;
    request.total_segments = 3;
    request.limit = 4;
    scanned += all(world, request).size();
  }
  EXPECT_EQ(scanned, model.size());
}

TEST(ItemStore, ConditionFailuresGiveTheOldItemWhenAsked) {
  World world;
  Item item = key("a", 1);
  run(world.items.write(kScope, put(item)));
  Placeholders none(std::nullopt, std::nullopt);
  ItemWrite again = put(item);
  again.condition = parse_condition("attribute_not_exists(p)", "ConditionExpression", none);
  again.return_old_on_failure = true;
  try {
    run(world.items.write(kScope, again));
    FAIL();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "ConditionalCheckFailedException");
    EXPECT_EQ(error.message(), "The conditional request failed");
    EXPECT_EQ(error.members().at("Item"), boost::json::value(item_to_json(item)));
  }
}

TEST(ItemStore, TransactionsAreAtomicAndIdempotent) {
  World world({.seed = 3, .unknown_outcome = 0.2, .forced_conflict = 0.2});
  const auto increment = [] { return update(key("a", 1), "ADD hits :one", {{":one", number(1)}}); };
  for (int i = 0; i < 5; ++i) run(world.items.transact(kScope, {increment(), put(key("b", i))}, "token", "f"));
  EXPECT_EQ(get(world, key("a", 1))->at("hits"), number(1));
  EXPECT_FALSE(get(world, key("b", 3)));
  for (int i = 0; i < 20; ++i) run(world.items.transact(kScope, {increment()}, "", "f"));
  EXPECT_EQ(get(world, key("a", 1))->at("hits"), number(21));
  try {
    run(world.items.transact(kScope, {increment()}, "token", "other"));
    FAIL();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "IdempotentParameterMismatchException");
  }
  Placeholders none(std::nullopt, std::nullopt);
  ItemWrite failing = put(key("b", 0));
  failing.condition = parse_condition("attribute_not_exists(p)", "ConditionExpression", none);
  try {
    run(world.items.transact(kScope, {put(key("c", 1)), failing}, "", "f"));
    FAIL();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "TransactionCanceledException");
    EXPECT_EQ(error.message(),
              "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]");
  }
  EXPECT_FALSE(get(world, key("c", 1)));
}

TEST(Catalog, ADeletedTableLeavesNothing) {
  World world;
  Item item = key("a", 1);
  item["color"] = AttributeValue::string("red");
  run(world.items.write(kScope, put(item)));
  run(world.catalog.remove(kScope, "orders"));
  run(world.catalog.run_purges(std::make_shared<std::atomic<bool>>(false)));
  const storage::ScanPage page = run(world.store.snapshot()->scan({}));
  EXPECT_TRUE(page.entries.empty());
}

TEST(ItemStore, BackfillFillsANewIndex) {
  World world;
  for (int i = 0; i < 450; ++i) {
    Item item = key("a", i);
    item["width"] = number(i % 2);
    run(world.items.write(kScope, put(item)));
  }
  run(world.catalog.modify(kScope, "orders", [](TableRecord& record) {
    IndexRecord index;
    index.id = "new";
    index.name = "by_size";
    index.backfilling = true;
    index.keys = {{"width", Type::kN}, std::nullopt};
    record.indexes.push_back(index);
  }));
  run(world.items.backfill(kScope, "orders", "new", std::make_shared<std::atomic<bool>>(false)));
  PageRequest request = query("width = :s", {{":s", number(1)}});
  request.index_name = "by_size";
  EXPECT_EQ(all(world, request).size(), 225u);
}

}  // namespace
}  // namespace parvis::dynamodb
