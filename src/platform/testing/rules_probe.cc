// Prints what templates can use, for tools/compatibility and its tests: one JSON object,
// {type: {"required": […], "holdsData": bool, "rules": [{"path", "handling", "replaces", "note"}]}}.
#include <cstdlib>
#include <iostream>

#include <boost/json.hpp>

#include "platform/resource_types.h"

namespace json = boost::json;
using namespace parvis;

namespace {

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
  const aws::ResourceTypes& types = platform::described_resource_types();
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
