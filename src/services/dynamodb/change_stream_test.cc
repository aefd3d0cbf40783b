// Streams and expiry over a store that forces conflicts, unknown outcomes and commits that appear out of order.
#include "services/dynamodb/change_stream.h"

#include <random>

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/change_codec.h"
#include "services/dynamodb/expiry.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/shard_iterator.h"
#include "services/dynamodb/testing/items.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
const aws::Scope kScope{"000000000000", "us-east-1"};
constexpr std::int64_t kStartMs = 1'790'000'000'000;

Millis at(std::int64_t ms) { return Millis(std::chrono::milliseconds(ms)); }

struct World {
  explicit World(std::string view = "NEW_AND_OLD_IMAGES", storage::testing::FakeStoreOptions options = {}) : store(options) {
    TableRecord record;
    record.name = "orders";
    record.scope = kScope;
    record.keys = {{"p", Type::kS}, std::nullopt};
    run(catalog.create(record, std::move(view)));
  }
  Table table() { return run(catalog.find(store.snapshot(), kScope, "orders")); }
  Stream stream() { return *run(streams.find(kScope, "orders", table()->stream->label)); }
  std::vector<Change> changes() { return run(streams.read(stream(), {}, 1000, 0)).changes; }
  void enable_expiry() {
    run(catalog.modify_with(kScope, "orders", [](TableRecord& record, storage::Commit& commit) {
      start_expiry(record, "ttl1", "expires", commit);
    }));
  }
  void sweep() { run(expiry.sweep(stop)); }

  ManualClock clock{at(kStartMs)};
  Entropy entropy;
  storage::testing::FakeStore store;
  Catalog catalog{store, clock, entropy};
  ItemStore items{catalog};
  ChangeStreams streams{catalog};
  Expiry expiry{items};
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
};

Item key(const std::string& p) { return {{"p", AttributeValue::string(p)}}; }
Item item(const std::string& p, std::int64_t v) { return {{"p", AttributeValue::string(p)}, {"v", number(v)}}; }

void put(World& world, Item body) { run(world.items.write(kScope, write_of(ItemWrite::Kind::kPut, std::move(body)))); }
void remove(World& world, const std::string& p) { run(world.items.write(kScope, write_of(ItemWrite::Kind::kDelete, key(p)))); }
std::optional<Item> get(World& world, const std::string& p) { return run(world.items.read(kScope, {{"orders", key(p)}}))[0].item; }

TEST(ChangeStream, RecordsInsertModifyRemoveAndNothingForAPutThatChangesNothing) {
  World world;
  put(world, item("a", 1));
  put(world, item("a", 1));
  put(world, item("a", 2));
  remove(world, "a");
  remove(world, "a");
  const std::vector<Change> changes = world.changes();
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].kind, ChangeKind::kInsert);
  EXPECT_EQ(changes[0].keys, key("a"));
  EXPECT_FALSE(changes[0].old_image);
  EXPECT_EQ(changes[1].kind, ChangeKind::kModify);
  EXPECT_EQ(changes[1].old_image, item("a", 1));
  EXPECT_EQ(changes[1].new_image, item("a", 2));
  EXPECT_EQ(changes[2].kind, ChangeKind::kRemove);
  EXPECT_EQ(changes[2].old_image, item("a", 2));
  EXPECT_FALSE(changes[2].new_image || changes[2].expired);
  EXPECT_EQ(changes[0].created_ms, kStartMs);
}

struct ViewCase { const char* view; bool old_image, new_image; };
class ViewTypes : public testing::TestWithParam<ViewCase> {};
TEST_P(ViewTypes, DecideWhichImagesARecordHas) {
  World world(GetParam().view);
  put(world, item("a", 1));
  put(world, item("a", 2));
  const Change change = world.changes().at(1);
  EXPECT_EQ(change.old_image.has_value(), GetParam().old_image);
  EXPECT_EQ(change.new_image.has_value(), GetParam().new_image);
}
INSTANTIATE_TEST_SUITE_P(All, ViewTypes,
                         testing::Values(ViewCase{"KEYS_ONLY", false, false}, ViewCase{"NEW_IMAGE", false, true},
                                         ViewCase{"OLD_IMAGE", true, false}, ViewCase{"NEW_AND_OLD_IMAGES", true, true}),
                         [](const auto& info) { return info.param.view; });

