#include "platform/inspection.h"

#include <gtest/gtest.h>

namespace parvis::platform {
namespace {

struct NameCase { const char* name; std::string_view asked, function; bool means; };
class MeansFunction : public testing::TestWithParam<NameCase> {};
TEST_P(MeansFunction, ByNameOrLogicalId) { EXPECT_EQ(means_function(GetParam().asked, GetParam().function), GetParam().means); }
INSTANTIATE_TEST_SUITE_P(Names, MeansFunction, testing::Values(
    NameCase{"its_name", "offers", "offers", true}, NameCase{"logical_id", "WebOffers", "travel-WebOffers-ABCDEFGHIJKL", true},
    NameCase{"stack_with_hyphens", "WebOffers", "my-travel-WebOffers-ABCDEFGHIJKL", true}, NameCase{"part_of_an_id", "Offers", "travel-WebOffers-ABCDEFGHIJKL", false},
    NameCase{"stack", "travel", "travel-WebOffers-ABCDEFGHIJKL", false}, NameCase{"no_stack", "offers", "my-offers", false}, NameCase{"other_case", "weboffers", "travel-WebOffers-ABCDEFGHIJKL", false}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::platform
