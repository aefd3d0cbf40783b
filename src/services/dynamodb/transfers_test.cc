// Exports and imports over a store that forces conflicts and unknown outcomes, and an object store in memory.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "services/dynamodb/compression.h"
#include "services/dynamodb/export_filter.h"
#include "services/dynamodb/exports.h"
#include "services/dynamodb/history.h"
#include "services/dynamodb/import_reader.h"
#include "services/dynamodb/imports.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/query.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
using testing::ElementsAre;
using testing::HasSubstr;
const aws::Scope kScope{"000000000000", "us-east-1"};
constexpr std::int64_t kStartMs = 1'790'000'000'000, kMinuteMs = 60'000;

std::string unpacked(Compression kind, std::string_view bytes, std::size_t step = SIZE_MAX) {
  Decompressor decompressor(kind);
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at)) {
    if (!decompressor.feed(bytes.substr(at, step), [&](std::string_view piece) { out += piece; })) return "damaged";
  }
  return decompressor.is_complete() ? out : "cut off";
}

std::string packed(std::string_view bytes) {
  GzipWriter writer;
  writer.add(bytes);
  return writer.finish();
}

class MemoryObjects : public Objects {
 public:
  awaitable<std::string> put(ObjectPlace place, std::string key, std::string bytes) override {
    if (place.bucket != "bucket") throw aws::ApiError({"NoSuchBucket", 404}, "The specified bucket does not exist");
    if (fails_left > 0 && --fails_left == 0) throw aws::ApiError({"InternalError", 500, aws::Fault::kServer}, "broken");
    objects[key] = std::move(bytes);
    co_return "etag";
  }
  awaitable<std::vector<std::string>> list(ObjectPlace place, std::string prefix, std::string after) override {
    if (place.bucket != "bucket") throw aws::ApiError({"NoSuchBucket", 404}, "The specified bucket does not exist");
    std::vector<std::string> out;
    for (const auto& [key, bytes] : objects) {
      if (key.starts_with(prefix) && key > after && out.size() < 2) out.push_back(key);
    }
    co_return out;
  }
  awaitable<std::shared_ptr<http::ByteSource>> open(ObjectPlace, std::string key) override {
    struct Pieces : http::ByteSource {
      std::string bytes;
      awaitable<std::optional<std::string>> read() override {
        if (bytes.empty()) co_return std::nullopt;
        std::string piece = bytes.substr(0, 7);
        bytes.erase(0, 7);
        co_return piece;
      }
    };
    auto out = std::make_shared<Pieces>();
    out->bytes = objects.at(key);
    co_return out;
  }
  std::map<std::string, std::string> objects;
  int fails_left = 0;  // the put with this number breaks
};