TEST(ChangeStream, ATransactionsRecordsHavePlacesOfTheirOwn) {
  World world;
  run(world.items.transact(kScope, {write_of(ItemWrite::Kind::kPut, item("a", 1)), write_of(ItemWrite::Kind::kPut, item("b", 1))}, "", "f"));
  const std::vector<Change> changes = world.changes();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].position.stamp, changes[1].position.stamp);
  EXPECT_LT(changes[0].position, changes[1].position);
  EXPECT_LT(changes[0].position.sequence_number(), changes[1].position.sequence_number());
  EXPECT_EQ(StreamPosition::parse(changes[1].position.sequence_number()), changes[1].position);
}

awaitable<void> write_some(World& world, std::uint64_t seed, int count) {
  std::mt19937_64 rng(seed);
  for (int i = 0; i < count; ++i) {
    const std::string p(1, static_cast<char>('a' + rng() % 4));
    const auto value = static_cast<std::int64_t>(rng() % 3);
    try {
      if (rng() % 4 == 0) co_await world.items.write(kScope, write_of(ItemWrite::Kind::kDelete, key(p)));
      else if (rng() % 3 == 0) {
        std::vector<ItemWrite> both{write_of(ItemWrite::Kind::kPut, item(p, value)), write_of(ItemWrite::Kind::kPut, item("t", value))};
        co_await world.items.transact(kScope, std::move(both), "", "f");
      } else co_await world.items.write(kScope, write_of(ItemWrite::Kind::kPut, item(p, value)));
    } catch (const aws::ApiError& error) {
      // Only what a busy store may answer.
      EXPECT_THAT(error.code(), testing::AnyOf("ThrottlingException", "TransactionCanceledException"));
    }
  }
}

awaitable<void> follow(World& world, Stream stream, std::vector<Change>& seen, const bool& done) {
  StreamPosition from;
  for (bool last = false; !last;) {
    last = done;
    ChangePage page = co_await world.streams.read(stream, from, 5, 0);
    if (!page.changes.empty()) last = false;
    std::ranges::move(page.changes, std::back_inserter(seen));
    from = page.next;
    co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
  }
}

// Property: a follower that only ever reads on sees each change once, and the changes of a key lead from one image to the
// next, from nothing to what is stored. Method: concurrent writers on a slow store whose commits appear out of order.
TEST(ChangeStreamProperty, EachChangeOnceAndInOrderPerKey) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  World world("NEW_AND_OLD_IMAGES", {.seed = seed, .latency_max = std::chrono::microseconds(300), .unknown_outcome = 0.05, .forced_conflict = 0.05});
  asio::io_context context;
  int writing = 4;
  bool done = false;
  for (int i = 0; i < 4; ++i) {
    asio::co_spawn(context, write_some(world, seed + static_cast<std::uint64_t>(i), 60), [&](std::exception_ptr error) {
      EXPECT_FALSE(error);
      done = --writing == 0;
    });
  }
  std::vector<Change> seen;
  asio::co_spawn(context, follow(world, world.stream(), seen, done), [](std::exception_ptr error) { EXPECT_FALSE(error); });
  context.run_for(std::chrono::seconds(60));
  ASSERT_TRUE(done);
  EXPECT_GT(seen.size(), 50u);
  std::map<Item, std::optional<Item>, decltype([](const Item& a, const Item& b) { return encode_item(a) < encode_item(b); })> state;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (i > 0) EXPECT_LT(seen[i - 1].position, seen[i].position);
    std::optional<Item>& now = state[*seen[i].keys];
    EXPECT_EQ(seen[i].old_image, now) << "change " << i;
    EXPECT_NE(seen[i].old_image, seen[i].new_image);
    now = seen[i].new_image;
  }
  for (const std::string p : {"a", "b", "c", "d", "t"}) EXPECT_EQ(get(world, p), state[key(p)]) << p;
}

