#include "templates/stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::templates {
namespace {

using storage::testing::run;
using testing::ElementsAre;
using testing::HasSubstr;

// What the fake services hold, and what was asked of them.
struct World {
  std::map<std::string, json::object> things;   // by physical id
  std::map<std::string, std::string> by_token;  // create with one token twice gives one thing
  std::vector<std::string> calls;
  std::set<std::string> fail;     // "create A"
  std::string die;                // the process "dies" after this call has happened
  int next = 1;
};
struct Died {};

class FakeType final : public aws::ResourceType {
 public:
  FakeType(World& world, std::string name, bool holds_data) : world_(world), name_(std::move(name)), holds_data_(holds_data) {}
  std::string_view name() const override { return name_; }
  std::span<const aws::PropertyRule> rules() const override {
    using Rule = aws::PropertyRule;
    static constexpr Rule kRules[] = {{"Name", Rule::Handling::kApplied, Rule::Change::kReplaces}, {"Size"}, {"Other"}, {"Items"}, {"Items[].A"},
                                      {"Odd", Rule::Handling::kWarned, Rule::Change::kInPlace, "not applied"}, {"Bad", Rule::Handling::kRefused, Rule::Change::kInPlace, "never"}};
    return kRules;
  }
  std::span<const std::string_view> required() const override {
    static constexpr std::string_view kRequired[] = {"Name"};
    return kRequired;
  }
  bool holds_data() const override { return holds_data_; }
  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    note("create", request);
    std::string& id = world_.by_token[request.token];
    if (id.empty()) id = request.logical_id + "-" + std::to_string(world_.next++);
    world_.things[id] = request.properties;
    die("create", request);
    co_return aws::ResourceResult{id, {{"Arn", "arn:" + id}}};
  }
  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    note("update", request);
    for (const json::object* properties : {&request.properties, &request.old_properties})
      if (properties->contains("Size") && properties->at("Size") == "unreadable") throw aws::ApiError(aws::ErrorSpec{"ValidationException"}, "Size must be a number");
    world_.things[request.physical_id] = request.properties;
    die("update", request);
    co_return aws::ResourceResult{request.physical_id, {{"Arn", "arn:" + request.physical_id}}};
  }
  awaitable<> remove(aws::ResourceRequest request) override {
    note("remove", request);
    world_.things.erase(request.physical_id);
    die("remove", request);
    co_return;
  }

 private:
  void note(const std::string& action, const aws::ResourceRequest& request) {
    const std::string call = action + " " + request.logical_id;
    world_.calls.push_back(call);
    if (world_.fail.contains(call)) throw aws::ApiError(aws::ErrorSpec{"ValidationException"}, "no room for " + request.logical_id);
  }
  void die(const std::string& action, const aws::ResourceRequest& request) {
    if (world_.die == action + " " + request.logical_id) throw Died{};  // not a std::exception: nothing catches it
  }
  World& world_;
  std::string name_;
  bool holds_data_;
};

class StackTest : public testing::Test {
 protected:
  StackTest() {
    types.add(std::make_unique<FakeType>(world, "Test::Thing", false));
    types.add(std::make_unique<FakeType>(world, "Test::Data", true));
  }
  StackExpected<DeployResult> deploy(std::string_view text, DeployOptions options = {}) {
    auto document = parse_document(text, "t.yaml");
    EXPECT_TRUE(document) << document.error().str();
    world.calls.clear();
    return run(engine.deploy(*document, "demo", std::move(options), call()));
  }
  static aws::CallContext call() {
    aws::CallContext out;
    out.scope = {"000000000000", "us-east-1"};
    return out;
  }
  World world;
  aws::ResourceTypes types;
  storage::testing::FakeStore store;
  ManualClock clock{Millis(std::chrono::milliseconds(1))};
  Entropy entropy;
  StackEngine engine{types, store, clock, entropy};
};

constexpr std::string_view kTwo = R"(
Resources:
  B: {Type: Test::Thing, Properties: {Name: !Sub "${A.Arn}/x", Size: 1}}
  A: {Type: Test::Thing, Properties: {Name: a}}
