#include "cli/usage_errors.h"

#include <gtest/gtest.h>

namespace parvis::cli {
namespace {

struct ClosestCase { const char *name, *given, *want; };
class Closest : public testing::TestWithParam<ClosestCase> {};
TEST_P(Closest, IsWhatWasProbablyMeant) { EXPECT_EQ(closest(GetParam().given, {"dev", "deploy", "--port", "--parameter", "--no-watch"}), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(Names, Closest, testing::Values(
    ClosestCase{"swapped", "dve", "dev"}, ClosestCase{"swapped_in_an_option", "--prot", "--port"}, ClosestCase{"one_missing", "--paramter", "--parameter"},
    ClosestCase{"one_too_many", "deployy", "deploy"}, ClosestCase{"far_from_all", "--colour", ""}, ClosestCase{"another_word", "stop", ""}, ClosestCase{"empty", "", ""}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace parvis::cli
