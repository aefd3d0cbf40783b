// Every fuzz target over its corpus and over mutations of it that depend on a fixed number alone: what CI runs.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "targets.h"

namespace parvis::fuzz {
namespace {

constexpr std::size_t kMutationsPerInput = 1000;
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

std::vector<std::string> corpus(std::string_view target) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(PARVIS_FUZZ_CORPUS) / target)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Replay : public testing::TestWithParam<Target> {};

TEST_P(Replay, SurvivesItsCorpusAndMutations) {
  const std::vector<std::string> inputs = corpus(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  std::mt19937_64 rng(20260101);
  GetParam().run("");
  for (const std::string& input : inputs) {
    GetParam().run(input);
    for (std::size_t i = 0; i < kMutationsPerInput; ++i) GetParam().run(mutate(input, rng));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Replay, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace parvis::fuzz