struct World {
  explicit World(storage::testing::FakeStoreOptions options = {}) : store(options) {
    TableRecord record = schema("orders");
    run(catalog.create(record));
    run(catalog.modify_with(kScope, "orders", [&](TableRecord& table, storage::Commit& commit) {
      if (!table.history) start_history(table, "history1", 35, kStartMs, commit);
    }));
  }
  static TableRecord schema(std::string name) {
    TableRecord record;
    record.name = std::move(name);
    record.scope = kScope;
    record.keys = {{"p", Type::kS}, std::nullopt};
    IndexRecord index;
    index.name = "by_rank";
    index.keys = {{"rank", Type::kN}, std::nullopt};
    record.indexes.push_back(index);
    return record;
  }
  void put(const std::string& p, const std::string& color) {
    ItemWrite write;
    write.table_name = "orders";
    write.item = {{"p", AttributeValue::string(p)}, {"color", AttributeValue::string(color)}};
    run(items.write(kScope, write));
  }
  void remove(const std::string& p) {
    ItemWrite write;
    write.kind = ItemWrite::Kind::kDelete;
    write.table_name = "orders";
    write.item = {{"p", AttributeValue::string(p)}};
    run(items.write(kScope, write));
  }
  void at(std::int64_t minute) { clock.set(Millis(std::chrono::milliseconds(kStartMs + minute * kMinuteMs))); }
  TransferRecord request(std::string type, std::int64_t from, std::int64_t to, std::string format = "DYNAMODB_JSON", std::string filter = "") {
    TransferRecord record;
    record.table = **run(catalog.find_if(store.snapshot(), kScope, "orders"));
    record.bucket = "bucket";
    record.prefix = "out";
    record.type = std::move(type);
    record.view = "NEW_AND_OLD_IMAGES";
    record.format = std::move(format);
    record.filter = std::move(filter);
    record.from_ms = kStartMs + from * kMinuteMs;
    record.at_ms = kStartMs + to * kMinuteMs;
    return run(transfers.create(std::move(record)));
  }
  TransferRecord import(std::string format, std::string compression, std::string prefix, std::vector<std::string> header = {}) {
    TransferRecord record;
    record.kind = TransferKind::kImport;
    record.table = schema("imported");
    record.bucket = "bucket";
    record.prefix = std::move(prefix);
    record.format = std::move(format);
    record.compression = std::move(compression);
    record.header = std::move(header);
    record = run(imports.start(std::move(record)));
    for (int round = 0; round < 100 && !run(transfers.unfinished(TransferKind::kImport)).empty(); ++round) run(imports.run(objects, stop));
    return run(transfers.find(kScope, TransferKind::kImport, record.arn()));
  }
  void run_exports() {
    for (int round = 0; round < 100 && !run(transfers.unfinished(TransferKind::kExport)).empty(); ++round) {
      try {
        run(exports.run(objects, stop));
      } catch (const aws::ApiError&) {  // the next round begins again
      }
    }
  }
  // Lines of all data files, in order of their text.
  std::vector<std::string> lines(std::string_view ending = ".json.gz") {
    std::vector<std::string> out;
    for (const auto& [key, bytes] : objects.objects) {
      if (!key.ends_with(ending)) continue;
      LineReader reader;
      const auto take = [&](std::string_view line, bool) { out.emplace_back(line); };
      reader.feed(unpacked(Compression::kGzip, bytes), take);
      reader.finish(take);
    }
    std::ranges::sort(out);
    return out;
  }
  std::size_t count(const std::string& table, std::optional<std::string> index = std::nullopt) {
    PageRequest request;
    request.table_name = table;
    request.index_name = std::move(index);
    return run(read_page(catalog, kScope, request)).items.size();
  }

  storage::testing::FakeStore store;
  ManualClock clock{Millis(std::chrono::milliseconds(kStartMs))};
  Entropy entropy;
  Catalog catalog{store, clock, entropy};
  ItemStore items{catalog};
  Transfers transfers{catalog};
  Exports exports{catalog, transfers};
  Imports imports{catalog, transfers};
  MemoryObjects objects;
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
};