Outputs:
  Where: {Value: !GetAtt B.Arn, Description: d}
)";

TEST_F(StackTest, CreatesInDependencyOrderAndResolvesAttributes) {
  auto done = deploy(kTwo);
  ASSERT_TRUE(done) << done.error().front().str();
  EXPECT_THAT(world.calls, ElementsAre("create A", "create B"));
  EXPECT_EQ(world.things.at("B-2").at("Name"), "arn:A-1/x");
  EXPECT_EQ(done->stack.status, "CREATE_COMPLETE");
  ASSERT_EQ(done->stack.outputs.size(), 1u);
  EXPECT_EQ(done->stack.outputs[0].value, "arn:B-2");
}

TEST_F(StackTest, AnEqualTemplateCallsNothing) {
  ASSERT_TRUE(deploy(kTwo));
  auto again = deploy(kTwo);
  ASSERT_TRUE(again);
  EXPECT_TRUE(world.calls.empty());
  EXPECT_FALSE(again->changed);
}

TEST_F(StackTest, UpdatesInPlaceReplacesAndRemoves) {
  ASSERT_TRUE(deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a, Size: 1}}, B: {Type: Test::Thing, Properties: {Name: b}}}"));
  ASSERT_TRUE(deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a, Size: 2}}, B: {Type: Test::Thing, Properties: {Name: b}}}"));
  EXPECT_THAT(world.calls, ElementsAre("update A"));
  ASSERT_TRUE(deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: other, Size: 2}}}"));
  EXPECT_EQ(world.calls.front(), "create A");
  EXPECT_EQ(world.things.size(), 1u);
  EXPECT_EQ(world.things.begin()->second.at("Name"), "other");
}

TEST_F(StackTest, AFailureRollsBackEverything) {
  ASSERT_TRUE(deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a, Size: 1}}}"));
  const auto before = world.things;
  world.fail = {"create C"};
  auto failed = deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a, Size: 2}}, B: {Type: Test::Thing, Properties: {Name: b}}, C: {Type: Test::Thing, DependsOn: B, Properties: {Name: c}}}");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().front().str(), HasSubstr("no room for C"));
  EXPECT_EQ(failed.error().front().position.line, 1u);
  EXPECT_EQ(world.things, before);
  EXPECT_EQ(run(engine.describe({"000000000000", "us-east-1"}, "demo"))->status, "UPDATE_ROLLBACK_COMPLETE");
}

TEST_F(StackTest, PropertiesThatTheirTypeCannotReadAreUndone) {
  const auto sized = [](std::string size) { return "Resources:\n  A:\n    Type: Test::Thing\n    Properties:\n      Name: a\n      Size: " + size; };
  ASSERT_TRUE(deploy(sized("1")));
  const auto before = world.things;
  auto failed = deploy(sized("unreadable"));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().front().str(), testing::StartsWith("t.yaml:6:7: resource A: Size must be a number"));
  EXPECT_EQ(run(engine.describe({"000000000000", "us-east-1"}, "demo"))->status, "UPDATE_ROLLBACK_COMPLETE");
  EXPECT_EQ(world.things, before);
  ASSERT_TRUE(deploy(sized("2")));
  EXPECT_EQ(world.things.begin()->second.at("Size"), 2);
}