TEST(ChangeStream, IsTrimmedAfterADay) {
  World world;
  put(world, item("a", 1));
  const StreamPosition first = world.changes().at(0).position;
  world.clock.set(at(kStartMs + kStreamLifeMs / 2));
  put(world, item("b", 1));
  world.clock.set(at(kStartMs + kStreamLifeMs + 1));
  EXPECT_EQ(world.changes().size(), 1u);  // hidden before it is trimmed
  run(world.streams.trim(world.stop));
  EXPECT_EQ(world.changes().size(), 1u);
  try {
    run(world.streams.read(world.stream(), first, 10, 0));
    ADD_FAILURE();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "TrimmedDataAccessException");
  }
  EXPECT_EQ(run(world.streams.read(world.stream(), first.next(), 10, 0)).changes.size(), 1u);
}

TEST(ChangeStream, OfADeletedTableStaysForADayAndLeavesNothing) {
  World world;
  put(world, item("a", 1));
  const Stream open = world.stream();
  run(world.catalog.remove(kScope, "orders"));
  const std::optional<Stream> closed = run(world.streams.find(kScope, "orders", open.record.label));
  ASSERT_TRUE(closed && closed->last);
  const ChangePage page = run(world.streams.read(*closed, {}, 10, 0));
  EXPECT_EQ(page.changes.size(), 1u);
  EXPECT_TRUE(page.ended);
  world.clock.set(at(kStartMs + kStreamLifeMs));
  EXPECT_FALSE(run(world.streams.find(kScope, "orders", open.record.label)));
  run(world.streams.trim(world.stop));
  run(world.catalog.run_purges(world.stop));
  EXPECT_TRUE(run(world.store.snapshot()->scan({})).entries.empty());
}

TEST(ChangeStream, ShardIteratorsReadBackAndHostileOnesDoNot) {
  const ShardIterator iterator{"arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-24T10:00:00.000", {7, 3}, 5, 9};
  const auto read = ShardIterator::parse(iterator.to_string());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->stream_arn, iterator.stream_arn);
  EXPECT_EQ(read->from, iterator.from);
  EXPECT_EQ(StreamArn::parse(read->stream_arn)->label, "2026-11-24T10:00:00.000");
  for (const char* text : {"", "|1|", "a|1|!!!", "a|1|AAAA", "|1||1|", "arn"}) EXPECT_FALSE(ShardIterator::parse(text)) << text;
  for (const char* arn : {"arn:aws:dynamodb:", "arn:aws:dynamodb:r:a:table/t", "arn:aws:dynamodb:r:a:table//stream/", "arn:aws:dynamodb:r:a:/stream/x", "x"}) {
    EXPECT_FALSE(StreamArn::parse(arn)) << arn;
  }
  for (const char* number : {"", "1", "99999999999999999999999", "20000000000000000000x"}) EXPECT_FALSE(StreamPosition::parse(number)) << number;
}

TEST(ChangeCodec, RefusesDamagedBytes) {
  Change change;
  change.keys = key("a");
  change.new_image = item("a", 1);
  const std::string bytes = encode_change(change);
  EXPECT_EQ(decode_change(bytes).new_image, change.new_image);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_THROW(decode_change(bytes.substr(0, size)), aws::ApiError) << size;
  EXPECT_THROW(decode_change(bytes + "x"), aws::ApiError);
}

TEST(Expiry, DeletesWhatIsDueAndMarksTheRecord) {
  World world;
  const std::int64_t now_s = kStartMs / 1000;
  const auto expiring = [](const std::string& p, AttributeValue when) { return Item{{"p", AttributeValue::string(p)}, {"expires", std::move(when)}}; };
  put(world, expiring("before", number(now_s - 1)));  // from before it was turned on
  world.enable_expiry();
  EXPECT_TRUE(world.table()->ttl_filling);
  world.sweep();
  EXPECT_FALSE(world.table()->ttl_filling);
  put(world, expiring("due", number(now_s)));
  put(world, expiring("later", number(now_s + 1)));
  put(world, expiring("text", AttributeValue::string(std::to_string(now_s - 1))));
  put(world, expiring("ancient", number(now_s - 6 * 365 * 86400)));
  put(world, expiring("prolonged", number(now_s - 1)));
  put(world, expiring("prolonged", number(now_s + 1000)));
  put(world, item("never", 1));
  world.sweep();
  EXPECT_FALSE(get(world, "before"));
  EXPECT_FALSE(get(world, "due"));
  for (const char* p : {"later", "text", "ancient", "prolonged", "never"}) EXPECT_TRUE(get(world, p)) << p;
  put(world, expiring("long ago", number(now_s - 2 * 60 * 60)));
  world.clock.set(at(kStartMs + 1000));
  for (int i = 0; i < 60; ++i) world.sweep();  // only one in sixty looks so far back
  EXPECT_FALSE(get(world, "long ago"));
  EXPECT_FALSE(get(world, "later"));
  const std::vector<Change> changes = world.changes();
  EXPECT_EQ(std::ranges::count(changes, true, &Change::expired), 4);
  EXPECT_TRUE(changes.back().expired);
  EXPECT_EQ(changes.back().kind, ChangeKind::kRemove);
  EXPECT_THAT(changes.back().keys, testing::AnyOf(key("later"), key("long ago")));
}

