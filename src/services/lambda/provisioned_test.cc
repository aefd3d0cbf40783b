#include "services/lambda/provisioned.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::lambda {
namespace {

using testing::HasSubstr;

Alias alias(std::string name, std::string version, std::map<std::string, double> weights = {}) { return {std::move(name), std::move(version), {}, {}, std::move(weights)}; }

Provisioning with(std::map<std::string, int> configs, std::vector<Alias> aliases) {
  Provisioning out;
  for (const auto& [qualifier, count] : configs) out.configs[qualifier] = {count, {}};
  for (Alias& one : aliases) out.aliases[one.name] = one;
  return out;
}

struct SharesCase { const char* name; Provisioning given; std::map<std::string, unsigned> want; };
class Shares : public testing::TestWithParam<SharesCase> {};
TEST_P(Shares, FollowVersionsAliasesAndWeights) { EXPECT_EQ(GetParam().given.wanted(), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(Provisioned, Shares, testing::Values(
    SharesCase{"nothing", with({}, {alias("live", "1")}), {}},
    SharesCase{"a_version", with({{"2", 5}}, {}), {{"2", 5}}},
    SharesCase{"an_alias", with({{"live", 5}}, {alias("live", "3")}), {{"3", 5}}},
    SharesCase{"weights", with({{"live", 10}}, {alias("live", "1", {{"2", 0.3}})}), {{"1", 7}, {"2", 3}}},
    SharesCase{"weights_are_rounded_up", with({{"live", 1}}, {alias("live", "1", {{"2", 0.1}})}), {{"1", 1}, {"2", 1}}},
    SharesCase{"all_weight", with({{"live", 4}}, {alias("live", "1", {{"2", 1.0}})}), {{"1", 0}, {"2", 4}}},
    SharesCase{"an_alias_of_latest", with({{"live", 4}}, {alias("live", "$LATEST")}), {}},
    SharesCase{"an_alias_that_is_gone", with({{"live", 4}}, {}), {}},
    SharesCase{"several", with({{"1", 2}, {"live", 3}}, {alias("live", "2"), alias("idle", "3")}), {{"1", 2}, {"2", 3}}}),
    [](const auto& info) { return info.param.name; });

struct CheckCase { const char* name; Provisioning given; std::function<void(const Provisioning&)> check; std::string_view code, error_part; };
class Checks : public testing::TestWithParam<CheckCase> {};
TEST_P(Checks, NoVersionIsProvisionedTwice) {
  try {
    GetParam().check(GetParam().given);
    EXPECT_EQ(GetParam().code, "");
  } catch (const aws::ApiError& thrown) {
    EXPECT_EQ(thrown.code(), GetParam().code);
    EXPECT_THAT(thrown.message(), HasSubstr(std::string(GetParam().error_part)));
  }
}
INSTANTIATE_TEST_SUITE_P(Provisioned, Checks, testing::Values(
    CheckCase{"free_version", with({{"live", 1}}, {alias("live", "2")}), [](const auto& p) { p.check_version("1"); }, "", ""},
    CheckCase{"version_of_an_alias", with({{"live", 1}}, {alias("live", "2")}), [](const auto& p) { p.check_version("2"); }, "ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias"},
    CheckCase{"second_version_of_an_alias", with({{"live", 1}}, {alias("live", "1", {{"2", 0.1}})}), [](const auto& p) { p.check_version("2"); }, "ResourceConflictException", "Version is pointed by"},
    CheckCase{"version_of_an_alias_without", with({}, {alias("live", "2")}), [](const auto& p) { p.check_version("2"); }, "", ""},
    CheckCase{"alias_of_latest", with({}, {}), [](const auto& p) { p.check_alias(alias("live", "$LATEST"), true); }, "InvalidParameterValueException", "unpublished function versions"},
    CheckCase{"alias_with_weights", with({}, {}), [](const auto& p) { p.check_alias(alias("live", "1", {{"2", 0.5}}), true); }, "InvalidParameterValueException", "Alias with weights can not be used"},
    CheckCase{"alias_that_gets_weights", with({{"live", 1}}, {}), [](const auto& p) { p.check_alias(alias("live", "1", {{"2", 0.5}}), false); }, "", ""},
    CheckCase{"alias_of_a_provisioned_version", with({{"1", 1}}, {}), [](const auto& p) { p.check_alias(alias("live", "1"), true); }, "ResourceConflictException", "on an already Provisioned version"},
    CheckCase{"alias_that_gets_a_provisioned_version", with({{"2", 1}, {"live", 1}}, {}), [](const auto& p) { p.check_alias(alias("live", "1", {{"2", 0.5}}), false); }, "ResourceConflictException", "on an already Provisioned version"},
    CheckCase{"two_aliases", with({{"live", 1}}, {alias("live", "1")}), [](const auto& p) { p.check_alias(alias("other", "1"), true); }, "ResourceConflictException", "Version is pointed by"},
    CheckCase{"itself", with({{"live", 1}}, {alias("live", "1")}), [](const auto& p) { p.check_alias(alias("live", "1"), true); }, "", ""}),
    [](const auto& info) { return info.param.name; });

struct StateCase { const char* name; std::map<std::string, unsigned> shares; std::map<std::string, functions::Engine::Kept> kept; int allocated; std::string_view status, reason; };
class States : public testing::TestWithParam<StateCase> {};
TEST_P(States, SayWhatIsThere) {
  const ProvisionedState state = provisioned_state(GetParam().shares, GetParam().kept);
  EXPECT_EQ(state.allocated, GetParam().allocated);
  EXPECT_EQ(state.status, GetParam().status);
  EXPECT_EQ(state.reason, GetParam().reason);
}
INSTANTIATE_TEST_SUITE_P(Provisioned, States, testing::Values(
    StateCase{"not_begun", {{"1", 2}}, {}, 0, "IN_PROGRESS", ""},
    StateCase{"on_the_way", {{"1", 2}}, {{"1", {2, 1, ""}}}, 1, "IN_PROGRESS", ""},
    StateCase{"all", {{"1", 2}}, {{"1", {2, 2, ""}}}, 2, "READY", ""},
    StateCase{"more", {{"1", 2}}, {{"1", {3, 3, ""}}}, 2, "READY", ""},
    StateCase{"failed", {{"1", 2}}, {{"1", {2, 0, "FUNCTION_ERROR_INIT_FAILURE"}}}, 0, "FAILED", "FUNCTION_ERROR_INIT_FAILURE"},
    StateCase{"one_of_two_failed", {{"1", 2}, {"2", 1}}, {{"1", {2, 0, "why"}}, {"2", {1, 0, ""}}}, 0, "FAILED", "why"}),
    [](const auto& info) { return info.param.name; });

TEST(ProvisionedConfig, ReadsWhatItWrites) {
  const ProvisionedConfig config{7, Millis{std::chrono::milliseconds{12345}}};
  const auto read = parse_provisioned(to_json(config));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->count, 7);
  EXPECT_EQ(read->modified, config.modified);
  for (const char* bad : {"", "{}", R"({"format":2,"count":1,"modified":1})", R"({"format":1})"}) EXPECT_FALSE(parse_provisioned(bad)) << bad;
}

}  // namespace
}  // namespace parvis::lambda
