// What is there without a call: provisioned concurrency, environments loaded at deploy, and what happens when memory is short.
#include "functions/engine_fixture.h"

#include <gmock/gmock.h>

namespace parvis::functions {
namespace {

using testing::HasSubstr;

constexpr const char* kWhoAmI = "const id = require('crypto').randomUUID(); const fs = require('fs'); exports.handler = async (e) => { if (e.exit) process.exit(1); "
                                "do await new Promise((r) => setTimeout(r, e.wait ?? 0)); while (e.together && !fs.existsSync(__dirname + '/together')); return id + '|' + process.env.AWS_LAMBDA_INITIALIZATION_TYPE; };";

struct KeepTest : EngineTest {
  bool ready(const FunctionSpec& spec, unsigned count) {
    return eventually([&] { const auto kept = engine->kept(spec.key); return kept.ready == count && kept.wanted == count; });
  }
  std::map<std::string, std::string> types(const std::shared_ptr<FunctionSpec>& spec, int calls_at_once) {  // environment -> how it was initialised
    const fs::path together = fs::path(spec->code_dir) / "together";
    std::vector<std::future<InvocationResult>> open;
    for (int i = 0; i < calls_at_once; ++i) open.push_back(begin(spec, R"({"wait":10,"together":true})"));
    EXPECT_TRUE(eventually([&] { return engine->stats().busy == static_cast<unsigned>(calls_at_once); }));
    std::ofstream(together) << "";
    std::map<std::string, std::string> found;
    for (auto& one : open) {
      const std::string text(boost::json::parse(one.get().payload).as_string());
      found[text.substr(0, text.find('|'))] = text.substr(text.find('|') + 1);
    }
    fs::remove(together);
    return found;
  }
};

TEST_F(KeepTest, KeptEnvironmentsTakeCallsFirstAndTheRestSpillsOver) {
  const auto spec = function(kWhoAmI);
  start().keep(spec, 2);
  EXPECT_EQ(engine->kept(spec->key).wanted, 2u);
  ASSERT_TRUE(ready(*spec, 2)) << engine->kept(spec->key).ready;
  EXPECT_EQ(engine->stats().cold_starts, 2u);
  auto found = types(spec, 3);
  ASSERT_EQ(found.size(), 3u);
  int provisioned = 0;
  for (const auto& [id, type] : found) provisioned += type == "provisioned-concurrency";
  EXPECT_EQ(provisioned, 2);
  for (int i = 0; i < 3; ++i) {
    const auto one = types(spec, 1);
    EXPECT_EQ(one.begin()->second, "provisioned-concurrency");
  }
}

TEST_F(KeepTest, KeptEnvironmentsAreReplacedAndOutliveTheIdleLimit) {
  options.idle_timeout = 200ms;
  const auto spec = function(kWhoAmI);
  start().keep(spec, 2);
  ASSERT_TRUE(ready(*spec, 2));
  const auto before = types(spec, 3);
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 2; })) << "the third one is not kept";
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(engine->stats().workers, 2u);
  EXPECT_EQ(begin(spec, R"({"exit":true})").get().outcome, Outcome::kCrashed);
  EXPECT_TRUE(ready(*spec, 2)) << "one that ends is replaced";
  EXPECT_EQ(engine->stats().workers, 2u);
}

TEST_F(KeepTest, FewerAndNoneEndWhatIsTooMuch) {
  options.prebooted = 0;
  const auto spec = function(kWhoAmI);
  start().keep(spec, 3);
  ASSERT_TRUE(ready(*spec, 3));
  auto open = begin(spec, R"({"wait":300})");
  ASSERT_TRUE(eventually([&] { return engine->stats().busy == 1; }));
  engine->keep(spec, 1);
  EXPECT_EQ(open.get().outcome, Outcome::kOk);
  ASSERT_TRUE(ready(*spec, 1));
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 1; }));
  engine->keep(spec, 0);
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 0; }));
  EXPECT_EQ(engine->kept(spec->key).wanted, 0u);
}

TEST_F(KeepTest, ARetiredFunctionKeepsNothing) {
  const auto spec = function(kWhoAmI);
  start().keep(spec, 2);
  ASSERT_TRUE(ready(*spec, 2));
  engine->retire(spec->key);
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 0; }));
}