TEST(Compression, GivesBackWhatItTookWhateverThePieces) {
  const std::string text = std::string(300'000, 'x') + "end";
  for (const std::size_t step : {std::size_t{1}, std::size_t{100}, SIZE_MAX}) {
    EXPECT_EQ(unpacked(Compression::kGzip, packed(text), step), text);
  }
  EXPECT_EQ(unpacked(Compression::kGzip, packed("a") + packed("b")), "ab");
  EXPECT_EQ(unpacked(Compression::kGzip, packed(text).substr(0, 50)), "cut off");
  EXPECT_EQ(unpacked(Compression::kGzip, "no gzip at all"), "damaged");
  EXPECT_EQ(unpacked(Compression::kZstd, "no zstd at all"), "damaged");
  EXPECT_EQ(unpacked(Compression::kZstd, *base64_decode("KLUv/QRYKQAAaGVsbG8/OgUe")).substr(0, 3), "dam");  // a wrong checksum
  EXPECT_EQ(unpacked(Compression::kNone, text), text);
}

struct CsvCase { const char* name; std::string_view text; std::vector<std::vector<std::string>> want; };
class ReadCsv : public testing::TestWithParam<CsvCase> {};
TEST_P(ReadCsv, FollowsRfc4180) {
  for (const std::size_t step : {std::size_t{1}, SIZE_MAX}) {
    CsvReader reader(',');
    std::vector<std::vector<std::string>> rows;
    const auto take = [&](std::vector<std::string> fields, bool) { rows.push_back(std::move(fields)); };
    const std::string_view text = GetParam().text;
    for (std::size_t at = 0; at < text.size(); at += std::min(step, text.size() - at)) reader.feed(text.substr(at, step), take);
    reader.finish(take);
    EXPECT_EQ(rows, GetParam().want);
  }
}
INSTANTIATE_TEST_SUITE_P(Rows, ReadCsv, testing::Values(
    CsvCase{"plain", "a,b\nc,d\n", {{"a", "b"}, {"c", "d"}}}, CsvCase{"no_last_line_end", "a,b", {{"a", "b"}}},
    CsvCase{"carriage_returns", "a,b\r\nc\r\n", {{"a", "b"}, {"c"}}}, CsvCase{"empty_fields", ",\n", {{"", ""}}},
    CsvCase{"quotes", "\"a,b\",\"c\"\"d\",\"e\nf\"\n", {{"a,b", "c\"d", "e\nf"}}}, CsvCase{"blank_lines", "\n\na\n", {{"a"}}},
    CsvCase{"a_quote_inside", "a\"b,c\n", {{"a\"b", "c"}}}, CsvCase{"empty_quotes", "\"\",x\n", {{"", "x"}}}),
    [](const auto& info) { return info.param.name; });

struct LineCase { const char* name; std::string_view line, items, error_part; };  // items: the first letters of their p
class ReadLine : public testing::TestWithParam<LineCase> {};
TEST_P(ReadLine, IsAnItemOrSaysWhatIsWrong) {
  std::string good, bad;
  items_of_line(GetParam().line, [&](std::expected<Item, std::string> item) { (item ? good += item->at("p").as<std::string>()[0] : bad += item.error()); });
  EXPECT_EQ(good, GetParam().items);
  if (GetParam().error_part.empty()) EXPECT_EQ(bad, "");
  else EXPECT_THAT(bad, HasSubstr(GetParam().error_part));
}
INSTANTIATE_TEST_SUITE_P(Lines, ReadLine, testing::Values(
    LineCase{"item", R"({"Item":{"p":{"S":"a"}}})", "a", ""}, LineCase{"no_json", "x", "", "not JSON"}, LineCase{"no_item", "{}", "", "no member Item"},
    LineCase{"item_is_no_object", R"({"Item":1})", "", "no member Item"}, LineCase{"bad_number", R"({"Item":{"p":{"N":"x"}}})", "", "numeric"},
    LineCase{"no_type", R"({"Item":{"p":{}}})", "", "is empty"}, LineCase{"wrong_json_type", R"({"Item":{"p":{"S":1}}})", "", "Unexpected value type"},
    LineCase{"without_a_line_end", R"({"Item":{"p":{"S":"a"}}}{"Item":{"p":{"S":"b"}}} )", "ab", ""},
    LineCase{"cut_off", R"({"Item":{"p":{"S":"a"}}}{"Item":)", "a", "not JSON"}, LineCase{"a_number", "12", "", "not JSON"}),
    [](const auto& info) { return info.param.name; });

// Property: an export is the table as it was, whatever the store does and wherever the export is cut off.
TEST(Exports, AreTheTableAtTheirTime) {
  World world({.unknown_outcome = 0.2, .forced_conflict = 0.1});
  world.at(1);
  for (int i = 0; i < 30; ++i) world.put("k" + std::to_string(i), "old");
  world.at(10);
  for (int i = 0; i < 30; i += 2) world.put("k" + std::to_string(i), "new");
  for (int i = 0; i < 30; i += 3) world.remove("k" + std::to_string(i));
  for (int i = 30; i < 40; ++i) world.put("k" + std::to_string(i), "late");
  world.at(20);
  const TransferRecord record = world.request("FULL_EXPORT", 0, 5);
  world.objects.fails_left = 2;  // broken after the first object: taken up again
  world.run_exports();
  std::vector<std::string> want;
  for (int i = 0; i < 30; ++i) want.push_back(R"({"Item":{"color":{"S":"old"},"p":{"S":"k)" + std::to_string(i) + R"("}}})");
  std::ranges::sort(want);
  EXPECT_EQ(world.lines(), want);
  const TransferRecord done = run(world.transfers.find(kScope, TransferKind::kExport, record.arn()));
  EXPECT_EQ(done.status, "COMPLETED");
  EXPECT_EQ(done.items, 30);
  const std::string folder = "out/AWSDynamoDB/" + record.id + "/";
  const std::string summary = world.objects.objects.at(folder + "manifest-summary.json");
  EXPECT_THAT(summary, HasSubstr("\"manifestFilesS3Key\":\"" + folder + "manifest-files.json\""));
  EXPECT_THAT(summary, HasSubstr("\"itemCount\":30"));
  EXPECT_EQ(world.objects.objects.at(folder + "manifest-summary.md5"), base64_encode(as_bytes(md5(summary))));
  EXPECT_EQ(done.manifest_key(), folder + "manifest-summary.json");
}

TEST(Exports, OfAnEmptyTableHaveOneEmptyFile) {
  World world;
  world.request("FULL_EXPORT", 0, 0);
  world.run_exports();
  EXPECT_THAT(world.lines(), testing::IsEmpty());
  EXPECT_EQ(std::ranges::count_if(world.objects.objects, [](const auto& each) { return each.first.ends_with(".json.gz"); }), 1);
}

TEST(Exports, IncrementalOnesTellWhatChanged) {
  World world;
  world.at(1);
  world.put("kept", "1");
  world.put("changed", "1");
  world.put("removed", "1");
  world.at(10);
  world.put("changed", "2");
  world.put("made", "1");
  world.put("passing", "1");
  world.remove("removed");
  world.at(11);
  world.put("changed", "3");
  world.remove("passing");
  world.at(30);
  world.put("changed", "4");
  world.put("later", "1");
  world.at(40);
  world.request("INCREMENTAL_EXPORT", 10, 30);
  world.run_exports();
  const auto micros = [](int minute) { return std::to_string((kStartMs + minute * kMinuteMs) * 1000); };
  EXPECT_THAT(world.lines(), ElementsAre(
      R"({"Metadata":{"WriteTimestampMicros":{"N":")" + micros(10) + R"("}},"Keys":{"p":{"S":"made"}},"NewImage":{"color":{"S":"1"},"p":{"S":"made"}}})",
      R"({"Metadata":{"WriteTimestampMicros":{"N":")" + micros(10) + R"("}},"Keys":{"p":{"S":"removed"}},"OldImage":{"color":{"S":"1"},"p":{"S":"removed"}}})",
      R"({"Metadata":{"WriteTimestampMicros":{"N":")" + micros(11) + R"("}},"Keys":{"p":{"S":"changed"}},"OldImage":{"color":{"S":"1"},"p":{"S":"changed"}},"NewImage":{"color":{"S":"3"},"p":{"S":"changed"}}})"));
}

TEST(Exports, IncrementalOnesAreFilteredByEitherImageAndMayBeIon) {
  World world;
  world.at(1);
  world.put("was", "red");
  world.put("becomes", "blue");
  world.put("never", "blue");
  world.at(10);
  world.put("was", "blue");
  world.put("becomes", "red");
  world.put("never", "green");
  world.at(40);
  aws::model::dynamodb::FilterSpecification filter;
  filter.filter_expression = "color = :c";
  filter.expression_attribute_values = {{":c", AttributeValue::string("red")}};
  world.request("INCREMENTAL_EXPORT", 5, 30, "ION", encode_filter(filter));
  world.run_exports();
  EXPECT_THAT(world.lines(), ElementsAre());
  EXPECT_THAT(world.lines(".ion.gz"), ElementsAre(
      R"($ion_1_0 {Metadata:{WriteTimestampMicros:17900006d8},Keys:{p:"becomes"},OldImage:{color:"blue",p:"becomes"},NewImage:{color:"red",p:"becomes"}})",
      R"($ion_1_0 {Metadata:{WriteTimestampMicros:17900006d8},Keys:{p:"was"},OldImage:{color:"red",p:"was"},NewImage:{color:"blue",p:"was"}})"));
}

TEST(Exports, FailWithTheReasonOfS3) {
  World world;
  TransferRecord record = world.request("FULL_EXPORT", 0, 0);
  record.bucket = "absent";
  run(world.transfers.end(record, "IN_PROGRESS"));
  record = run(world.transfers.create(record));
  world.run_exports();
  const TransferRecord failed = run(world.transfers.find(kScope, TransferKind::kExport, record.arn()));
  EXPECT_EQ(failed.status, "FAILED");
  EXPECT_EQ(failed.failure_code, "S3NoSuchBucket");
}

TEST(Transfers, ATokenIsGoodForOneRequest) {
  World world;
  TransferRecord record = world.request("FULL_EXPORT", 0, 0);
  record.client_token = "token";
  record.fingerprint = "a";
  const TransferRecord first = run(world.transfers.create(record));
  EXPECT_EQ(run(world.transfers.create(record)).id, first.id);
  record.fingerprint = "b";
  EXPECT_THROW(run(world.transfers.create(record)), aws::ApiError);
}

TEST(Imports, MakeATableOfWhatIsThereAndCountTheRest) {
  World world({.unknown_outcome = 0.2, .forced_conflict = 0.1});
  std::string lines;
  for (int i = 0; i < 150; ++i) lines += R"({"Item":{"p":{"S":"k)" + std::to_string(i) + R"("},"rank":{"N":"1"}}})" + std::string("\n");
  world.objects.objects = {{"in/", ""}, {"in/1.gz", packed(lines)}, {"in/2.gz", packed("nonsense\n{\"Item\":{\"q\":{\"S\":\"x\"}}}\n")},
                           {"in/3.gz", packed(R"({"Item":{"p":{"S":"k0"},"rank":{"S":"no number"}}})")}, {"other", "x"}};
  const TransferRecord done = world.import("DYNAMODB_JSON", "GZIP", "in/");
  EXPECT_EQ(done.failure_code, "ItemValidationError") << done.failure_message;
  EXPECT_EQ(done.processed, 153);
  EXPECT_EQ(done.items, 150);
  EXPECT_EQ(done.errors, 3);
  EXPECT_EQ(world.count("imported"), 150u);
  EXPECT_EQ(world.count("imported", "by_rank"), 150u);
}

TEST(Imports, CsvTakesTypesFromTheKeys) {
  World world;
  world.objects.objects = {{"a.csv", "p,rank,note\nx,7,\"a, b\"\ny,seven,\n"}};
  const TransferRecord done = world.import("CSV", "NONE", "");
  EXPECT_EQ(done.items, 1);
  EXPECT_EQ(done.errors, 1);
  PageRequest request;
  request.table_name = "imported";
  const Item item = run(read_page(world.catalog, kScope, request)).items.at(0);
  EXPECT_EQ(item.at("rank"), AttributeValue::number(*Number::parse("7")));
  EXPECT_EQ(item.at("note"), AttributeValue::string("a, b"));
}

TEST(Imports, AGivenHeaderMakesTheFirstLineARow) {
  World world;
  world.objects.objects = {{"a.csv", "x,7\ny,8\n"}};
  EXPECT_EQ(world.import("CSV", "NONE", "", {"p", "rank"}).items, 2);
}

struct FailureCase { const char* name; const char *bucket, *prefix, *compression, *code; };
class FailedImport : public testing::TestWithParam<FailureCase> {};
TEST_P(FailedImport, SaysWhyAndLeavesNoTable) {
  World world;
  world.objects.objects = {{"in/1", "not compressed at all, but long enough"}};
  TransferRecord record;
  record.kind = TransferKind::kImport;
  record.table = World::schema("imported");
  record.bucket = GetParam().bucket;
  record.prefix = GetParam().prefix;
  record.compression = GetParam().compression;
  record = run(world.imports.start(std::move(record)));
  run(world.imports.run(world.objects, world.stop));
  const TransferRecord failed = run(world.transfers.find(kScope, TransferKind::kImport, record.arn()));
  EXPECT_EQ(failed.status, "FAILED");
  EXPECT_EQ(failed.failure_code, GetParam().code);
  EXPECT_FALSE(run(world.catalog.find_if(world.store.snapshot(), kScope, "imported")));
}
INSTANTIATE_TEST_SUITE_P(Reasons, FailedImport, testing::Values(
    FailureCase{"no_bucket", "absent", "in/", "NONE", "S3NoSuchBucket"},
    FailureCase{"no_gzip", "bucket", "in/", "GZIP", "InputCompressionError"}, FailureCase{"no_zstd", "bucket", "in/", "ZSTD", "InputCompressionError"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::dynamodb