// Property: whatever conflicts and unknown outcomes do, items go when they are due and not before, and each is marked once.
TEST(ExpiryProperty, EachDueItemGoesOnce) {
  const std::uint64_t seed = storage::testing::test_seed();
  SCOPED_TRACE(testing::Message() << "PARVIS_TEST_SEED=" << seed);
  std::mt19937_64 rng(seed);
  World world("KEYS_ONLY", {.seed = seed, .unknown_outcome = 0.1, .forced_conflict = 0.1});
  world.enable_expiry();
  std::map<std::string, std::int64_t> due;
  for (int i = 0; i < 120; ++i) {
    const std::string p = std::to_string(rng() % 60);
    due[p] = kStartMs / 1000 + static_cast<std::int64_t>(rng() % 20);
    put(world, {{"p", AttributeValue::string(p)}, {"expires", number(due[p])}});
  }
  for (int second = 0; second < 20; second += 5) {
    world.clock.set(at(kStartMs + second * 1000));
    for (int i = 0; i < 30; ++i) world.sweep();  // a conflict ends a round
    for (const auto& [p, when] : due) EXPECT_EQ(get(world, p).has_value(), when > kStartMs / 1000 + second) << p;
  }
  world.clock.set(at(kStartMs + 100'000));
  for (int i = 0; i < 30; ++i) world.sweep();
  EXPECT_EQ(std::ranges::count(world.changes(), true, &Change::expired), static_cast<std::ptrdiff_t>(due.size()));
}

TEST(Statistics, FollowEveryWriteAndSurviveAFreshStart) {
  World world;
  const auto count = [&] {
    return run(world.catalog.statistics().of(world.table(), world.stop, [](awaitable<>) { ADD_FAILURE() << "not so large"; }));
  };
  for (int i = 0; i < 10; ++i) put(world, item("k" + std::to_string(i), i));
  EXPECT_EQ(count().at("").items, 10);
  remove(world, "k0");
  put(world, item("k1", 77));
  run(world.items.transact(kScope, {write_of(ItemWrite::Kind::kPut, item("x", 1)), write_of(ItemWrite::Kind::kPut, item("y", 1))}, "", "f"));
  run(world.items.write_batch(kScope, {write_of(ItemWrite::Kind::kDelete, key("k2")), write_of(ItemWrite::Kind::kPut, item("z", 1))}));
  const CountsByIndex followed = count();
  EXPECT_EQ(followed.at("").items, 11);
  world.catalog.statistics().forget(world.table()->id);
  EXPECT_EQ(count().at("").items, 11);
  EXPECT_EQ(count().at("").bytes, followed.at("").bytes);
}

TEST(Statistics, OfALargeTableAreCountedInTheBackground) {
  World world;
  for (int i = 0; i < 1200; ++i) put(world, item(std::to_string(i), i));
  std::optional<awaitable<>> rest;
  const auto count = [&] {
    return run(world.catalog.statistics().of(world.table(), world.stop, [&](awaitable<> work) { rest = std::move(work); }));
  };
  EXPECT_TRUE(count().empty());
  put(world, item("while it counts", 1));
  ASSERT_TRUE(rest);
  run(std::move(*rest));
  EXPECT_EQ(count().at("").items, 1201);
  run(world.catalog.statistics().save());
  world.catalog.statistics().forget(world.table()->id);
  EXPECT_EQ(count().at("").items, 1201);  // as stored, until it is counted again
}

}  // namespace
}  // namespace parvis::dynamodb