TEST_F(KeepTest, FailedLoadsAreToldAndTriedAgain) {
  const auto spec = function("if (!require('fs').existsSync(__dirname + '/there')) throw new Error('not yet'); exports.handler = async () => 1;");
  start().keep(spec, 2);
  EXPECT_TRUE(eventually([&] { return engine->kept(spec->key).failure == "FUNCTION_ERROR_INIT_FAILURE"; }));
  EXPECT_EQ(engine->kept(spec->key).ready, 0u);
  std::ofstream(fs::path(spec->code_dir) / "there") << "";
  EXPECT_TRUE(ready(*spec, 2));
  EXPECT_EQ(engine->kept(spec->key).failure, "");
}

TEST_F(KeepTest, AnUnknownRuntimeIsTold) {
  const auto spec = function("");
  spec->runtime = "ruby3.3";
  start().keep(spec, 1);
  EXPECT_THAT(engine->kept(spec->key).failure, HasSubstr("ruby3.3 is not supported"));
}

TEST_F(KeepTest, KeptEnvironmentsComeBesideTheWorkersOfCalls) {
  options.workers_max = 1;
  const auto kept = function(kWhoAmI), other = function(kWhoAmI), third = function(kWhoAmI);
  start().keep(kept, 2);
  ASSERT_TRUE(ready(*kept, 2));
  EXPECT_EQ(types(other, 1).size(), 1u);
  EXPECT_EQ(types(third, 1).size(), 1u);  // takes the place of the other one's
  EXPECT_EQ(engine->stats().workers, 3u);
  EXPECT_EQ(engine->kept(kept->key).ready, 2u);
}

TEST_F(KeepTest, DeployLoadsWithinTheBudget) {
  options.warm_bytes_max = 1;
  const auto none = function(kWhoAmI);
  start().prepare(*none, true);
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(engine->stats().workers, 0u);
  EXPECT_EQ(begin(none).get().outcome, Outcome::kOk) << "calls do not ask for room";
}

TEST_F(KeepTest, DeployLoadsAsManyAsFit) {
  options.warm_bytes_max = 70u << 20;
  options.prebooted = 0;
  start();
  for (int i = 0; i < 8; ++i) engine->prepare(*function(kWhoAmI), true);
  ASSERT_TRUE(eventually([&] { return engine->stats().cold_starts >= 1; }));
  std::this_thread::sleep_for(1s);
  EXPECT_GE(engine->stats().workers, 1u);
  EXPECT_LE(engine->stats().workers, 7u) << "an environment takes 10 MB at least";
  EXPECT_EQ(engine->stats().workers, engine->stats().cold_starts);
}

TEST_F(KeepTest, WhenMemoryIsShortTheLongestUnusedEnd) {
  std::atomic<std::uint64_t> left{1u << 30};
  options.memory = [&] { return Memory{.total_bytes = 2u << 30, .available_bytes = left}; };
  options.memory_reserve_bytes = 256u << 20;
  options.prebooted = 0;
  const auto kept = function(kWhoAmI), first = function(kWhoAmI), second = function(kWhoAmI);
  start().keep(kept, 1);
  ASSERT_TRUE(ready(*kept, 1));
  const std::string old = types(first, 1).begin()->first, young = types(second, 1).begin()->first;
  ASSERT_EQ(engine->stats().workers, 3u);
  left = (256u << 20) - 1;  // one byte too little: one environment is enough
  ASSERT_TRUE(eventually([&] { return engine->stats().workers < 3; }));
  left = 1u << 30;
  std::this_thread::sleep_for(600ms);
  EXPECT_EQ(engine->stats().workers, 2u);
  EXPECT_EQ(types(second, 1).begin()->first, young);
  EXPECT_NE(types(first, 1).begin()->first, old);
  left = 0;
  EXPECT_TRUE(eventually([&] { return engine->stats().workers == 1; }));
  engine->prepare(*function(kWhoAmI), true);
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(engine->stats().workers, 1u) << "nothing is loaded without a call";
  EXPECT_EQ(types(second, 1).size(), 1u) << "calls are answered";
  EXPECT_EQ(engine->kept(kept->key).ready, 1u) << "what is kept stays";
  left = 1u << 30;
  EXPECT_TRUE(eventually([&] { return engine->stats().workers >= 2; })) << "the deployed one is loaded when there is room again";
}

}  // namespace
}  // namespace parvis::functions
