// Parameters over the fake store, operation by operation, and the rules of names as rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/ssm/errors.h"
#include "services/ssm/operations.h"
#include "services/ssm/parameter_filter.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::ssm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
const aws::Scope kScope{"123456789012", "eu-west-1"};

struct NameCase { const char* name; std::string given, error; };
class NewName : public testing::TestWithParam<NameCase> {};
TEST_P(NewName, FollowsTheRules) {
  try {
    check_new_name(kScope, GetParam().given);
    EXPECT_EQ(GetParam().error, "");
  } catch (const aws::ApiError& thrown) {
    ASSERT_NE(GetParam().error, "") << thrown.message();
    EXPECT_THAT(thrown.code() + ": " + thrown.message(), HasSubstr(GetParam().error));
  }
}
std::string levels(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "/a";
  return out;
}
INSTANTIATE_TEST_SUITE_P(Rules, NewName, testing::Values(
    NameCase{"plain", "a.b-C_9", ""}, NameCase{"path", "/web/travel/url", ""}, NameCase{"aws_inside", "/web/aws/x", ""},
    NameCase{"fifteen_levels", levels(15), ""}, NameCase{"sixteen_levels", levels(16), "HierarchyLevelLimitExceededException: "},
    NameCase{"aws_path", "/AWS/x", "AccessDeniedException: No access to reserved parameter name: /AWS/x."},
    NameCase{"ssm_path", "/Ssm/x", "can't be prefixed with \"ssm\" (case-insensitive). If formed as a path"},
    NameCase{"aws_plain", "awsThing", "can't be prefixed with \"aws\" or \"ssm\""}, NameCase{"space", "a b", "following 3 symbols"},
    NameCase{"not_from_the_root", "a/b", "fully qualified name"}, NameCase{"slash_at_the_end", "/a/", "must not end with slash"},
    NameCase{"empty_level", "/a//b", "sub-path"}, NameCase{"slash_alone", "/", "following 3 symbols"},
    NameCase{"too_long", "/" + std::string(1000, 'x'), "must not exceed 1011"}),
    [](const auto& info) { return info.param.name; });

TEST(Paths, OneLevelOrAll) {
  EXPECT_TRUE(lies_under("/a/b", "/a", false));
  EXPECT_TRUE(lies_under("/a/b", "/a/", false));
  EXPECT_FALSE(lies_under("/a/b/c", "/a", false));
  EXPECT_TRUE(lies_under("/a/b/c", "/a", true));
  EXPECT_FALSE(lies_under("/ab", "/a", true));
  EXPECT_FALSE(lies_under("/a", "/a", true));
  EXPECT_TRUE(lies_under("plain", "/", false));
  EXPECT_FALSE(lies_under("plain", "/p", true));
}

class Ssm : public testing::Test {
 protected:
  Ssm() : clock_(Millis{std::chrono::milliseconds{1795428000000}}), key_(*SealKey::from_text(SealKey::make_text(entropy_))),
          service_(store_, key_, clock_, entropy_) { service_.bind(registry_); }

  template <class Op>
  typename Op::Output call(typename Op::Input in) {
    aws::CallContext context;
    context.scope = kScope;
    auto out = storage::testing::run(registry_.find("ssm", Op::model().name)->handler(context, std::make_shared<typename Op::Input>(std::move(in))));
    return *std::static_pointer_cast<typename Op::Output>(out);
  }
  template <class Op>
  std::string error(typename Op::Input in) {
    try {
      call<Op>(std::move(in));
      return {};
    } catch (const aws::ApiError& thrown) {
      return thrown.code() + ": " + thrown.message();
    }
  }
  static model::PutParameterInput input(std::string name, std::string value, std::optional<std::string> type = "String", bool overwrite = false) {
    model::PutParameterInput in;
    in.name = std::move(name);
    in.value = std::move(value);
    in.type = std::move(type);
    if (overwrite) in.overwrite = true;
    return in;
  }
  std::string value(std::string name, bool decrypt = false) {
    model::GetParameterInput in;
    in.name = std::move(name);
    in.with_decryption = decrypt;
    return *call<model::GetParameter>(in).parameter->value;
  }
  std::string failure(std::string name) {
    model::GetParameterInput in;
    in.name = std::move(name);
    return error<model::GetParameter>(in);
  }
  std::string everything() {
    std::string out;
    auto snapshot = store_.snapshot();
    for (const auto& entry : storage::testing::run(snapshot->scan({})).entries) out += entry.value;
    return out;
  }

