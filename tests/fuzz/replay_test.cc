// Every fuzz target over its seeds and over mutations of them that depend on a fixed number alone: what CI runs.
#include <random>

#include <gtest/gtest.h>

#include "targets.h"

namespace parvis::fuzz {
namespace {

constexpr std::size_t kMutationsPerSeed = 2000;
constexpr std::size_t kInputBytesMax = 4096;

// One to four small edits: what libFuzzer's own mutator mostly does.
std::string mutate(std::string text, std::mt19937_64& rng) {
  for (std::uint64_t edits = 1 + rng() % 4; edits > 0; --edits) {
    const std::size_t at = text.empty() ? 0 : rng() % text.size();
    const auto byte = static_cast<char>(rng());
    switch (rng() % 6) {
      case 0: if (!text.empty()) text[at] = byte; break;
      case 1: text.insert(at, 1, byte); break;
      case 2: if (!text.empty()) text.erase(at, 1 + rng() % 8); break;
      case 3: text.insert(at, text.substr(at, 1 + rng() % 16)); break;
      case 4: text.resize(at); break;
      case 5: if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << (rng() % 8))); break;
    }
    if (text.size() > kInputBytesMax) text.resize(kInputBytesMax);
  }
  return text;
}

class Replay : public testing::TestWithParam<Target> {};

TEST_P(Replay, SurvivesSeedsAndMutations) {
  std::mt19937_64 rng(20260101);
  GetParam().run("");
  for (const std::string& seed : GetParam().seeds) {
    GetParam().run(seed);
    for (std::size_t i = 0; i < kMutationsPerSeed; ++i) GetParam().run(mutate(seed, rng));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Replay, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace parvis::fuzz
