// Prints what templates can use, for tools/compatibility and its tests: one JSON object,
// {type: {"required": […], "holdsData": bool, "rules": [{"path", "handling", "replaces", "note"}]}}.
#include <iostream>
#include <stdexcept>

#include <boost/json.hpp>

#include "platform/resource_types.h"
#include "storage/testing/fake_store.h"

namespace json = boost::json;
using namespace parvis;

namespace {

// The types are only asked for their rules.
class NoApi final : public aws::ApiClient {
 public:
  awaitable<json::value> call_json(aws::CallContext, std::string_view, std::string_view, json::value) override { throw std::logic_error("no API"); }
  awaitable<std::shared_ptr<void>> invoke(aws::CallContext, const aws::OperationModel&, std::shared_ptr<void>) override {
    throw std::logic_error("no API");
  }
};

std::string_view to_string(aws::PropertyRule::Handling handling) {
  using enum aws::PropertyRule::Handling;
  switch (handling) {
    case kApplied: return "applied";
    case kNeutral: return "neutral";
    case kWarned: return "warned";
    case kRefused: return "refused";
  }
  std::abort();
}

}  // namespace

int main() {
  Clock clock;
  Entropy entropy;
  storage::testing::FakeStore store;
  apigateway::ApiCatalog apis(store, clock, entropy);
  NoApi api;
  aws::ResourceTypes types;
  platform::add_resource_types(types, api, apis);
  json::object out;
  for (std::string_view name : types.names()) {
    const aws::ResourceType& type = *types.find(name);
    json::array required, rules;
    for (std::string_view property : type.required()) required.push_back(json::string(property));
    for (const aws::PropertyRule& rule : type.rules()) {
      rules.push_back(json::object{{"path", rule.path}, {"handling", to_string(rule.handling)},
                                   {"replaces", rule.change == aws::PropertyRule::Change::kReplaces}, {"note", rule.note}});
    }
    out[name] = json::object{{"required", std::move(required)}, {"holdsData", type.holds_data()}, {"rules", std::move(rules)}};
  }
  std::cout << out << "\n";
}
