#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/entropy.h"
#include "core/hash.h"
#include "core/json_text.h"
#include "core/seal.h"
#include "core/time_format.h"
#include "core/utf8.h"

namespace parvis {
namespace {

// Known answers: FIPS 180-4, RFC 4231, RFC 1321, RFC 3720 appendix B.4; "123456789" is the check input of the CRC catalogue.
TEST(Hash, KnownAnswers) {
  EXPECT_EQ(hex_encode(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_encode(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_encode(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_encode(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex_encode(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc64nvme("123456789"), 0xae8b14860a799888ull);
}

// Property: the wide way of long inputs and the table of short ones agree, at every length and from every value before.
TEST(Hash, LongInputsHaveTheCrcOfTheirPieces) {
  std::string text;
  for (unsigned i = 0; i < 700; ++i) text += static_cast<char>(i * i * 31 + i);
  std::uint32_t chained = 0;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_EQ(crc32(std::string_view(text).substr(0, size)), chained) << size;
    if (size >= 100) EXPECT_EQ(crc32(std::string_view(text).substr(100, size - 100), crc32(std::string_view(text).substr(0, 100))), chained) << size;
    if (size < text.size()) chained = crc32(std::string_view(text).substr(size, 1), chained);
  }
}

TEST(Hash, PiecesGiveTheSameAsTheWhole) {
  const std::string text(1001, 'x');
  for (std::size_t cut : {0u, 1u, 7u, 8u, 9u, 500u, 1001u}) {
    const std::string_view a = std::string_view(text).substr(0, cut), b = std::string_view(text).substr(cut);
    EXPECT_EQ(crc32(b, crc32(a)), crc32(text));
    EXPECT_EQ(crc32c(b, crc32c(a)), crc32c(text));
    EXPECT_EQ(crc64nvme(b, crc64nvme(a)), crc64nvme(text));
    Digest digest(Digest::Kind::kSha256);
    digest.update(a);
    digest.update(b);
    EXPECT_EQ(digest.finish(), as_bytes(sha256(text)));
  }
}

struct Base64Case { const char *name, *text; std::optional<std::string> want; };
class Base64 : public testing::TestWithParam<Base64Case> {};
TEST_P(Base64, DecodesStrictly) {
  EXPECT_EQ(base64_decode(GetParam().text), GetParam().want);
  if (GetParam().want) EXPECT_EQ(base64_encode(*GetParam().want), GetParam().text);
}
INSTANTIATE_TEST_SUITE_P(Rfc4648, Base64, testing::Values(
    Base64Case{"empty", "", ""}, Base64Case{"two_pads", "Zg==", "f"}, Base64Case{"one_pad", "Zm8=", "fo"},
    Base64Case{"no_pad", "Zm9v", "foo"}, Base64Case{"high_alphabet", "+/+/", "\xfb\xff\xbf"},
    Base64Case{"missing_pad", "Zg", std::nullopt}, Base64Case{"leftover_bits", "Zh==", std::nullopt},
    Base64Case{"three_pads", "Z===", std::nullopt}, Base64Case{"pads_alone", "====", std::nullopt},
    Base64Case{"space", "Zm 9v===", std::nullopt}, Base64Case{"pad_inside", "Zg==Zg==", std::nullopt},
    Base64Case{"url_alphabet", "-_-_", std::nullopt}), [](const auto& info) { return info.param.name; });

TEST(Base64Url, HasNoPadding) {
  EXPECT_EQ(base64url_encode("\xfb\xff\xbf" "a"), "-_-_YQ");
  EXPECT_EQ(base64url_decode("-_-_YQ"), "\xfb\xff\xbf" "a");
  EXPECT_EQ(base64url_decode("YQ=="), std::nullopt);
  EXPECT_EQ(base64url_decode("YR"), std::nullopt);
  EXPECT_EQ(base64url_decode("Y"), std::nullopt);
}

TEST(Hex, BothWays) {
  EXPECT_EQ(hex_encode(std::string_view("\x00\xffz", 3)), "00ff7a");
  EXPECT_EQ(hex_decode("00fF7a"), std::string("\x00\xffz", 3));
  EXPECT_EQ(hex_decode("0"), std::nullopt);
  EXPECT_EQ(hex_decode("0g"), std::nullopt);
}

TEST(EqualConstantTime, ComparesBytes) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
}

TEST(Entropy, UuidAndTokenHaveTheirShapes) {
  Entropy entropy;
  EXPECT_THAT(entropy.uuid(), testing::MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
  EXPECT_EQ(entropy.uuid().size(), 36u);
  EXPECT_NE(entropy.uuid(), entropy.uuid());
  EXPECT_EQ(entropy.token(0), "");
  EXPECT_THAT(entropy.token(500, "ab"), testing::MatchesRegex("[ab]+"));
  EXPECT_EQ(entropy.token(500, "ab").size(), 500u);
  EXPECT_THROW(entropy.token(1, "a"), std::invalid_argument);
}

struct TimeCase { const char* name; std::string_view text; std::optional<std::int64_t> want; };
std::optional<std::int64_t> ms(std::optional<Millis> t) { return t ? std::optional(t->time_since_epoch().count()) : std::nullopt; }
class Iso8601 : public testing::TestWithParam<TimeCase> {};
TEST_P(Iso8601, Parses) { EXPECT_EQ(ms(parse_iso8601(GetParam().text)), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(Rows, Iso8601, testing::Values(
    TimeCase{"milliseconds", "2026-11-23T10:00:00.123Z", 1795428000123}, TimeCase{"seconds", "2026-11-23T10:00:00Z", 1795428000000},
    TimeCase{"cut_decimals", "2026-11-23T10:00:00.1239999Z", 1795428000123}, TimeCase{"one_decimal", "2026-11-23T10:00:00.5Z", 1795428000500},
    TimeCase{"offset", "2026-11-23T11:00:00+01:00", 1795428000000}, TimeCase{"west", "2026-11-23T08:30:00-01:30", 1795428000000},
    TimeCase{"date", "2026-11-23", 1795392000000}, TimeCase{"before_epoch", "1969-12-31T23:59:59.999Z", -1},
    TimeCase{"no_zone", "2026-11-23T10:00:00", std::nullopt}, TimeCase{"hour_24", "2026-11-23T24:00:00Z", std::nullopt},
    TimeCase{"february_30", "2026-02-30T10:00:00Z", std::nullopt}, TimeCase{"trailing", "2026-11-23T10:00:00Zx", std::nullopt},
    TimeCase{"no_decimals", "2026-11-23T10:00:00.Z", std::nullopt}, TimeCase{"empty", "", std::nullopt},
    TimeCase{"not_digits", "2026-1a-23", std::nullopt}), [](const auto& info) { return info.param.name; });

TEST(TimeFormat, WritesEverySpelling) {
  const Millis t{std::chrono::milliseconds(1795428000123)};
  EXPECT_EQ(format_iso8601(t), "2026-11-23T10:00:00.123Z");
  EXPECT_EQ(format_iso8601_seconds(t), "2026-11-23T10:00:00Z");
  EXPECT_EQ(format_basic(t), "20261123T100000Z");
  EXPECT_EQ(format_rfc1123(t), "Mon, 23 Nov 2026 10:00:00 GMT");
  EXPECT_DOUBLE_EQ(to_epoch_seconds(t), 1795428000.123);
  EXPECT_EQ(from_epoch_seconds(1795428000.123), t);
  EXPECT_EQ(ms(parse_basic("20261123T100000Z")), 1795428000000);
  EXPECT_EQ(ms(parse_rfc1123("Mon, 23 Nov 2026 10:00:00 GMT")), 1795428000000);
  EXPECT_EQ(parse_basic("20261123T1000Z"), std::nullopt);
  EXPECT_EQ(parse_rfc1123("Mon, 23 Nov 2026 10:00:00"), std::nullopt);
}

TEST(Utf8, KnowsWellFormedLetters) {
  for (const char* good : {"", "a", "h\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
    EXPECT_EQ(to_utf8(good), good);
  }
  for (const char* bad : {"\x80", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_TRUE(is_utf8(to_utf8(bad)));
  }
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
  EXPECT_EQ(to_utf8("a\xFF\xC3\xA4"), "a\xEF\xBF\xBD\xC3\xA4");
}

TEST(Seal, OpensWithItsKeyAndContextAlone) {
  Entropy entropy;
  const SealKey key = *SealKey::from_text(SealKey::make_text(entropy)), other = *SealKey::from_text(SealKey::make_text(entropy));
  for (const std::string& plain : {std::string(), std::string("open sesame"), std::string(100'000, 'x')}) {
    std::string sealed = key.seal(plain, "a", entropy);
    EXPECT_EQ(key.open(sealed, "a"), plain);
    EXPECT_NE(key.seal(plain, "a", entropy), sealed);
    EXPECT_FALSE(key.open(sealed, "b"));
    EXPECT_FALSE(other.open(sealed, "a"));
    EXPECT_FALSE(key.open(std::string_view(sealed).substr(1), "a"));
    sealed.back() = static_cast<char>(sealed.back() ^ 1);
    EXPECT_FALSE(key.open(sealed, "a"));
  }
  EXPECT_FALSE(SealKey::from_text("too short"));
}

TEST(JsonText, PlainMeansNothingToEscape) {
  for (std::size_t size : {1u, 7u, 8u, 9u, 40u}) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        EXPECT_EQ(is_plain_json(text), byte >= 0x20 && byte != '"' && byte != '\\') << size << " " << at << " " << byte;
      }
    }
  }
  EXPECT_TRUE(is_plain_json(""));
}

}  // namespace
}  // namespace parvis
