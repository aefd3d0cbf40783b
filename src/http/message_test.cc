#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::http {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Headers, CompareNamesWithoutCase) {
  Headers h;
  h.add("X-One", "1");
  h.add("set-cookie", "a");
  h.add("Set-Cookie", "b");
  EXPECT_EQ(h.get("x-one"), "1");
  EXPECT_THAT(h.all("SET-COOKIE"), ElementsAre("a", "b"));
  h.set("Set-cookie", "c");
  EXPECT_THAT(h.all("set-cookie"), ElementsAre("c"));
  h.erase("X-ONE");
  EXPECT_EQ(h.find("x-one"), std::nullopt);
  EXPECT_EQ(h.size(), 1u);
}

TEST(Headers, KeepOrderAndPlaceOfWhatIsReplaced) {
  Headers h;
  for (const char* name : {"A", "B", "C", "b"}) h.add(name, "1");
  h.set("B", h.get("C"));  // a view of the same headers
  h.set("D", std::string(2000, 'd'));
  Headers moved = std::move(h);
  std::vector<std::pair<std::string, std::string>> seen;
  for (const auto& [name, value] : moved) seen.emplace_back(name, value.substr(0, 2));
  EXPECT_THAT(seen, ElementsAre(Pair("A", "1"), Pair("B", "1"), Pair("C", "1"), Pair("D", "dd")));
  EXPECT_EQ(moved.count("b"), 1u);
}

TEST(RequestTarget, SplitsAtTheFirstQuestionMark) {
  Request r;
  r.target = "/a%20b?x=1?y";
  EXPECT_EQ(r.path(), "/a%20b");
  EXPECT_EQ(r.query(), "x=1?y");
  r.target = "/";
  EXPECT_EQ(r.path(), "/");
  EXPECT_EQ(r.query(), "");
}

TEST(Percent, DecodesAndEncodes) {
  EXPECT_EQ(percent_decode("a%2Fb%c3%A4+"), "a/b\xc3\xa4+");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  for (const char* bad : {"%", "%4", "%zz", "a%2"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
  EXPECT_EQ(percent_encode("a/b ~-_.*"), "a%2Fb%20~-_.%2A");
  EXPECT_EQ(percent_encode("a/b\xff", true), "a/b%FF");
}

TEST(ParseQuery, KeepsOrderAndMalformedEscapes) {
  EXPECT_THAT(parse_query("b=2&a=1&&a=%zz&flag&x=y=z&s=a+b"),
              ElementsAre(Pair("b", "2"), Pair("a", "1"), Pair("a", "%zz"), Pair("flag", ""), Pair("x", "y=z"), Pair("s", "a b")));
  EXPECT_TRUE(parse_query("").empty());
}

}  // namespace
}  // namespace parvis::http
