// The pure parts: version ids, listings, ranges, conditions, copy sources, tags, CORS rules, records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/s3/conditions.h"
#include "services/s3/copy_source.h"
#include "services/s3/cors.h"
#include "services/s3/errors.h"
#include "services/s3/listing.h"
#include "services/s3/multipart_checksum.h"
#include "services/s3/range.h"
#include "services/s3/tags.h"
#include "services/s3/versions.h"

namespace parvis::s3 {
namespace {

// The code of the error that `call` throws; "" when it throws none.
template <class Call>
std::string code_of(Call call) {
  try {
    call();
  } catch (const aws::ApiError& error) {
    return error.code();
  }
  return {};
}

TEST(VersionId, IsThirtyTwoCharactersThatCarryTheOrder) {
  Entropy entropy;
  for (const std::uint64_t order : {std::uint64_t{0}, std::uint64_t{1'700'000'000'000'000}, ~std::uint64_t{0}}) {
    const std::string id = make_version_id(order, entropy);
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"), id.npos) << id;
    EXPECT_EQ(order_of_version_id(id), order);
    EXPECT_NE(id, make_version_id(order, entropy));
  }
  for (const std::string_view bad : {"", "null", "x", "3HL4kqtJlcpXroDTDmJ-rmSpXd3dIbrH", "3HL4kqtJlcpXroDTDmJrmSpXd3dIbrH"})
    EXPECT_EQ(order_of_version_id(bad), std::nullopt) << bad;
}

TEST(VersionKeys, OrderNewestFirstInsideOfTheirKey) {
  const aws::Scope scope{"000000000000", "us-east-1"};
  const std::string newer = version_key(scope, "b", "k", 2), older = version_key(scope, "b", "k", 1);
  EXPECT_LT(newer, older);
  EXPECT_LT(older, version_key(scope, "b", "k0", 9));
  const std::string prefix = versions_of_key(scope, "b", "k");
  EXPECT_TRUE(newer.starts_with(prefix));
  EXPECT_FALSE(version_key(scope, "b", "k0", 9).starts_with(prefix));
}

struct RangeCase { const char* name; const char* range; std::uint64_t size, offset, length; bool partial; const char* error; };
class Range : public testing::TestWithParam<RangeCase> {};
TEST_P(Range, NamesBytesOfTheObject) {
  const RangeCase& c = GetParam();
  Span span;
  EXPECT_EQ(code_of([&] { span = span_of(std::string(c.range), c.size); }), c.error);
  if (*c.error) return;
  EXPECT_EQ(span.offset, c.offset);
  EXPECT_EQ(span.length, c.length);
  EXPECT_EQ(span.partial, c.partial);
}
INSTANTIATE_TEST_SUITE_P(Rows, Range, testing::Values(
    RangeCase{"first_to_last", "bytes=1-3", 10, 1, 3, true, ""}, RangeCase{"past_the_end", "bytes=8-99", 10, 8, 2, true, ""},
    RangeCase{"open", "bytes=4-", 10, 4, 6, true, ""}, RangeCase{"suffix", "bytes=-3", 10, 7, 3, true, ""},
    RangeCase{"long_suffix", "bytes=-30", 10, 0, 10, true, ""}, RangeCase{"begins_past_the_end", "bytes=10-", 10, 0, 0, false, "InvalidRange"},
    RangeCase{"empty_object", "bytes=0-", 0, 0, 0, false, "InvalidRange"}, RangeCase{"no_suffix", "bytes=-0", 10, 0, 0, false, "InvalidRange"},
    RangeCase{"backwards", "bytes=3-1", 10, 0, 10, false, ""}, RangeCase{"several", "bytes=0-1,3-4", 10, 0, 10, false, ""},
    RangeCase{"other_unit", "lines=0-1", 10, 0, 10, false, ""}, RangeCase{"no_number", "bytes=a-b", 10, 0, 10, false, ""},
    RangeCase{"too_large_a_number", "bytes=99999999999999999999-", 10, 0, 10, false, ""}), [](const auto& info) { return info.param.name; });

TEST(CopyRange, MustBeWhollyInside) {
  EXPECT_EQ(copy_span_of(std::nullopt, 7).length, 7u);
  EXPECT_EQ(copy_span_of("bytes=2-4", 7).offset, 2u);
  EXPECT_EQ(copy_span_of("bytes=2-4", 7).length, 3u);
  for (const char* bad : {"bytes=0-7", "bytes=5-", "bytes=-3", "0-3", "bytes=4-2", ""})
    EXPECT_EQ(code_of([&] { copy_span_of(bad, 7); }), "InvalidArgument") << bad;
}

TEST(PartSpan, FollowsTheParts) {
  ObjectRecord record;
  record.etag = "abc-2";
  record.pieces.resize(2);
  record.pieces[0].size_bytes = 5;
  record.pieces[1].size_bytes = 3;
  record.size_bytes = 8;
  EXPECT_EQ(part_span_of(2, record).offset, 5u);
  EXPECT_EQ(part_span_of(2, record).length, 3u);
  EXPECT_EQ(code_of([&] { part_span_of(3, record); }), "InvalidPartNumber");
  EXPECT_EQ(code_of([&] { part_span_of(0, record); }), "InvalidPartNumber");
  record.etag = "abc";
  EXPECT_EQ(part_span_of(1, record).length, 8u);
  EXPECT_EQ(code_of([&] { part_span_of(2, record); }), "InvalidPartNumber");
}

TEST(Conditions, OfReads) {
  ObjectRecord record;
  record.etag = "e";
  record.modified_ms = 10'500;
  using Text = std::optional<std::string>;
  using Time = std::optional<aws::Timestamp>;
  const auto read = [&](Text match, Text none, Time since, Time unmodified) {
    return code_of([&] { check_read({match, none, since, unmodified}, record); });
  };
  const auto at = [](double seconds) { return Time(aws::Timestamp{seconds}); };
  EXPECT_EQ(read({}, {}, {}, {}), "");
  EXPECT_EQ(read("\"e\"", {}, {}, {}), "");
  EXPECT_EQ(read("\"x\", \"e\"", {}, {}, {}), "");
  EXPECT_EQ(read("\"x\"", {}, {}, {}), "PreconditionFailed");
  EXPECT_EQ(read({}, "\"e\"", {}, {}), "NotModified");
  EXPECT_EQ(read({}, "*", {}, {}), "NotModified");
  EXPECT_EQ(read({}, {}, at(10), {}), "NotModified");
  EXPECT_EQ(read({}, {}, at(9), {}), "");
  EXPECT_EQ(read({}, {}, {}, at(9)), "PreconditionFailed");
  EXPECT_EQ(read({}, {}, {}, at(10)), "");
  EXPECT_EQ(read("\"e\"", {}, {}, at(9)), "") << "If-Match goes before If-Unmodified-Since";
  EXPECT_EQ(read({}, "\"x\"", at(10), {}), "") << "If-None-Match goes before If-Modified-Since";
  const Text none = "\"e\"", no_text;
  const Time no_time;
  EXPECT_EQ(code_of([&] { check_source({no_text, none, no_time, no_time}, record); }), "PreconditionFailed");
}

TEST(Conditions, OfWrites) {
  ObjectRecord record;
  record.etag = "e";
  EXPECT_EQ(code_of([&] { check_write({}, "*", &record, "k"); }), "PreconditionFailed");
  EXPECT_EQ(code_of([&] { check_write({}, "*", nullptr, "k"); }), "");
  EXPECT_EQ(code_of([&] { check_write({}, "\"e\"", nullptr, "k"); }), "NotImplemented");
  EXPECT_EQ(code_of([&] { check_write("\"e\"", {}, &record, "k"); }), "");
  EXPECT_EQ(code_of([&] { check_write("\"x\"", {}, &record, "k"); }), "PreconditionFailed");
  EXPECT_EQ(code_of([&] { check_write("\"e\"", {}, nullptr, "k"); }), "NoSuchKey");
}

TEST(Listing, RollsKeysUpIntoPrefixes) {
  EXPECT_EQ(common_prefix_of("a/b/c", "", "/"), "a/");
  EXPECT_EQ(common_prefix_of("a/b/c", "a/", "/"), "a/b/");
  EXPECT_EQ(common_prefix_of("a/b", "a/", "/"), "");
  EXPECT_EQ(common_prefix_of("a/b", "", ""), "");
  EXPECT_EQ(common_prefix_of("axxb", "", "xx"), "axx");
  EXPECT_EQ(place_after("b/", "", "/"), "pb/");
  EXPECT_EQ(place_after("b/1", "", "/"), "kb/1");
  EXPECT_EQ(place_after("b/", "", ""), "kb/");
  EXPECT_EQ(page_limit(std::nullopt, "max-keys"), 1000u);
  EXPECT_EQ(page_limit(5000, "max-keys"), 1000u);
  EXPECT_EQ(page_limit(0, "max-keys"), 0u);
  EXPECT_EQ(code_of([] { page_limit(-1, "max-keys"); }), "InvalidArgument");
  EXPECT_EQ(code_of([] { ListedText("gzip"); }), "InvalidArgument");
  EXPECT_EQ(ListedText("url")("a b/ü"), "a%20b/%C3%BC");
}

TEST(CopySource, IsBucketKeyAndVersion) {
  EXPECT_EQ(copy_source_of("b/k").key, "k");
  EXPECT_EQ(copy_source_of("/b/d/k").bucket, "b");
  EXPECT_EQ(copy_source_of("/b/d/k").key, "d/k");
  EXPECT_EQ(copy_source_of("b/a%20b%3F").key, "a b?");
  EXPECT_EQ(copy_source_of("b/k?versionId=v").version_id, "v");
  EXPECT_EQ(copy_source_of("b/k").version_id, std::nullopt);
  for (const char* bad : {"", "b", "b/", "/", "//k"}) EXPECT_EQ(code_of([&] { copy_source_of(bad); }), "InvalidArgument") << bad;
  EXPECT_EQ(code_of([] { copy_source_of("arn:aws:s3:us-east-1:1:accesspoint/a/object/k"); }), "NotImplemented");
}

TEST(MultipartChecksum, OfTheWholeComesFromTheParts) {
  const std::string one(5000, 'a'), two = "123456789", three(1 << 20, 'z');
  for (const char* algorithm : {"CRC32", "CRC32C", "CRC64NVME"}) {
    const auto of = [&](const std::string& bytes) {
      ChecksumMaker maker(algorithm);
      maker.update(bytes);
      return base64_encode(maker.finish());
    };
    PartsChecksum parts(upload_checksum(std::string(algorithm), "FULL_OBJECT"));
    for (const std::string& part : {one, two, three, std::string()}) parts.add(of(part), part.size());
    EXPECT_EQ(parts.finish(), of(one + two + three)) << algorithm;
  }
  EXPECT_EQ(upload_checksum("CRC64NVME", std::nullopt).composite, false);
  EXPECT_EQ(upload_checksum("SHA256", std::nullopt).composite, true);
  EXPECT_EQ(code_of([] { upload_checksum("SHA256", "FULL_OBJECT"); }), "InvalidRequest");
  EXPECT_EQ(code_of([] { upload_checksum("CRC64NVME", "COMPOSITE"); }), "InvalidRequest");
  EXPECT_EQ(code_of([] { upload_checksum(std::nullopt, "COMPOSITE"); }), "InvalidRequest");
  EXPECT_EQ(code_of([] { upload_checksum("MD2", std::nullopt); }), "NotImplemented");
}

TEST(Tags, AreLimited) {
  const auto header = [](const std::string& text) { return code_of([&] { object_tags_in(text); }); };
  EXPECT_EQ(object_tags_in("a=1&b%20c=").at("b c"), "");
  EXPECT_TRUE(object_tags_in(std::string()).empty());
  EXPECT_EQ(header("a=1&a=2"), "InvalidArgument");
  EXPECT_EQ(header("=1"), "InvalidTag");
  EXPECT_EQ(header("aws:x=1"), "InvalidTag");
  EXPECT_EQ(header("%ff=1"), "InvalidTag");
  EXPECT_EQ(header("a=%ff"), "InvalidTag");
  EXPECT_EQ(header(std::string(128, 'k') + "=1"), "");
  EXPECT_EQ(header(std::string(129, 'k') + "=1"), "InvalidTag");
  EXPECT_EQ(header("k=" + std::string(257, 'v')), "InvalidTag");
  EXPECT_EQ(header("a&b&c&d&e&f&g&h&i&j"), "");
  EXPECT_EQ(header("a&b&c&d&e&f&g&h&i&j&k"), "BadRequest");
}

TEST(Cors, TakesTheFirstRuleThatAllowsAll) {
  const std::vector<CorsRule> rules = {{"one", {"https://*.example.com"}, {"GET", "PUT"}, {"x-amz-*", "Content-Type"}, {}, {}},
                                       {"two", {"*"}, {"GET"}, {}, {}, {}}};
  const auto found = [&](std::string_view origin, std::string_view method, std::vector<std::string> headers) {
    const CorsRule* rule = find_rule(rules, origin, method, headers);
    return rule ? rule->id : "";
  };
  EXPECT_EQ(found("https://a.example.com", "PUT", {"content-type", "x-amz-meta-a"}), "one");
  EXPECT_EQ(found("https://a.example.com", "GET", {}), "one");
  EXPECT_EQ(found("https://b.org", "GET", {}), "two");
  EXPECT_EQ(found("https://b.org", "PUT", {}), "");
  EXPECT_EQ(found("https://a.example.com", "PUT", {"authorization"}), "");
  EXPECT_EQ(found("https://example.com", "PUT", {}), "");
  EXPECT_FALSE(matches_wildcard("aba*aba", "aba")) << "the two ends must not overlap";
}

TEST(Records, ComeBackAsTheyWere) {
  BucketRecord bucket;
  bucket.id = "i";
  bucket.versioning = "Suspended";
  bucket.public_access.reset();
  bucket.ownership = false;
  bucket.encryption = {"aws:kms", "key", true, {"SSE-C"}};
  bucket.cors = {{"r", {"*"}, {"GET"}, {"h"}, {"e"}, 7}};
  const BucketRecord back = parse_bucket(to_json(bucket));
  EXPECT_EQ(to_json(back), to_json(bucket));
  EXPECT_FALSE(back.public_access);
  EXPECT_EQ(back.cors.at(0).max_age_seconds, 7);
  ObjectRecord object;
  object.version_id = "v";
  object.order = ~std::uint64_t{0};
  object.delete_marker = true;
  object.tags = {{"a", "b"}};
  object.pieces = {{"blob", 3, 9, "sum"}};
  const ObjectRecord read = parse_object(to_json(object));
  EXPECT_EQ(to_json(read), to_json(object));
  EXPECT_EQ(read.order, object.order);
  // Buckets and objects that were written before there were versions.
  EXPECT_TRUE(parse_bucket(R"({"format":1,"id":"i","created":1,"tags":{}})").public_access);
  const ObjectRecord old = parse_object(R"({"format":1,"pieces":[],"size":0,"etag":"e","modified":5,"checksum":{"algorithm":"","value":"","composite":false},"headers":{},"metadata":{}})");
  EXPECT_EQ(old.order, 5000u);
  EXPECT_EQ(shown_version(old), "null");
  EXPECT_EQ(code_of([] { parse_object("{}"); }), "InternalError");
}

}  // namespace
}  // namespace parvis::s3