struct PolicyCase { const char *name, *policy; bool keep_data, stays_when_rolled_back, stays_when_removed; };
class DeletionPolicies : public StackTest, public testing::WithParamInterface<PolicyCase> {};
TEST_P(DeletionPolicies, SayWhatStays) {
  const std::string policy = GetParam().policy[0] == '\0' ? "" : std::string("DeletionPolicy: ") + GetParam().policy + ", ";
  const std::string head = "Transform: AWS::LanguageExtensions\nConditions: {Always: !Equals [a, a]}\nResources:\n  A: {Type: Test::Thing, " + policy + "Properties: {Name: a}}\n";
  world.fail = {"create B"};
  EXPECT_FALSE(deploy(head + "  B: {Type: Test::Thing, DependsOn: A, Properties: {Name: b}}\n", {.keep_data = GetParam().keep_data}));
  EXPECT_EQ(world.things.size(), GetParam().stays_when_rolled_back ? 1u : 0u);
  world.things.clear();
  ASSERT_TRUE(run(engine.remove("demo", call())));
  ASSERT_TRUE(deploy(head, {.keep_data = GetParam().keep_data}));
  ASSERT_TRUE(run(engine.remove("demo", call())));
  EXPECT_EQ(world.things.size(), GetParam().stays_when_removed ? 1u : 0u);
}
INSTANTIATE_TEST_SUITE_P(Policies, DeletionPolicies, testing::Values(
    PolicyCase{"none", "", false, false, false}, PolicyCase{"delete_", "Delete", false, false, false}, PolicyCase{"retain", "Retain", false, true, true},
    PolicyCase{"retain_except_on_create", "RetainExceptOnCreate", false, false, true}, PolicyCase{"retain_in_dev", "Retain", true, false, true},
    PolicyCase{"function", "!If [Always, Retain, Delete]", false, true, true}, PolicyCase{"other_branch", "!If [Always, Delete, Retain]", false, false, false}),
    [](const auto& info) { return info.param.name; });

TEST_F(StackTest, ARemovalThatFailsInCleanUpDoesNotFailTheUpdate) {
  ASSERT_TRUE(deploy(kTwo));
  world.fail = {"remove B"};
  auto done = deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a}}}");
  ASSERT_TRUE(done) << done.error().front().str();
  const auto stack = run(engine.describe({"000000000000", "us-east-1"}, "demo"));
  EXPECT_EQ(stack->status, "UPDATE_COMPLETE");
  EXPECT_EQ(stack->reason, "Update successful. One or more resources could not be deleted.");
  const auto events = run(engine.events({"000000000000", "us-east-1"}, stack->id));
  const auto failed = std::find_if(events.begin(), events.end(), [](const StackEvent& event) { return event.status == "DELETE_FAILED"; });
  ASSERT_NE(failed, events.end());
  EXPECT_EQ(failed->logical_id, "B");
  EXPECT_EQ(failed->physical_id, "B-2");
  EXPECT_EQ(failed->reason, "no room for B");
}

TEST_F(StackTest, AnExportInUseIsNeitherChangedNorRemoved) {
  const auto exporting = [](std::string value) { return "Resources: {A: {Type: Test::Thing, Properties: {Name: a}}}\nOutputs: {O: {Value: " + value + ", Export: {Name: shared}}}"; };
  ASSERT_TRUE(deploy(exporting("one")));
  auto importer = parse_document("Resources: {B: {Type: Test::Thing, Properties: {Name: !ImportValue shared}}}", "i.yaml");
  ASSERT_TRUE(run(engine.deploy(*importer, "importer", {}, call())));
  auto removed = run(engine.remove("demo", call()));
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().front().str(), HasSubstr("Export shared cannot be deleted as it is in use by importer"));
  auto changed = deploy(exporting("two"));
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().front().str(), HasSubstr("Export shared cannot be updated as it is in use by importer"));
  EXPECT_EQ(world.things.size(), 2u);
  ASSERT_TRUE(run(engine.remove("importer", call())));
  EXPECT_TRUE(run(engine.remove("demo", call())));
}

TEST_F(StackTest, ACutOffOperationLeavesNoOrphanAndMakesNothingTwice) {
  for (const char* at : {"create A", "create B"}) {
    world = World{};
    world.die = at;
    ASSERT_THROW(deploy(kTwo), Died);
    world.die.clear();
    auto done = deploy(kTwo);
    ASSERT_TRUE(done) << done.error().front().str();
    EXPECT_EQ(world.things.size(), 2u) << at;
    ASSERT_TRUE(run(engine.remove("demo", call())));
    EXPECT_TRUE(world.things.empty()) << at;
  }
}

