// Tables on a file system that forgets what was not synced.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <boost/asio/detached.hpp>

#include "services/dynamodb/change_stream.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/query.h"
#include "services/dynamodb/testing/items.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/testing/faulty_fs.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
const aws::Scope kScope{"000000000000", "us-east-1"};
constexpr int kWriters = 4, kWritesPerRound = 20;
constexpr std::string_view kTable = "counters";

Item key(const std::string& p) { return {{"p", AttributeValue::string(p)}}; }
std::int64_t count_of(const std::optional<Item>& item) {
  return item ? std::stoll(item->at("n").as<Number>()->text()) : 0;
}

ItemWrite increment(const std::string& p) {
  ItemWrite write;
  write.kind = ItemWrite::Kind::kUpdate;
  write.table_name = kTable;
  write.item = key(p);
  Path n, group;
  n.steps.emplace_back("n");
  group.steps.emplace_back("group");
  write.update.emplace();
  write.update->adds.push_back({n, number(1)});
  SetValue value;
  value.operand = AttributeValue::string(p.substr(0, 1));
  write.update->sets.push_back({group, value});
  return write;
}

// What a writer did: each of its three counters has been sent `sent` increments, of which `acknowledged` were answered.
// The first is written alone, the other two together in transactions.
struct Counted {
  std::int64_t sent[2] = {0, 0}, acknowledged[2] = {0, 0};
};

struct Tables {
  explicit Tables(storage::Store& store) : catalog(store, clock, entropy) {}
  Clock clock;
  Entropy entropy;
  Catalog catalog;
  ItemStore items{catalog};
  ChangeStreams streams{catalog};
};

awaitable<> write_many(Tables& tables, int writer, std::uint64_t seed, Counted& counted) {
  std::mt19937_64 rng(seed);
  const std::string name = std::to_string(writer);
  try {
    for (int i = 0; i < kWritesPerRound; ++i) {
      const bool together = rng() % 2;
      ++counted.sent[together];
      if (together) co_await tables.items.transact(kScope, {increment(name + "x"), increment(name + "y")}, "", "");
      else co_await tables.items.write(kScope, increment(name + "a"));
      ++counted.acknowledged[together];
    }
  } catch (const std::exception&) {  // the power is off
  }
}

std::int64_t stored(Tables& tables, const std::string& p) {
  return count_of(run(tables.items.read(kScope, {{std::string(kTable), key(p)}}))[0].item);
}

// Each change of a key once and in order, up to what is stored.
std::map<std::string, std::int64_t> told(Tables& tables) {
  const Table table = run(tables.catalog.find(tables.catalog.store().snapshot(), kScope, std::string(kTable)));
  const Stream stream = *run(tables.streams.find(kScope, std::string(kTable), table->stream->label));
  std::map<std::string, std::int64_t> counts;
  StreamPosition from;
  while (true) {
    const ChangePage page = run(tables.streams.read(stream, from, 1000, 0));
    for (const Change& change : page.changes) {
      std::int64_t& count = counts[*change.keys->at("p").as<std::string>()];
      EXPECT_EQ(count_of(change.old_image), count);
      EXPECT_EQ(count_of(change.new_image), ++count);
    }
    if (page.changes.empty()) return counts;
    from = page.next;
  }
}

std::int64_t sum_of_index(Tables& tables, const std::string& group) {
  PageRequest request;
  request.table_name = kTable;
  request.index_name = "by_group";
  Condition condition;
  Path path;
  path.steps.emplace_back("group");
  condition.operands = {path, AttributeValue::string(group)};
  request.key_condition = condition;
  std::int64_t sum = 0;
  for (const Item& item : run(read_page(tables.catalog, kScope, request)).items) sum += count_of(item);
  return sum;
}

void expect_allowed(Tables& tables, std::vector<Counted>& all) {
  const std::map<std::string, std::int64_t> counts = told(tables);
  const auto in_stream = [&](const std::string& p) { return counts.contains(p) ? counts.at(p) : 0; };
  for (int writer = 0; writer < kWriters; ++writer) {
    const std::string name = std::to_string(writer);
    Counted& counted = all[static_cast<std::size_t>(writer)];
    const std::int64_t alone = stored(tables, name + "a"), x = stored(tables, name + "x"), y = stored(tables, name + "y");
    EXPECT_EQ(x, y) << "half a transaction";
    EXPECT_GE(alone, counted.acknowledged[0]);
    EXPECT_LE(alone, counted.sent[0]) << "counted twice";
    EXPECT_GE(x, counted.acknowledged[1]);
    EXPECT_LE(x, counted.sent[1]) << "counted twice";
    EXPECT_EQ(in_stream(name + "a"), alone);
    EXPECT_EQ(in_stream(name + "x"), x);
    EXPECT_EQ(in_stream(name + "y"), y);
    EXPECT_EQ(sum_of_index(tables, name), alone + x + y);
    counted = {{alone, x}, {alone, x}};
  }
}

void create(Tables& tables) {
  TableRecord record;
  record.name = kTable;
  record.scope = kScope;
  record.keys = {{"p", Type::kS}, std::nullopt};
  IndexRecord index;
  index.name = "by_group";
  index.keys = {{"group", Type::kS}, std::nullopt};
  record.indexes.push_back(index);
  run(tables.catalog.create(record, "NEW_AND_OLD_IMAGES"));
}

// Property: whatever a power loss takes, an acknowledged write is there once, a transaction whole, and the index and the
// stream tell what the items are.
TEST(TablesProperty, SurvivePowerLoss) {
  spdlog::set_level(spdlog::level::off);  // every round ends in a failed write
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  const storage::testing::TemporaryDirectory dir;
  std::vector<Counted> counted(kWriters);
  std::uint64_t lost_bytes = 0;
  int opened = 0;
  for (int round = 0; round < 20 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const auto fs = std::make_shared<storage::testing::FaultyFs>(rng(), round == 0 ? ~0ull : 1 + rng() % 300);
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
    {
      const auto store = storage::open_rocksdb_store(dir.path(), storage::SyncMode::kAlways,
                                                     {.write_buffer_bytes = 64u << 10, .env = env.get()});
      if (store) {
        ++opened;
        Tables tables(**store);
        if (round == 0) create(tables);
        expect_allowed(tables, counted);
        asio::io_context context;
        for (int writer = 0; writer < kWriters; ++writer) {
          asio::co_spawn(context, write_many(tables, writer, rng(), counted[static_cast<std::size_t>(writer)]), asio::detached);
        }
        context.run();
      } else {
        EXPECT_TRUE(fs->dead()) << store.error();
      }
      fs->die();
    }
    lost_bytes += fs->forget();
  }
  EXPECT_GT(opened, 8);
  EXPECT_GT(lost_bytes, 0u);
}

}  // namespace
}  // namespace parvis::dynamodb