  storage::testing::FakeStore store_;
  ManualClock clock_;
  Entropy entropy_;
  SealKey key_;
  SsmService service_;
  aws::Registry registry_;
};

TEST_F(Ssm, VersionsAndLabels) {
  EXPECT_EQ(call<model::PutParameter>(input("/a/url", "one")).version, 1);
  EXPECT_THAT(error<model::PutParameter>(input("/a/url", "two")), HasSubstr("ParameterAlreadyExists: The parameter already exists. To overwrite"));
  EXPECT_EQ(call<model::PutParameter>(input("/a/url", "two", std::nullopt, true)).version, 2);
  model::LabelParameterVersionInput label;
  label.name = "/a/url";
  label.parameter_version = 1;
  label.labels = {"prod", "1bad", "awsbad"};
  EXPECT_THAT(*call<model::LabelParameterVersion>(label).invalid_labels, ElementsAre("1bad", "awsbad"));
  EXPECT_EQ(value("/a/url"), "two");
  EXPECT_EQ(value("/a/url:1"), "one");
  EXPECT_EQ(value("/a/url:prod"), "one");
  EXPECT_EQ(value("arn:aws:ssm:eu-west-1:123456789012:parameter/a/url:2"), "two");
  EXPECT_THAT(failure("/a/url:7"), HasSubstr("ParameterVersionNotFound: Systems Manager could not find version 7 of /a/url."));
  EXPECT_THAT(failure("/a/url:none"), HasSubstr("could not find label none"));
  EXPECT_THAT(failure("/a"), HasSubstr("ParameterNotFound"));
  EXPECT_THAT(failure("arn:aws:ssm:us-east-1:123456789012:parameter/a/url"), HasSubstr("ValidationException"));
  label.parameter_version = 2;
  label.labels = {"prod"};
  call<model::LabelParameterVersion>(label);
  EXPECT_EQ(value("/a/url:prod"), "two");
  model::GetParameterHistoryInput history;
  history.name = "/a/url";
  const auto all = *call<model::GetParameterHistory>(history).parameters;
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].labels->empty());
  EXPECT_THAT(*all[1].labels, ElementsAre("prod"));
}

TEST_F(Ssm, SecureStringsAreSealedWhereTheyAreKept) {
  call<model::PutParameter>(input("/a/password", "open sesame", "SecureString"));
  EXPECT_EQ(value("/a/password", true), "open sesame");
  EXPECT_THAT(value("/a/password", false), testing::Not(HasSubstr("sesame")));
  EXPECT_THAT(everything(), testing::Not(HasSubstr("sesame")));
  EXPECT_THAT(everything(), HasSubstr("alias/aws/ssm"));
  const SealKey other = *SealKey::from_text(SealKey::make_text(entropy_));
  SsmService stranger(store_, other, clock_, entropy_);
  aws::Registry registry;
  stranger.bind(registry);
  std::swap(registry, registry_);
  EXPECT_THROW(value("/a/password", true), aws::ApiError);
}

TEST_F(Ssm, TheHundredFirstVersionDropsTheOldestUnlessItIsLabelled) {
  call<model::PutParameter>(input("v", "1"));
  for (int i = 2; i <= 101; ++i) call<model::PutParameter>(input("v", std::to_string(i), std::nullopt, true));
  EXPECT_THAT(failure("v:1"), HasSubstr("ParameterVersionNotFound"));
  EXPECT_EQ(value("v:2"), "2");
  model::LabelParameterVersionInput label;
  label.name = "v";
  label.parameter_version = 2;
  label.labels = {"keep"};
  call<model::LabelParameterVersion>(label);
  EXPECT_THAT(error<model::PutParameter>(input("v", "102", std::nullopt, true)), HasSubstr("ParameterMaxVersionLimitExceeded: You attempted to create a new version of v"));
  model::DeleteParameterInput remove;
  remove.name = "v";
  call<model::DeleteParameter>(remove);
  EXPECT_EQ(everything(), "");
}