TEST_F(StackTest, ACutOffRemovalIsFinishedByTheNext) {
  for (const char* at : {"remove A", "remove B"}) {
    world = World{};
    ASSERT_TRUE(deploy(kTwo));
    world.die = at;
    ASSERT_THROW(run(engine.remove("demo", call())), Died);
    world.die.clear();
    ASSERT_TRUE(run(engine.remove("demo", call())));
    EXPECT_TRUE(world.things.empty()) << at;
    EXPECT_FALSE(run(engine.describe({"000000000000", "us-east-1"}, "demo")));
  }
}

TEST_F(StackTest, KeepDataDetachesAndReattaches) {
  const DeployOptions keep{.keep_data = true};
  ASSERT_TRUE(deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a}}, D: {Type: Test::Data, Properties: {Name: d, Size: 1}}}", keep));
  auto gone = deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a}}}", keep);
  ASSERT_TRUE(gone);
  EXPECT_THAT(gone->detached, ElementsAre("D"));
  EXPECT_TRUE(world.things.contains("D-2"));
  auto back = deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a}}, D: {Type: Test::Data, Properties: {Name: d, Size: 2}}}", keep);
  ASSERT_TRUE(back);
  EXPECT_THAT(back->reattached, ElementsAre("D"));
  EXPECT_THAT(world.calls, ElementsAre("update D"));
  ASSERT_TRUE(deploy("Resources: {A: {Type: Test::Thing, Properties: {Name: a}}}", keep));
  EXPECT_THAT(*run(engine.prune("demo", call())), ElementsAre("D"));
  EXPECT_FALSE(world.things.contains("D-2"));
}

struct RefusedCase { const char* name; std::string_view text, part; };
class Refused : public StackTest, public testing::WithParamInterface<RefusedCase> {};
TEST_P(Refused, NamesTheResourceAndTheLine) {
  auto out = deploy(GetParam().text);
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().front().str(), HasSubstr(GetParam().part));
  EXPECT_TRUE(world.calls.empty());
}
INSTANTIATE_TEST_SUITE_P(Templates, Refused, testing::Values(
    RefusedCase{"unknown_property", "Resources:\n  A:\n    Type: Test::Thing\n    Properties:\n      Name: a\n      Nmae: b\n", "t.yaml:6:7: resource A: the property Nmae of Test::Thing is not supported"},
    RefusedCase{"refused_property", "Resources: {A: {Type: Test::Thing, Properties: {Name: a, Bad: 1}}}", "Bad is refused: never"},
    RefusedCase{"nested_property", "Resources: {A: {Type: Test::Thing, Properties: {Name: a, Items: [{A: 1, B: 2}]}}}", "Items[].B"},
    RefusedCase{"missing_required", "Resources: {A: {Type: Test::Thing}}", "the property Name of Test::Thing is required"},
    RefusedCase{"unknown_type", "Resources: {A: {Type: Test::None}}", "the type Test::None is not supported"},
    RefusedCase{"cycle", "Resources: {A: {Type: Test::Thing, Properties: {Name: !Ref B}}, B: {Type: Test::Thing, Properties: {Name: !Ref A}}}", "A -> B -> A"},
    RefusedCase{"unknown_reference", "Resources: {A: {Type: Test::Thing, Properties: {Name: !Ref Nothing}}}", "'Nothing' is neither a resource nor a parameter"}),
    [](const auto& info) { return info.param.name; });

TEST(StackOnAnUnkindStore, EndsWithEverythingOrNothing) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world;
    aws::ResourceTypes types;
    types.add(std::make_unique<FakeType>(world, "Test::Thing", false));
    storage::testing::FakeStoreOptions options;
    options.seed = seed;
    options.unknown_outcome = 0.2;
    options.forced_conflict = 0.2;
    storage::testing::FakeStore store(options);
    ManualClock clock{Millis(std::chrono::milliseconds(1))};
    Entropy entropy;
    StackEngine engine(types, store, clock, entropy);
    aws::CallContext call;
    call.scope = {"000000000000", "us-east-1"};
    auto document = parse_document(kTwo, "t.yaml");
    auto done = run(engine.deploy(*document, "demo", {}, call));
    ASSERT_TRUE(done) << done.error().front().str();
    EXPECT_EQ(world.things.size(), 2u);
  }
}

}  // namespace
}  // namespace parvis::templates
