#include "aws/session.h"

#include <gtest/gtest.h>

#include "core/hash.h"

namespace parvis::aws {
namespace {

TEST(Session, TokensCarryTheirClaims) {
  Entropy entropy;
  const SessionKeys keys("a key");
  const Millis expires{std::chrono::milliseconds(1'700'000'000'000)};
  const auto made = keys.issue("111122223333", "arn:aws:sts::111122223333:assumed-role/r/s", expires, entropy);
  EXPECT_EQ(made.access_key_id.size(), 20u);
  EXPECT_TRUE(made.access_key_id.starts_with("ASIA"));
  EXPECT_EQ(made.secret_access_key.size(), 40u);
  const auto claims = keys.open(made.session_token);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->access_key_id, made.access_key_id);
  EXPECT_EQ(claims->account, "111122223333");
  EXPECT_EQ(claims->principal_arn, "arn:aws:sts::111122223333:assumed-role/r/s");
  EXPECT_EQ(claims->expires, expires);
  EXPECT_EQ(keys.secret_of(made.access_key_id), made.secret_access_key);
}

TEST(Session, NobodyElseMakesOrChangesATokens) {
  Entropy entropy;
  const SessionKeys keys("a key");
  const auto made = keys.issue("111122223333", "arn", Millis::max(), entropy);
  EXPECT_FALSE(SessionKeys("another key").open(made.session_token));
  const std::string bytes = *base64_decode(made.session_token);
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(keys.open(base64_encode(changed))) << "byte " << i;
  }
  for (const char* bad : {"", "x", "====", "AAAA"}) EXPECT_FALSE(keys.open(bad)) << bad;
}

}  // namespace
}  // namespace parvis::aws