TEST_F(Ssm, LimitsOfValues) {
  EXPECT_EQ(error<model::PutParameter>(input("v", std::string(4096, 'x'))), "");
  EXPECT_THAT(error<model::PutParameter>(input("w", std::string(4097, 'x'))), HasSubstr("Standard tier parameters support a maximum parameter value of 4096"));
  auto tiered = input("w", std::string(4097, 'x'));
  tiered.tier = "Intelligent-Tiering";
  EXPECT_EQ(call<model::PutParameter>(tiered).tier, "Advanced");
  auto smaller = input("w", "x", std::nullopt, true);
  smaller.tier = "Standard";
  EXPECT_THAT(error<model::PutParameter>(smaller), HasSubstr("can't downgrade"));
  EXPECT_THAT(error<model::PutParameter>(input("w", std::string(8193, 'x'), std::nullopt, true)), HasSubstr("8192"));
  EXPECT_THAT(error<model::PutParameter>(input("e", "")), HasSubstr("Value at 'value' failed to satisfy constraint"));
  EXPECT_THAT(error<model::PutParameter>(input("e", "x", std::nullopt)), HasSubstr("A parameter type is required"));
  auto pattern = input("e", "abc");
  pattern.allowed_pattern = "[0-9]+";
  EXPECT_THAT(error<model::PutParameter>(pattern), HasSubstr("ParameterPatternMismatchException: Parameter value, cannot be validated against allowedPattern: [0-9]+"));
  pattern.allowed_pattern = "[";
  EXPECT_THAT(error<model::PutParameter>(pattern), HasSubstr("InvalidAllowedPatternException"));
}

TEST_F(Ssm, ListsUnderAPathInPages) {
  for (const char* name : {"/p/b", "/p/a", "/p/c/d", "/pp", "plain"}) call<model::PutParameter>(input(name, name));
  model::GetParametersByPathInput in;
  in.path = "/p";
  in.max_results = 1;
  const auto first = call<model::GetParametersByPath>(in);
  EXPECT_EQ(first.parameters->at(0).name, "/p/a");
  in.next_token = first.next_token;
  const auto second = call<model::GetParametersByPath>(in);
  EXPECT_EQ(second.parameters->at(0).name, "/p/b");
  EXPECT_FALSE(second.next_token);
  in.next_token = "!";
  EXPECT_THAT(error<model::GetParametersByPath>(in), HasSubstr("InvalidNextToken"));
  model::DescribeParametersInput describe;
  describe.parameter_filters.emplace();
  auto& filter = describe.parameter_filters->emplace_back();
  filter.key = "Name";
  filter.option = "BeginsWith";
  filter.values = {"/p/"};
  EXPECT_EQ(call<model::DescribeParameters>(describe).parameters->size(), 3u);
  filter.option = "Recursive";
  EXPECT_THAT(error<model::DescribeParameters>(describe), HasSubstr("InvalidFilterOption"));
}

TEST_F(Ssm, EveryChangeSurvivesAnUnkindStore) {
  storage::testing::FakeStore unkind({.seed = storage::testing::test_seed(), .latency_max = std::chrono::microseconds{0}, .unknown_outcome = 0.2, .forced_conflict = 0.0});
  SsmService service(unkind, key_, clock_, entropy_);
  aws::Registry registry;
  service.bind(registry);
  std::swap(registry, registry_);
  call<model::PutParameter>(input("n", "1"));
  for (int i = 2; i <= 40; ++i) EXPECT_EQ(call<model::PutParameter>(input("n", std::to_string(i), std::nullopt, true)).version, i);
  EXPECT_EQ(value("n:17"), "17");
}

}  // namespace
}  // namespace parvis::ssm
